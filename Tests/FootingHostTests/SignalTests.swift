import FootingSystem
import Testing

@testable import FootingHost

/// What is told of changes, and what it means.
@Suite struct SignalTests {
    private func event(_ words: String...) -> KernelEvent? {
        KernelEvent(Array(words.joined(separator: "\0").utf8) + [0])
    }

    @Test func `a message on a device of the report is a signal`() {
        let disk = event(
            "add@/devices/virtual/block/loop3",
            "ACTION=add",
            "DEVPATH=/devices/virtual/block/loop3",
            "SUBSYSTEM=block"
        )
        #expect(disk?.signal == HostSignal(.device, "add block loop3"))
        let processor = event("offline@/devices/system/cpu/cpu3", "SUBSYSTEM=cpu")
        #expect(processor?.signal == HostSignal(.device, "offline cpu cpu3"))
        let memory = event("online@/devices/system/memory/memory40", "SUBSYSTEM=memory")
        #expect(memory?.signal == HostSignal(.device, "online memory memory40"))
        #expect(event("add@/devices/virtual/net/veth0", "SUBSYSTEM=net")?.signal == nil)
        #expect(event("libudev", "SUBSYSTEM=block") == nil)
        #expect(KernelEvent([]) == nil)
        #expect(KernelEvent([0, 0, 0xff]) == nil)
    }

    private static let identifier = "sys/firmware/qemu_fw_cfg/by_name/etc/vmgenid_guid/raw"

    private func marks(_ lines: [String]) throws -> GenerationMarks {
        try MachineFixture("marks", lines).withRoot { GenerationMarks($0) }
    }

    private func hex(_ count: Int, _ changes: [Int: UInt8] = [:]) -> String {
        (0..<count).map { String(changes[$0] ?? 0, radix: 16) }.joined(separator: " ")
    }

    @Test func `QEMU's identifier tells of a copy`() throws {
        let before = try marks(["hex \(Self.identifier) \(hex(56, [40: 1]))"])
        #expect(before.signals(since: before).isEmpty)
        let after = try marks(["hex \(Self.identifier) \(hex(56, [40: 2]))"])
        #expect(after.signals(since: before).map(\.source) == [.generation])
        // The firmware's table around it may move.
        let moved = try marks(["hex \(Self.identifier) \(hex(56, [3: 9, 40: 1]))"])
        #expect(moved.signals(since: before).isEmpty)
        #expect(try marks(["hex \(Self.identifier) \(hex(20))"]).marks.isEmpty)
    }

    @Test func `QEMU's interrupt tells of a restore, only where its device is`() throws {
        let count = "file sys/firmware/acpi/interrupts/gpe05"
        let device = "folder sys/bus/acpi/devices/QEMUVGID:00"
        let before = try marks([device, "\(count)        3  EN     enabled"])
        let after = try marks([device, "\(count)        4  EN     enabled"])
        #expect(after.signals(since: before).map(\.source) == [.generation])
        #expect(try marks(["\(count) 3  EN"]).marks.isEmpty)
    }

    @Test func `a virtual clock tells of a move and of a restore`() throws {
        let magic: [Int: UInt8] = [0: 0x56, 1: 0x43, 2: 0x4c, 3: 0x4b]
        func clock(_ changes: [Int: UInt8]) throws -> GenerationMarks {
            try marks(["hex dev/vmclock0 \(hex(112, magic.merging(changes) { $1 }))"])
        }
        let before = try clock([25: 1])
        #expect(try clock([25: 1, 16: 1]).signals(since: before).count == 1)
        #expect(try clock([25: 1, 104: 1]).signals(since: before).count == 1)
        // Time goes on without either.
        #expect(try clock([25: 1, 72: 1]).signals(since: before).isEmpty)
        // Without its flag, the counter is not one.
        #expect(try clock([104: 1]).signals(since: try clock([:])).isEmpty)
        #expect(try marks(["hex dev/vmclock0 \(hex(112))"]).marks.isEmpty)
    }

    @Test func `what is missing is named`() throws {
        let none = try marks([])
        #expect(none.marks.isEmpty)
        #expect(none.absences["dev/vmclock0"] == "dev/vmclock0 is not there")
        #expect(none.absences[Self.identifier] == "\(Self.identifier) is not there")
    }

    @Test func `the kernel's log tells of a fork`() {
        let line = "5,812,91234567,-;random: crng reseeded due to virtual machine fork\n"
        #expect(GenerationMarks.isReseeding(Array(line.utf8)))
        #expect(!GenerationMarks.isReseeding(Array("6,1,2,-;random: crng init done\n".utf8)))
    }

    private func reading(_ monotonic: Int64, _ boot: Int64, _ real: Int64) -> ClockReading {
        ClockReading(
            monotonicNanoseconds: monotonic * 1_000_000,
            bootNanoseconds: boot * 1_000_000,
            realNanoseconds: real * 1_000_000
        )
    }

    @Test func `clocks tell of sleep and of steps, not of drift`() {
        let start = reading(1000, 1000, 50_000)
        #expect(ClockJump.signals(start, reading(2000, 2000, 51_000)).isEmpty)
        #expect(ClockJump.signals(start, reading(2000, 2000, 52_900)).isEmpty)
        #expect(
            ClockJump.signals(start, reading(2000, 2000, 61_000)).map(\.what)
                == ["the time of day jumped by 10 s: restored, or set"]
        )
        #expect(
            ClockJump.signals(start, reading(2000, 2000, 41_000)).map(\.what)
                == ["the time of day jumped by -10 s: restored, or set"]
        )
        #expect(
            ClockJump.signals(start, reading(2000, 7000, 56_000)).map(\.what)
                == ["the machine slept for 5 s"]
        )
    }

    @Test func `the live machine's signals end when asked`() throws {
        let signals = try LiveSignals(root: try HostRoot())
        #expect(try signals.wait(milliseconds: 0) != nil)
        signals.end()
        #expect(try signals.wait(milliseconds: 1000) == nil)
        #expect(signals.absences.allSatisfy { !$0.reason.isEmpty })
    }
}
