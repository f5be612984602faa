import FootingSystem
import Testing

/// Memory and threads at the node of an NVMe controller behind a bridge of its own.
@Suite(.needsMemoryTools, .serialized)
struct NUMAGuestTests {
    /// Node 1 is near node 2, which has no processors, and far from node 0.
    static let machine = Machine(
        memoryMebibytes: 480,
        processors: "3,sockets=3",
        options: [
            "-object memory-backend-ram,id=m0,size=224M",
            "-object memory-backend-ram,id=m1,size=160M",
            "-object memory-backend-ram,id=m2,size=96M",
            "-numa node,nodeid=0,cpus=0-1,memdev=m0", "-numa node,nodeid=1,cpus=2,memdev=m1",
            "-numa node,nodeid=2,memdev=m2",
            "-numa dist,src=0,dst=1,val=31", "-numa dist,src=0,dst=2,val=41",
            "-numa dist,src=1,dst=2,val=17",
            "-device pxb-pcie,id=px,bus_nr=64,bus=pcie.0,numa_node=1",
            "-device pcie-root-port,id=rp,bus=px,chassis=1,slot=1",
            "-device nvme,id=far,serial=far,bus=rp,drive=far",
            "-device virtio-blk-pci,bus=pcie.0,drive=near",
        ].flatMap { $0.split(separator: " ").map { String($0) } },
        disks: [.init(name: "far", sizeMebibytes: 256), .init(name: "near", sizeMebibytes: 64)],
        modules: ["virtio_pci", "virtio_blk"],
        programs: [.memory, .load]
    )

    private static let disk = "/dev/nvme0n1"
    private static let mebibyte = 1 << 20

    private static func placement(
        _ guest: Guest,
        _ words: String = "",
        of path: String = disk
    ) throws -> JSONValue {
        try JSONValue(
            guest.shell("footing placement \(path) --size 16M --json \(words)", limitSeconds: 60)
        )
    }

    /// How much of what was taken lies on a node, in MiB.
    private static func taken(_ document: JSONValue, node: Int) -> Int {
        takenBytes(document, nodes: [node]) / mebibyte
    }

    /// The same of some nodes together, in bytes.
    private static func takenBytes(_ document: JSONValue, nodes: [Int]) -> Int {
        let found = document["memory"]?["nodes"]
        return nodes.reduce(0) { $0 + (found?["\($1)"]?.integer ?? 0) }
    }

    /// Leaves a node as little memory as a kernel gives out.
    private static func fill(_ guest: Guest, node: Int) throws {
        try guest.shell(
            """
            memory fill \(node) 4 >/tmp/fill\(node) & \
            until busybox grep -q filled /tmp/fill\(node); do busybox usleep 20000; done
            """,
            limitSeconds: 60
        )
    }

    @Test func `slabs lie on the controller's node, then on others by distance`() throws {
        let guest = try Guest(Self.machine)
        try guest.awaitPaths(Self.disk, count: 1)
        let near = try Self.placement(guest)
        #expect(near["placement"]?["nodes"] == [1])
        #expect(near["placement"]?["cpus"] == [2])
        let steps = near["placement"]?["steps"]?.array ?? []
        #expect(steps.map { $0["nodes"] } == [[1], [2], [0]])
        #expect(steps.map { $0["distance"]?.integer } == [10, 17, 31])
        #expect(Self.taken(near, node: 1) == 16, "\(near.text())")

        let pool = "/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages"
        try guest.shell("echo 4 >\(pool)")
        let reserved = try Self.placement(guest, "--huge-pages reserved")
        #expect(reserved["memory"]?["reservedBytes"]?.integer == 8 * Self.mebibyte)
        #expect(Self.taken(reserved, node: 1) == 16, "\(reserved.text())")
        try guest.shell("echo 0 >\(pool)")

        try Self.fill(guest, node: 1)
        let next = try Self.placement(guest)
        // A full node still has some MiB; all that it cannot give, which is most, is on the next.
        #expect(Self.taken(next, node: 2) >= 8, "\(next.text())")
        #expect(Self.takenBytes(next, nodes: [1, 2]) == 16 * Self.mebibyte, "\(next.text())")
        #expect(Self.takenBytes(next, nodes: [0]) == 0, "\(next.text())")
        #expect(next["memory"]?["fallbacks"]?["node 1 is full"] != nil, "\(next.text())")

        try Self.fill(guest, node: 2)
        let last = try Self.placement(guest)
        // What is left of two full nodes is taken first, and may be half of it.
        #expect(Self.taken(last, node: 0) >= 4, "\(last.text())")
        #expect(Self.takenBytes(last, nodes: [0, 1, 2]) == 16 * Self.mebibyte, "\(last.text())")
        #expect(last["memory"]?["unverifiedBytes"] == 0, "\(last.text())")
    }

    @Test func `a cpuset's nodes are all there are`() throws {
        let guest = try Guest(Self.machine)
        try guest.awaitPaths(Self.disk, count: 1)
        let limited = try JSONValue(
            guest.shell(
                """
                cd /sys/fs/cgroup; echo +cpuset >cgroup.subtree_control; mkdir a; \
                echo 0,2 >a/cpuset.mems; echo 0 >a/cpuset.cpus; echo $$ >a/cgroup.procs; \
                exec /bin/footing placement \(Self.disk) --size 16M --json
                """
            )
        )
        let steps = limited["placement"]?["steps"]?.array ?? []
        #expect(steps.map { $0["nodes"] } == [[2], [0]])
        #expect(limited["placement"]?["cpus"] == .null)
        #expect(Self.taken(limited, node: 2) == 16, "\(limited.text())")

        let nowhere = try Self.placement(guest, of: "/dev/vda")
        #expect(nowhere["placement"]?["nodes"] == .null)
        #expect(nowhere["placement"]?["reason"] == "nothing tells the node of vda")
        #expect(nowhere["placement"]?["steps"] == [])
    }

    @Test func `serve has its memory and its threads at the controller's node`() throws {
        let guest = try Guest(Self.machine)
        try guest.awaitPaths(Self.disk, count: 1)
        let report = try guest.shell(
            """
            footing disk create --device \(Self.disk) --size 64M >/dev/null; \
            footing serve \(Self.disk) --socket=/tmp/s --memory 64M >/tmp/log 2>&1 & server=$!; \
            until busybox grep -q ^ready /tmp/log; do kill -0 $server; busybox usleep 20000; done; \
            load /tmp/s write 24 >/dev/null; load /tmp/s scan 24 >/dev/null; \
            load /tmp/s mix 24 1 >/tmp/load; memory nodes $server; \
            busybox cat /proc/$server/task/*/status | busybox grep Cpus_allowed_list; \
            busybox grep ^node /tmp/log; busybox tail -n 1 /tmp/load; \
            kill -TERM $server; wait $server
            """,
            limitSeconds: 60
        )
        let lines = report.split(separator: "\n")
        // By the word of the kernel to another process: every huge page's worth, cache and commits.
        let nodes = lines.prefix { $0.first?.isNumber == true }.map { $0.split(separator: " ") }
        #expect(nodes.map(\.first) == ["1"], "\(report)")
        #expect(try #require(Int(nodes.first?.last ?? "")) > 16 * Self.mebibyte, "\(report)")
        let threads = lines.filter { $0.hasPrefix("Cpus_allowed_list") }
        #expect(threads.count >= 4 && threads.allSatisfy { $0.hasSuffix("\t2") }, "\(report)")
        #expect(report.contains("node      node 1 (the controller of nvme0n1 is on node 1)"))
        #expect(report.contains("errors 0 longest"), "\(report)")
    }
}
