import FootingHost
import FootingSystem
import Testing

@Suite struct CapabilityTests {
    private let sight = Evidence(source: "sys/block/vda", value: "", says: "seen")

    private func gather(_ name: String) throws -> CapabilityRegistry {
        try MachineFixture(name: name).withRoot { root in
            CapabilityRegistry.gather(root: root, report: HostReport.gather(root: root))
        }
    }

    @Test func `what nobody registered is absent, with a reason`() {
        let registry = CapabilityRegistry()
        #expect(!registry.has("numa"))
        #expect(!registry.knows("numa"))
        #expect(registry["numa"].state == .absent("no detector knows this name"))
        #expect(registry.all.isEmpty)
    }

    @Test func `proof outweighs a reason, and can be taken back`() {
        var registry = CapabilityRegistry()
        registry.note(absent: "numa", because: "one node")
        #expect(!registry.has("numa"))
        registry.register("numa", [sight])
        registry.note(absent: "numa", because: "one node")
        #expect(registry["numa"].state == .present([sight]))
        let other = Evidence(source: "sys/block/vdb", value: "", says: "seen")
        registry.register("numa", [sight, other])
        #expect(registry["numa"].state == .present([sight, other]))
        registry.withdraw("numa", because: "gone")
        #expect(registry["numa"].state == .absent("gone"))
    }

    @Test func `two registries differ by what appeared, disappeared and was restated`() {
        var before = CapabilityRegistry()
        before.register("balloon", [sight])
        before.register("kvm", [sight])
        before.note(absent: "numa", because: "one node")
        before.note(absent: "vfio", because: "no node")
        var after = before
        #expect(after.changes(since: before).isEmpty)
        after.withdraw("balloon", because: "unplugged")
        after.register("numa", [sight])
        after.note(absent: "vfio", because: "forbidden")
        after.register("nvme", [sight])
        let changes = after.changes(since: before)
        #expect(changes.map(\.capability.name) == ["balloon", "numa", "nvme", "vfio"])
        #expect(changes.map(\.kind) == [.disappeared, .appeared, .appeared, .restated])
        #expect(before.changes(since: after).map(\.kind)[2] == .disappeared)
    }

    @Test(arguments: [
        ("firecracker", ["virtio.block", "balloon"]),
        ("numa-tiers", ["numa", "memory.tiers", "hugepages", "iommu"]),
        ("multipath", ["multipath", "nvme"]),
        ("gateway", ["gpio", "i2c", "spi", "flash.card", "flash.wear"]),
        ("cgroup-hybrid", ["cgroup.v1", "cgroup.v2"]), ("cgroup-v2", ["cgroup.v2"]),
        ("vmware", ["vmware.pvscsi"]), ("hyperv-guest", ["hyperv.storvsc"]),
        ("xen-pv", ["xen.blkfront"]), ("nvme-namespaces", ["nvme", "nvme.free"]),
        ("bare-metal-numa", ["numa", "kvm", "block.multiqueue", "block.fua", "block.discard"]),
        ("qat-host", ["qat.device"]),
    ])
    func `a machine's detectors register what they proved`(
        _ machine: String,
        _ names: [String]
    ) throws {
        let registry = try gather(machine)
        for name in names { #expect(registry.has(name), "\(name)") }
        for capability in registry.all {
            guard case .present(let evidence) = capability.state else { continue }
            #expect(evidence.allSatisfy { !$0.source.isEmpty && !$0.says.isEmpty })
        }
    }

    @Test func `one way to a disk is no multipath`() throws {
        let registry = try gather("one-path")
        #expect(!registry.has("multipath"))
        #expect(registry.knows("multipath"))
    }

    @Test func `QAT on the bus proves neither compression nor encryption`() throws {
        let registry = try gather("qat-host")
        #expect(!registry.has("qat.compression"))
        #expect(!registry.has("qat.encryption"))
        #expect(registry.knows("qat.encryption"))
        guard case .absent(let reason) = registry["qat.compression"].state else { return }
        #expect(reason.contains("down"))
    }

    @Test func `passthrough needs a free namespace, its node and io_uring`() throws {
        let ring = "file proc/sys/kernel/io_uring_disabled"
        let disk = [
            "file sys/block/nvme0n1/size 1000", "folder sys/block/nvme0n1/holders",
            "zeros dev/nvme0n1 4096", "text proc/self/mountinfo",
            "| 22 1 8:1 / / rw - ext4 /dev/sda1 rw",
        ]
        func has(_ lines: [String]) throws -> Bool {
            try MachineFixture("ring", disk + lines).withRoot { root in
                CapabilityRegistry.gather(root: root, report: HostReport.gather(root: root))
                    .has("nvme.passthrough")
            }
        }
        #expect(try has(["\(ring) 0", "file dev/ng0n1"]))
        #expect(try !has(["\(ring) 2", "file dev/ng0n1"]))
        #expect(try !has(["\(ring) 0"]))
        #expect(try !has(["\(ring) 0", "file dev/ng0n1", "folder sys/block/nvme0n1/holders/md0"]))
    }

    @Test(arguments: MachineFixture.several)
    func `every recorded machine has a registry, and the same one twice`(
        _ fixture: MachineFixture
    ) throws {
        try fixture.withRoot { root in
            let report = HostReport.gather(root: root)
            let registry = CapabilityRegistry.gather(root: root, report: report)
            #expect(registry.all.count > 30)
            #expect(registry == CapabilityRegistry.gather(root: root, report: report))
        }
    }

    @Test func `the running machine proves io_uring by the call itself`() throws {
        let root = try HostRoot()
        let registry = CapabilityRegistry.gather(root: root, report: HostReport.gather(root: root))
        let disabled = try? root.attribute("proc/sys/kernel/io_uring_disabled")
        if disabled == "2" { #expect(!registry.has("io_uring")) }
        #expect(registry.knows("io_uring"))
    }
}
