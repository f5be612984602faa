import FootingSystem
import Testing

/// `plan`, `apply` and `rollback` on real kernels: every kind of disk, killed, without rights.
@Suite(
    .needs(.emulator),
    .needs(.shell),
    .needs(.program),
    .needs(.initialProcess),
    .needs(.genericKernel)
)
struct TuningGuestTests {
    private static let devices = [
        "-device virtio-blk-pci,drive=d11,num-queues=2,serial=first",
        "-device virtio-scsi-pci,id=vs,num_queues=2",
        "-device scsi-hd,bus=vs.0,drive=d12,serial=second",
        "-device pvscsi,id=pv", "-device scsi-hd,bus=pv.0,drive=d13,serial=third",
        "-device nvme,id=nv,serial=fourth,max_ioqpairs=4",
        "-device nvme-ns,bus=nv,drive=d14,nsid=1",
        "-device ahci,id=ah", "-device ide-hd,bus=ah.0,drive=d15,serial=fifth",
        "-device qemu-xhci,id=xh", "-device usb-storage,bus=xh.0,drive=d16,serial=sixth",
    ]
    private static let sizes = 11...16

    private static let machine = Machine(
        kernel: .generic,
        processors: "2",
        options: devices.flatMap { $0.split(separator: " ").map { String($0) } },
        disks: sizes.map { .init(name: "d\($0)", sizeMebibytes: UInt64($0)) },
        modules: [
            "crct10dif_generic", "crc64_rocksoft_generic", "virtio_pci", "virtio_blk",
            "virtio_scsi", "vmw_pvscsi", "nvme", "ahci", "xhci_pci",
            "usb_storage delay_use=0", "sd_mod",
        ]
    )

    /// Every rule for a queue, in no profile's order.
    private static let rules = [
        "paravirtual-scheduler-none", "queue-requests", "read-ahead", "completion-on-submitter",
        "no-merges", "no-write-back-throttling", "virtio-not-rotating", "no-randomness",
    ].joined(separator: ",")

    /// Every attribute of every queue as the kernel shows it.
    private static func values(_ guest: Guest) throws -> String {
        try guest.shell(
            "busybox grep . /sys/block/*/queue/* /sys/block/*/queue/iosched/* 2>/dev/null || true"
        )
    }

    /// A guest whose queues somebody has set up badly.
    private static func badlyTuned(_ machine: Machine, disks: Int) throws -> Guest {
        let guest = try Guest(machine)
        try guest.awaitPaths("/sys/block/*/queue/scheduler", count: disks)
        try guest.shell(
            """
            for q in /sys/block/*/queue; do echo mq-deadline >$q/scheduler; \
            echo 8 >$q/nr_requests; echo 8192 >$q/read_ahead_kb; \
            echo 123 >$q/iosched/read_expire; echo 5 >$q/iosched/async_depth; done
            """
        )
        return guest
    }

    private static func disks(_ guest: Guest) throws -> [String: JSONValue] {
        let disks = try guest.detect()["block"]?.array ?? []
        return Dictionary(
            disks.compactMap { disk in disk["name"]?.stringValue.map { ($0, disk) } }
        ) { first, _ in first }
    }

    @Test func `every kind of disk is changed as planned and restored to the byte`() throws {
        let guest = try Self.badlyTuned(Self.machine, disks: Self.sizes.count)
        let before = try Self.values(guest)
        let disks = try Self.disks(guest)
        #expect(disks.count == Self.sizes.count)
        for (name, disk) in disks {
            let interface = disk["interface"]?.stringValue ?? ""
            let words = "--rules \(Self.rules) /dev/\(name)"
            let plan = try JSONValue(guest.shell("footing plan --json \(words)"))
            let changes = plan["changes"]?.array ?? []
            #expect(changes.count >= 2, "\(interface): \(plan.text())")
            let dry = try guest.shell("footing apply --dry-run \(words)")
            #expect(dry.contains("would write  \(name) queue/read_ahead_kb: 8192 -> 128"))
            let applied = try JSONValue(guest.shell("footing apply --json \(words)"))
            let outcome = applied["paths"]?.array.first?["outcome"]
            #expect(outcome?["steps"]?.array.count == changes.count, "\(applied.text())")
            for change in changes {
                let text = change[path: "target.text"]?.stringValue ?? ""
                let attribute = text.split(separator: "/").last ?? ""
                let value = try guest.shell("busybox cat /sys/block/\(name)/queue/\(attribute)")
                let proposed = change["proposed"]?.stringValue ?? ""
                let isThere = value == "\(proposed)\n" || value.contains("[\(proposed)]")
                #expect(isThere, "\(interface): \(text) is \(value), not \(proposed)")
            }
            let second = try JSONValue(guest.shell("footing plan --json \(words)"))
            #expect(second["changes"]?.array == [], "\(interface): \(second.text())")
        }
        #expect(try Self.values(guest) != before)
        let undone = try JSONValue(guest.shell("footing rollback --json"))
        #expect(undone[path: "outcome.left"]?.array == [], "\(undone.text())")
        #expect(try Self.values(guest) == before)
        #expect(try guest.shell("footing rollback") == "nothing to undo\n")
    }

