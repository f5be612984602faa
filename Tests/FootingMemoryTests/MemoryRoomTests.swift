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

    @Test("of the machine, or of the group that has less left")
    func smaller() throws {
        let machine = try FakeMachine(["proc/meminfo": text(available: 1 << 20)])
        let root = try machine.root()
        let swapBytes: UInt64 = 2 << 20
        #expect(
            MemoryRoom.look(root) == MemoryRoom(availableBytes: 1 << 30, swapBytes: swapBytes)
        )
        try machine.write("proc/self/cgroup", "0::/disk.service\n")
        try machine.write("sys/fs/cgroup/cgroup.controllers", "memory\n")
        try machine.write("\(group)/memory.max", "\(256 << 20)\n")
        try machine.write("\(group)/memory.current", "\(56 << 20)\n")
        #expect(
            MemoryRoom.look(root) == MemoryRoom(availableBytes: 200 << 20, swapBytes: swapBytes)
        )
        try machine.write("proc/meminfo", text(available: 1 << 10))
        #expect(MemoryRoom.look(root)?.availableBytes == 1 << 20)
    }

    @Test("is not known where nothing tells")
    func unknown() throws {
        #expect(MemoryRoom.look(try FakeMachine().root()) == nil)
        #expect(MemoryRoom.look(try FakeMachine(["proc/meminfo": "x"]).root()) == nil)
    }
}
