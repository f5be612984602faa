import FootingHost
import FootingMemory
import FootingSystem
import Testing

@Suite struct DiskPlacementTests {
    /// A machine with a way to disks on node 1 and on both sockets.
    private static func machine(
        _ nodes: [(cpus: String, mebibytes: Int, distance: String)] = RecordedNodes.four,
        cpus: String = "0-63",
        memoryNodes: String = "0-63"
    ) -> RecordedNodes {
        var machine = RecordedNodes(nodes, cpus: cpus, memoryNodes: memoryNodes)
        machine.addDisk("nvme0", slot: "0000:01:00.0", node: 0)
        machine.addDisk("nvme1", slot: "0000:81:00.0", node: 1)
        machine.addDisk("nvme2", slot: "0000:02:00.0", node: -1)
        machine.addDisk("nvme3", slot: "0000:c1:00.0", node: 3)
        machine.addDisk("nvme4", slot: "0000:c2:00.0", node: 7)
        machine.addLayer("dm-0", number: "253:0", over: ["nvme1n1p1"])
        machine.addLayer("md0", number: "9:0", over: ["nvme0n1p1", "nvme1n1"])
        machine.mount("/lvm", "253:0", "/dev/mapper/vg-lv")
        machine.addLoop("loop0", number: "7:0", file: "/lvm/image")
        machine.mount("/loop", "7:0", "/dev/loop0")
        machine.mount("/raid", "9:0", "/dev/md0")
        machine.mount("/one", "259:1", "/dev/nvme1n1p1")
        machine.mount("/nowhere", "259:2", "/dev/nvme2n1p1")
        machine.mount("/processors", "259:3", "/dev/nvme3n1p1")
        machine.mount("/strange", "259:4", "/dev/nvme4n1p1")
        return machine
    }

    private static func decide(_ machine: RecordedNodes, _ path: String) throws -> DiskPlacement {
        DiskPlacement.decide(path: path, root: try machine.root())
    }

    @Test(arguments: ["/one/disk", "/lvm/disk", "/loop/disk"])
    func `a path leads through every layer to the node of the controller`(path: String) throws {
        let placement = try Self.decide(Self.machine(), path)
        #expect(placement.nodes == .known([1]))
        #expect(placement.steps.map(\.nodes) == [[1], [2], [0]])
        #expect(placement.steps.map(\.distance) == [10, 14, 21])
        #expect(placement.cpus == .known([4, 5, 6, 7]))
        #expect(placement.evidence.map(\.source) == ["sys/bus/pci/devices/0000:81:00.0/numa_node"])
        #expect(placement.text.hasPrefix("node 1 (the controller of nvme1n1 is on node 1), then"))
        #expect(placement.text.hasSuffix("threads on processors 4-7"))
    }

    @Test func `a disk at two controllers belongs to both nodes`() throws {
        let placement = try Self.decide(Self.machine(), "/raid/disk")
        #expect(placement.nodes == .known([0, 1]))
        #expect(placement.steps.map(\.nodes) == [[0, 1], [2]])
        #expect(placement.cpus == .known(Array(0...7)))
    }

    @Test func `nodes at the same distance are one step`() throws {
        let nodes = [("0", 64, "10 20 20"), ("1", 64, "20 10 20"), ("2", 64, "20 20 10")]
        let placement = try Self.decide(
            Self.machine(nodes.map { (cpus: $0.0, mebibytes: $0.1, distance: $0.2) }),
            "/one/disk"
        )
        #expect(placement.steps.map(\.nodes) == [[1], [0, 2]])
    }

    @Test func `a node without memory passes on to the nearest that has some`() throws {
        let placement = try Self.decide(Self.machine(), "/processors/disk")
        #expect(placement.nodes == .known([3]))
        #expect(placement.steps.map(\.nodes) == [[1], [0], [2]])
        #expect(placement.cpus == .known([8, 9]))
        #expect(placement.text.contains("memory from node 1, the nearest"))
    }

    @Test func `a cpuset is honoured`() throws {
        let machine = Self.machine(cpus: "0-2,6", memoryNodes: "0,2")
        let placement = try Self.decide(machine, "/one/disk")
        #expect(placement.steps.map(\.nodes) == [[2], [0]])
        #expect(placement.cpus == .known([6]))
        // Without a processor on the node the nearest ones are meant.
        let far = try Self.decide(Self.machine(cpus: "0-3,8"), "/one/disk")
        #expect(far.cpus == .absent("this process has only processors there"))
        let near = try Self.decide(Self.machine(cpus: "0-3,9-12"), "/processors/disk")
        #expect(near.cpus == .known([9]))
        let single = try Self.decide(Self.machine(memoryNodes: "2"), "/one/disk")
        #expect(single.steps.isEmpty)
        #expect(single.nodes == .known([1]))
    }

    @Test(arguments: [
        ("/nowhere/disk", "nothing tells the node of nvme2n1"),
        ("/strange/disk", "nothing tells the node of nvme4n1"),
        ("/elsewhere/disk", "no block device of this machine is under /elsewhere/disk"),
    ])
    func `what has no node is left alone, with the reason`(path: String, reason: String) throws {
        let placement = try Self.decide(Self.machine(), path)
        #expect(placement.nodes == .absent(reason))
        #expect(placement.steps.isEmpty)
        #expect(placement.cpus.value == nil)
        #expect(try !placement.pin())
        #expect(placement.text == reason)
    }

    @Test func `one node is a plain answer`() throws {
        let one = RecordedNodes([("0-7", 1024, "10")])
        let placement = try Self.decide(one, "/one/disk")
        #expect(placement.nodes == .absent("one node: all memory is near"))
        #expect(placement.source().steps.isEmpty)
        #expect(placement.json.text().contains("\"nodes\": null"))
    }

    @Test func `distances that make no sense leave here and elsewhere`() throws {
        let nodes = [("0", 64, "10"), ("1", 64, "x y z"), ("2", 64, "")]
        let placement = try Self.decide(
            Self.machine(nodes.map { (cpus: $0.0, mebibytes: $0.1, distance: $0.2) }),
            "/one/disk"
        )
        #expect(placement.steps.map(\.nodes) == [[1], [0, 2]])
        #expect(placement.steps.map(\.distance) == [10, nil])
    }
}