    @Test func `the profile's own rules are followed without being named`() throws {
        let guest = try Self.badlyTuned(Self.machine, disks: Self.sizes.count)
        let name = try #require(
            try Self.disks(guest).first { $0.value["interface"] == "nvme" }?.key
        )
        let before = try Self.values(guest)
        try guest.shell("footing apply --profile bare-metal /dev/\(name)")
        let scheduler = try guest.shell("busybox cat /sys/block/\(name)/queue/scheduler")
        #expect(scheduler.contains("[none]"))
        // Somebody sets the old scheduler again, which brings a number of requests that is neither
        // the old one nor what came with the change.
        try guest.shell("echo mq-deadline >/sys/block/\(name)/queue/scheduler")
        let refused = try guest.run("/bin/footing", "rollback")
        #expect(refused.status == 1)
        #expect(refused.output.hasPrefix("left alone  \(name) queue/nr_requests: "))
        try guest.shell("footing rollback --force")
        #expect(try Self.values(guest) == before)
    }

    @Test func `an apply that is killed at any time is undone`() throws {
        let guest = try Self.badlyTuned(Self.machine, disks: Self.sizes.count)
        let before = try Self.values(guest)
        let name = try #require(try Self.disks(guest).keys.first { $0 == "vda" })
        let words = "--rules \(Self.rules) /dev/\(name)"
        // How long one takes, so that the kills fall into all of it.
        let timed = try guest.shell(
            """
            read a b </proc/uptime; footing apply \(words) >/dev/null; read c d </proc/uptime; \
            footing rollback >/dev/null; echo $a $c
            """
        )
        let times = timed.split { " \n".contains($0) }.compactMap { Double($0) }
        let microseconds = Int(max(times[1] - times[0], 0.02) * 1_000_000)
        #expect(try Self.values(guest) == before)
        for part in 1...12 {
            try guest.shell(
                """
                footing apply \(words) >/dev/null & p=$!; \
                busybox usleep \(microseconds * part / 12); kill -9 $p 2>/dev/null || true; \
                wait $p || true; footing rollback >/dev/null
                """
            )
            #expect(try Self.values(guest) == before, "killed after \(part) twelfths")
        }
    }

    @Test func `who has no rights gets the plan and no more`() throws {
        let guest = try Self.badlyTuned(Self.machine, disks: Self.sizes.count)
        try guest.shell(
            """
            busybox mkdir -p /etc; echo 'guest:x:1000:1000::/tmp:/bin/sh' >/etc/passwd; \
            busybox ln -s busybox /bin/sh
            """
        )
        let before = try Self.values(guest)
        let user = "busybox su -s /bin/sh guest -c"
        let plan = try guest.shell("\(user) 'footing plan --rules read-ahead /dev/vda'")
        #expect(plan.contains("vda queue/read_ahead_kb: 8192 -> 128"))
        let refused = try guest.shell(
            "\(user) 'footing apply --rules read-ahead /dev/vda 2>&1; echo status $?'"
        )
        #expect(refused.contains("only root may change this machine. Run 'footing plan'"))
        #expect(refused.hasSuffix("status 1\n"))
        #expect(try Self.values(guest) == before)
    }

    @Test func `a disk that is unplugged is reported`() throws {
        let guest = try Self.badlyTuned(
            Machine(
                options: [
                    "-device", "pcie-root-port,id=rp,slot=1",
                    "-device", "virtio-blk-pci,drive=d,id=disk,serial=first,bus=rp",
                    "-device", "virtio-blk-pci,drive=e,serial=second",
                ],
                disks: [.init(name: "d", sizeMebibytes: 64), .init(name: "e", sizeMebibytes: 65)],
                modules: ["virtio_pci", "virtio_blk"]
            ),
            disks: 2
        )
        let names = try guest.shell("cd /sys/block; busybox grep -l first */serial")
        let name = String(try #require(names.split(separator: "/").first))
        try guest.shell("footing apply --rules read-ahead /dev/\(name)")
        try guest.qmp.execute("device_del", ["id": "disk"])
        try guest.shell(
            """
            for i in 1 2 3 4 5 6 7 8 9 10; do [ -e /sys/block/\(name) ] || break; \
            busybox sleep 1; done; [ ! -e /sys/block/\(name) ]
            """
        )
        let undone = try guest.shell("footing rollback")
        #expect(undone == "left alone  \(name): the disk is gone, and its values with it\n")
    }
}
