import FootingHost
import FootingSystem
import Testing

@testable import FootingMemory

@Suite("What can be had of memory")
struct MemoryRoomTests {
    private let group = "sys/fs/cgroup/disk.service"

    private func text(available: Int) -> String {
        "MemTotal:  4194304 kB\nMemAvailable:  \(available) kB\nSwapFree:  2048 kB\n"
    }

    /// A machine with a group, of 1 GiB and 2 MiB of swap.
    private func grouped(
        _ limits: [String: UInt64],
        in group: String = "sys/fs/cgroup/disk.service"
    ) throws -> FakeMachine {
        let isOld = limits.keys.contains("memory.limit_in_bytes")
        let machine = try FakeMachine([
            "proc/meminfo": text(available: 1 << 20),
            "proc/self/cgroup": isOld ? "4:memory:/disk\n" : "0::/disk.service\n",
        ])
        if !isOld { try machine.write("sys/fs/cgroup/cgroup.controllers", "memory\n") }
        for (name, mebibytes) in limits {
            try machine.write("\(group)/\(name)", "\(mebibytes << 20)\n")
        }
        return machine
    }

    @Test("of the machine, or of the group that has less left")
    func smaller() throws {
        let whole = try FakeMachine(["proc/meminfo": text(available: 1 << 20)])
        #expect(
            MemoryRoom.look(try whole.root())
                == MemoryRoom(availableBytes: 1 << 30, swapBytes: 2 << 20)
        )
        let machine = try grouped([
            "memory.max": 256, "memory.current": 56, "memory.swap.max": 0, "memory.swap.current": 0,
        ])
        let root = try machine.root()
        #expect(MemoryRoom.look(root) == MemoryRoom(availableBytes: 200 << 20, swapBytes: 0))
        try machine.write("proc/meminfo", text(available: 1 << 10))
        #expect(MemoryRoom.look(root)?.availableBytes == 1 << 20)
    }

    @Test("what is cached of a group's files counts, however far the limit is")
    func cached() throws {
        let machine = try grouped(["memory.max": 256, "memory.current": 180])
        try machine.write("\(group)/memory.stat", "inactive_file \(150 << 20)\nunevictable 0\n")
        #expect(MemoryRoom.look(try machine.root())?.availableBytes == 226 << 20)
    }

    @Test("a group has as much of the machine's swap as it and those above it allow")
    func swap() throws {
        let machine = try grouped([
            "memory.max": 256, "memory.current": 56, "memory.swap.max": 5, "memory.swap.current": 4,
        ])
        let root = try machine.root()
        func swapBytes() -> UInt64? { MemoryRoom.look(root)?.swapBytes }
        #expect(swapBytes() == 1 << 20)
        try machine.write("\(group)/memory.swap.current", "\(6 << 20)\n")
        #expect(swapBytes() == 0)
        try machine.write("\(group)/memory.swap.current", "0\n")
        #expect(swapBytes() == 2 << 20)
        try machine.write("\(group)/memory.swap.max", "max\n")
        #expect(swapBytes() == 2 << 20)
        // Who limits memory and tells nothing of swap may have none.
        try machine.write("\(group)/memory.swap.max", "nonsense\n")
        #expect(swapBytes() == 0)
        try machine.write("\(group)/memory.max", "max\n")
        #expect(swapBytes() == 2 << 20)
        // Swap can be limited where memory is not.
        try machine.write("\(group)/memory.swap.max", "\(1 << 20)\n")
        #expect(swapBytes() == 1 << 20)
        // The group above.
        try machine.write("proc/self/cgroup", "0::/disk.service/part\n")
        for (name, text) in ["max": "max", "current": "0", "swap.max": "max", "swap.current": "0"] {
            try machine.write("\(group)/part/memory.\(name)", "\(text)\n")
        }
        #expect(swapBytes() == 1 << 20)
    }

    @Test("version 1 limits the sum of memory and swap")
    func version1() throws {
        let machine = try grouped(
            [
                "memory.limit_in_bytes": 100, "memory.usage_in_bytes": 90,
                "memory.memsw.limit_in_bytes": 101, "memory.memsw.usage_in_bytes": 90,
            ],
            in: "sys/fs/cgroup/memory/disk"
        )
        let root = try machine.root()
        #expect(MemoryRoom.look(root) == MemoryRoom(availableBytes: 10 << 20, swapBytes: 1 << 20))
        let group = "sys/fs/cgroup/memory/disk"
        try machine.write("\(group)/memory.stat", "total_inactive_file \(20 << 20)\n")
        #expect(MemoryRoom.look(root) == MemoryRoom(availableBytes: 30 << 20, swapBytes: 1 << 20))
        try machine.write("\(group)/memory.memsw.limit_in_bytes", "9223372036854771712\n")
        #expect(MemoryRoom.look(root)?.swapBytes == 2 << 20)
    }

    @Test("is not known where nothing tells")
    func unknown() throws {
        #expect(MemoryRoom.look(try FakeMachine().root()) == nil)
        #expect(MemoryRoom.look(try FakeMachine(["proc/meminfo": "x"]).root()) == nil)
    }
}
