import FootingDeployment
import FootingHost
import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingTuning

@Suite struct PlanTests {
    private func changes(_ changes: [TuningChange]) -> [String] {
        changes.map {
            "\($0.rule): \($0.target.text) \($0.present ?? "-") -> \($0.proposed)"
        }
    }

    @Test func `nothing is changed of a paravirtual disk unless somebody asks`() throws {
        let plan = try TuningTree([.virtio()]).plan()
        #expect(plan.changes.isEmpty)
        #expect(plan.chain == ["vda"])
        #expect(
            changes(plan.candidates) == [
                "paravirtual-scheduler-none: vda queue/scheduler mq-deadline -> none",
                "queue-requests: vda queue/nr_requests 64 -> 256",
                "read-ahead: vda queue/read_ahead_kb 8192 -> 128",
                "no-write-back-throttling: vda queue/wbt_lat_usec 75000 -> 0",
                "virtio-not-rotating: vda queue/rotational 1 -> 0",
                "no-randomness: vda queue/add_random 1 -> 0",
                "dirty-bytes: vm.dirty_bytes 0 -> 536870912",
                "dirty-background-bytes: vm.dirty_background_bytes 0 -> 67108864",
            ]
        )
        #expect(changes(plan.manual) == ["no-access-times: / access times relatime -> noatime"])
        #expect(plan.notes.contains { $0.hasPrefix("vda: write_cache stays as it is.") })
        // What can be applied by name is told apart from what is never written.
        let text = plan.text()
        let parts = text.split(separator: "\nLeft alone")
        #expect(parts.count == 3, "\(text)")
        #expect(parts[1].contains("footing apply --rules NAME") && parts[1].contains("read-ahead"))
        #expect(!parts[1].contains("no-access-times"))
        #expect(parts[2].contains("never written by 'footing'"))
        #expect(parts[2].contains("no-access-times"))
    }

    @Test func `a rule that is named is followed`() throws {
        let tree = try TuningTree([.virtio()])
        let named = try tree.plan(rules: ["read-ahead"])
        #expect(changes(named.changes) == ["read-ahead: vda queue/read_ahead_kb 8192 -> 128"])
        #expect(!named.candidates.contains { $0.rule == "read-ahead" })
        let set = try tree.plan(set: "rules=no-randomness")
        #expect(set.changes.map(\.rule) == ["no-randomness"])
    }

    @Test func `NVMe with several queues needs no scheduler`() throws {
        let mount = "ext4 /dev/nvme0n1 rw"
        let plan = try TuningTree([.nvme()], mount: mount).plan()
        #expect(
            changes(plan.changes) == [
                "nvme-scheduler-none: nvme0n1 queue/scheduler mq-deadline -> none"
            ]
        )
        let change = try #require(plan.changes.first)
        #expect(change.risk == .none)
        #expect(change.isChosen)
        #expect(change.evidence.contains { $0.source == "sys/block/nvme0n1/queue/scheduler" })
        #expect(try TuningTree([.nvme("[none] mq-deadline")], mount: mount).plan().changes.isEmpty)
        var single = TuningTree.Disk.nvme()
        single.queues = 1
        #expect(try TuningTree([single], mount: mount).plan().changes.isEmpty)
        #expect(try TuningTree([.nvme("[mq-deadline]")], mount: mount).plan().changes.isEmpty)
    }

    @Test func `an EBS volume waits for as long as the kernel can count`() throws {
        let disk = TuningTree.Disk.nvme("[none]", model: "Amazon Elastic Block Store")
        let tree = try TuningTree([disk], mount: "xfs /dev/nvme0n1 rw")
        let plan = try tree.plan("hyperscale-cloud")
        #expect(
            changes(plan.changes) == ["ebs-timeout: nvme0n1 queue/io_timeout 30000 -> 2147480000"]
        )
        let boot = try #require(plan.manual.first { $0.rule == "ebs-timeout-at-boot" })
        #expect(boot.isChosen)
        #expect(boot.risk == .needsReboot)
        #expect(plan.text().contains("command line: nvme_core.io_timeout=4294967295\n"))
        // Not elsewhere, and not where it is set already.
        #expect(try tree.plan("bare-metal").changes.isEmpty)
        try tree.write("proc/cmdline", "quiet nvme-core.io_timeout=4294967295")
        #expect(
            try tree.plan("hyperscale-cloud").manual.allSatisfy { $0.rule != "ebs-timeout-at-boot" }
        )
    }

    @Test(arguments: [
        (
            TuningTree.Disk.foreign(
                "sda",
                at: "pci0000:00/0000:00:15.0/host0/target0:0:0/0:0:0:0",
                drivers: ["0000:00:15.0": "vmw_pvscsi", "0:0:0:0": "sd"]
            ), ["vmw_pvscsi.cmd_per_lun=254", "vmw_pvscsi.ring_pages=32"]
        ),
        (
            .foreign(
                "sdb",
                at: "VMBUS:01/vmbus_1/host1/target1:0:0/1:0:0:0",
                drivers: ["vmbus_1": "hv_storvsc", "1:0:0:0": "sd"]
            ),
            ["hv_storvsc.storvsc_ringbuffer_size=262144"]
        ),
        (
            .foreign("xvda", at: "vbd-51712", drivers: ["vbd-51712": "vbd"]),
            ["xen_blkfront.max_ring_page_order=4"]
        ), (.nvme("[none]"), ["nvme.poll_queues=1"]), (.virtio(), []),
    ])
    func `each driver's words for the next start are shown, and never chosen`(
        _ disk: TuningTree.Disk,
        _ words: [String]
    ) throws {
        let tree = try TuningTree([disk], mount: "xfs /dev/\(disk.name) rw,noatime")
        let plan = try tree.plan()
        let boot = plan.manual.filter { $0.risk == .needsReboot }
        #expect(boot.map { "\($0.target.text)=\($0.proposed)" } == words)
        #expect(boot.allSatisfy { !$0.isChosen && !$0.undo.isEmpty })
        if let first = words.first {
            // What is there already is no change.
            try tree.write("proc/cmdline", "quiet \(first)")
            #expect(try tree.plan().manual.count == plan.manual.count - 1)
        }
    }

    @Test func `a virtual machine without a paravirtual disk is told so`() throws {
        let disk = TuningTree.Disk.nvme("[none]")
        let tree = try TuningTree([disk], mount: "xfs /dev/nvme0n1 rw")
        let note = "No disk under the path is paravirtual: the hypervisor emulates them."
        #expect(try !tree.plan().notes.contains(note))
        try tree.write("sys/class/dmi/id/sys_vendor", "VMware, Inc.")
        try tree.write("sys/class/dmi/id/product_name", "VMware Virtual Platform")
        #expect(try tree.plan().notes.contains(note))
    }

    @Test(arguments: [
        ("ext4 /dev/vda rw,data=journal", ["data-journal", "no-access-times"]),
        ("ext4 /dev/vda rw,data=ordered", ["no-access-times"]),
        ("btrfs /dev/vda rw", ["no-access-times"]),
        ("xfs /dev/vda rw", ["no-access-times"]),
        ("tmpfs tmpfs rw", []), ("overlay overlay rw,volatile", []),
        ("nfs4 server:/export rw", []), ("vfat /dev/vda rw", []),
    ])
    func `a file system's own changes are for a person`(
        _ mount: String,
        _ rules: [String]
    ) throws {
        let plan = try TuningTree([.virtio()], mount: mount).plan()
        #expect(plan.manual.map(\.rule) == rules)
        #expect(plan.manual.filter(\.isChosen).map(\.rule) == rules.filter { $0 == "data-journal" })
        #expect(plan.changes.isEmpty)
    }

    @Test func `places that hold no disk well are named`() throws {
        let expected = [
            ("tmpfs tmpfs rw", "lies in memory"),
            ("overlay overlay rw,volatile", "flushes are dropped"),
            ("nfs4 server:/export rw", "lies on another machine"),
        ]
        for (mount, words) in expected {
            let notes = try TuningTree([.virtio()], mount: mount).plan().notes
            #expect(notes.contains { $0.contains(words) }, "\(mount): \(notes)")
        }
    }

    @Test func `no rule ever writes the write cache`() throws {
        #expect(QueueAttribute(rawValue: "write_cache") == nil)
        let tree = try TuningTree([.virtio(), .nvme()], mount: "ext4 /dev/vda rw,data=journal")
        for profile in BuiltInProfiles.all {
            let plan = try tree.plan(profile.name, rules: TuningPlan.ruleNames)
            let all = plan.changes + plan.candidates + plan.manual
            #expect(!all.contains { $0.target.text.contains("write_cache") })
            for change in all {
                #expect(!change.reason.isEmpty && !change.evidence.isEmpty, "\(change.rule)")
                #expect(!change.source.isEmpty && !change.effect.isEmpty && !change.undo.isEmpty)
            }
        }
    }

    @Test func `a built-in profile names only what takes effect without a risk for data`() throws {
        for profile in BuiltInProfiles.all {
            let known: Set = [
                "data-journal", "file-data-journal", "ebs-timeout", "ebs-timeout-at-boot",
                "nvme-scheduler-none",
            ]
            #expect(Set(profile.rules).isSubset(of: known), "\(profile.name)")
        }
    }

    @Test func `a partition's disk is found, a missing attribute is no change`() throws {
        var disk = TuningTree.Disk.virtio()
        disk.queue = ["scheduler": "none"]
        let tree = try TuningTree([disk])
        try tree.write("sys/devices/\(disk.place)/block/vda/vda1/partition", "1")
        let plan = try tree.plan(rules: TuningPlan.ruleNames)
        #expect(plan.changes.allSatisfy { $0.target.kind == "machine" })
        #expect(plan.text().contains("ext4 on vda (virtio-blk)"))
    }

    @Test func `hostile attributes make no change`() throws {
        var disk = TuningTree.Disk.virtio()
        disk.queue = [
            "scheduler": "[[]] ]none[", "nr_requests": "99999999999999999999",
            "read_ahead_kb": "-1\u{1b}[2J", "wbt_lat_usec": "", "rotational": "no",
        ]
        let plan = try TuningTree([disk]).plan(rules: ["read-ahead", "queue-requests"])
        #expect(plan.changes.isEmpty)
    }

    @Test func `the document has what the text has`() throws {
        let plan = try TuningTree([.nvme()], mount: "ext4 /dev/nvme0n1 rw").plan()
        let json = plan.json
        #expect(json.member("schema") == "footing.plan/1")
        guard case .array(let changes)? = json.member("changes") else {
            Issue.record("no changes")
            return
        }
        #expect(changes.first?.member("proposed") == "none")
        #expect(changes.first?.member("target")?.member("kind") == "queue")
        #expect(changes.first?.member("risk") == "none")
        #expect(plan.text().contains("nvme0n1 queue/scheduler: mq-deadline -> none"))
    }
}
