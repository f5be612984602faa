import FootingSystem
import Testing

/// Several NUMA nodes, one of them without processors, and a device behind one.
@Suite(
    .needs(.emulator),
    .needs(.shell),
    .needs(.program),
    .needs(.initialProcess),
    .needs(.cloudKernel)
)
struct TopologyGuestTests {
    static let machine = Machine(
        memoryMebibytes: 384,
        processors: "3,sockets=3",
        options: [
            "-object memory-backend-ram,id=m0,size=192M",
            "-object memory-backend-ram,id=m1,size=128M",
            "-object memory-backend-ram,id=m2,size=64M",
            "-numa node,nodeid=0,cpus=0-1,memdev=m0", "-numa node,nodeid=1,cpus=2,memdev=m1",
            "-numa node,nodeid=2,memdev=m2",
            "-numa dist,src=0,dst=1,val=21", "-numa dist,src=0,dst=2,val=31",
            "-numa dist,src=1,dst=2,val=17",
            "-device pxb-pcie,id=px,bus_nr=64,bus=pcie.0,numa_node=1",
            "-device pcie-root-port,id=rp,bus=px,chassis=1,slot=1",
            "-device nvme,id=far,serial=far,bus=rp,drive=far",
            "-device nvme,id=near,serial=near,bus=pcie.0,drive=near",
        ].flatMap { $0.split(separator: " ").map { String($0) } },
        disks: [.init(name: "far", sizeMebibytes: 5), .init(name: "near", sizeMebibytes: 6)]
    )

    static let report = Result {
        let guest = try Guest(machine)
        try guest.awaitPaths("/sys/block/nvme*/queue/scheduler", count: 2)
        return try guest.detect()
    }

    @Test func `nodes have their processors, memory and distances`() throws {
        let nodes = try Self.report.get()[path: "numa.nodes"]?.array ?? []
        #expect(nodes.map { $0["id"]?.integer } == [0, 1, 2])
        #expect(nodes.map { $0["cpus"]?.array.map(\.integer) } == [[0, 1], [2], []])
        #expect(
            nodes.map { $0["distances"]?.array.map(\.integer) }
                == [[10, 21, 31], [21, 10, 17], [31, 17, 10]]
        )
        for (node, mebibytes) in zip(nodes, [192, 128, 64]) {
            // The kernel keeps what it needs for itself; most of that is on the first node.
            let size = try #require(node["memoryBytes"]?.integer)
            #expect(size <= mebibytes << 20 && size > (mebibytes - 64) << 20, "\(node.text())")
        }
    }

    @Test(arguments: [(5, 1), (6, -1)])
    func `a disk is on the node of the bridge above it`(mebibytes: Int, node: Int) throws {
        let report = try Self.report.get()
        let disk = try #require(
            report["block"]?.array.first { $0["sizeBytes"]?.integer == mebibytes << 20 }
        )
        #expect(disk["numaNode"]?.integer == node)
        let slot = disk["pciSlot"]?.stringValue
        let function = report["pci"]?.array.first { $0["slot"]?.stringValue == slot }
        #expect(function?["numaNode"]?.integer == node)
        #expect(function?["driver"] == "nvme")
    }

    @Test func `several nodes are a facet of the place`() throws {
        let facets = try Self.report.get()[path: "environment.facets"]?.array ?? []
        #expect(facets.contains("numa"))
    }
}
