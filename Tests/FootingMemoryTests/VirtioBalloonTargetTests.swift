import FootingHost
import FootingSystem
import Testing

@testable import FootingMemory

/// A balloon's PCI function in memory: its window shows what its registers choose.
final class FakeFunction: PCIFunctionAccess {
    struct State: Sendable {
        var space: [UInt8]
        var pages: UInt32 = 256
        /// What `config` shows, and whether it may be written.
        var shownBytes = 256
        var writeError: Errno?
        var portError: Errno?
        /// Somebody else's choices, one before each of our reads of the registers.
        var intruders: [[UInt8]] = []
        /// What was written where, and what was read through the window.
        var written: [(offset: Int, count: Int)] = []
        var shown: [[UInt8]] = []
        var portReads: [Int] = []
    }

    static let registers = 0x54
    let state: Locked<State>

    init(device: UInt16 = 0x1045, _ change: (inout State) -> Void = { _ in }) {
        var space = [UInt8](repeating: 0, count: 256)
        space.replaceSubrange(0..<8, with: [0xf4, 0x1a, UInt8(device & 255), 0x10, 7, 0, 0x10, 0])
        if device == 0x1002 { space.replaceSubrange(0x10..<0x14, with: [1, 0xc0, 0, 0]) }
        space[0x34] = 0x40
        space.replaceSubrange(
            0x40..<0x50,
            with: [9, 0x50, 16, 4, 2, 0, 0, 0, 0, 8, 0, 0, 8, 0, 0, 0]
        )
        space.replaceSubrange(0x50..<0x54, with: [9, 0x70, 20, 5])
        space.replaceSubrange(0x70..<0x74, with: [0x11, 0, 0, 0x80])
        var state = State(space: space)
        change(&state)
        self.state = Locked(state)
    }

    func configuration(at offset: Int, count: Int) throws(Errno) -> [UInt8] {
        state.withLock { state in
            if offset == Self.registers, let choice = state.intruders.first {
                state.intruders.removeFirst()
                if !choice.isEmpty { state.choose(choice) }
            }
            let word = Self.registers + 12
            if (offset..<offset + count).overlaps(word..<word + 4) {
                let registers = Array(state.space[Self.registers..<Self.registers + 12])
                state.shown.append(registers)
                let isTarget = registers == [2, 0, 0, 0, 0, 8, 0, 0, 4, 0, 0, 0]
                let value = isTarget ? state.pages : 0xdead_beef
                for byte in 0..<4 {
                    state.space[word + byte] = UInt8(truncatingIfNeeded: value >> (byte * 8))
                }
            }
            let end = min(offset + count, state.shownBytes)
            return offset < end ? Array(state.space[offset..<end]) : []
        }
    }

    func setConfiguration(_ bytes: [UInt8], at offset: Int) throws(Errno) {
        try state.withLock { (state: inout State) throws(Errno) in
            if let error = state.writeError { throw error }
            state.written.append((offset, bytes.count))
            state.space.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        }
    }

    func port(at offset: Int) throws(Errno) -> UInt32 {
        try state.withLock { (state: inout State) throws(Errno) in
            if let error = state.portError { throw error }
            state.portReads.append(offset)
            let hasVectors = state.space[0x73] & 0x80 != 0
            return offset == (hasVectors ? 24 : 20) ? state.pages : 7
        }
    }
}

extension FakeFunction.State {
    mutating func choose(_ registers: [UInt8]) {
        space.replaceSubrange(FakeFunction.registers..<FakeFunction.registers + 12, with: registers)
    }
}

@Suite("What a virtio device is asked")
struct VirtioBalloonTargetTests {
    private static let isr: [UInt8] = [2, 0, 0, 0, 0, 4, 0, 0, 1, 0, 0, 0]

    @Test("modern: through the window, and nothing but its registers is written")
    func window() throws {
        // Reading what stands there before anything is written has an effect.
        let function = FakeFunction { $0.choose(Self.isr) }
        let target = try #require(VirtioBalloonTarget.find("0000:00:03.0", function).value)
        #expect(target.source == "the configuration window of 0000:00:03.0")
        #expect(target.read() == .known(1 << 20))
        function.state.withLock { $0.pages = 181_000 }
        #expect(target.read() == .known(181_000 * 4096))
        let state = function.state.withLock { $0 }
        // Once: they stay as they are.
        #expect(state.written.map(\.offset) == [0x54, 0x58, 0x5c])
        #expect(state.written.map(\.count) == [1, 4, 4])
        #expect(state.shown.allSatisfy { $0 == [2, 0, 0, 0, 0, 8, 0, 0, 4, 0, 0, 0] })
    }

    @Test("transitional: a port is read, and nothing is written")
    func ports() throws {
        let function = FakeFunction(device: 0x1002)
        let target = try #require(VirtioBalloonTarget.find("0000:00:03.0", function).value)
        #expect(target.source == "I/O port 24 of 0000:00:03.0")
        #expect(target.read() == .known(1 << 20))
        // Where the driver no longer uses vectors, something else stands there.
        function.state.withLock { $0.space[0x73] = 0 }
        #expect(target.read().absence?.contains("something else") == true)
        let state = function.state.withLock { $0 }
        #expect(state.written.isEmpty && state.portReads == [24, 24])
    }

    @Test("a port that may not be read leaves the window")
    func rungs() throws {
        let function = FakeFunction(device: 0x1002) { $0.portError = .permissionDenied }
        let target = try #require(VirtioBalloonTarget.find("0000:00:03.0", function).value)
        #expect(target.source.contains("window"))
        #expect(target.read() == .known(1 << 20))
    }

    @Test("who chooses something else meanwhile is noticed, and asked for nothing")
    func intruders() throws {
        let function = FakeFunction()
        let target = try #require(VirtioBalloonTarget.find("0000:00:03.0", function).value)
        // Before the word is read, and after it.
        for (pages, intruders) in [(300, [Self.isr]), (400, [[], Self.isr])] as [(UInt32, _)] {
            function.state.withLock { state in
                state.pages = pages
                state.intruders = intruders
            }
            #expect(target.read() == .known(UInt64(pages) * 4096))
            #expect(function.state.withLock { $0.intruders.isEmpty })
        }
        // Always, after it, while the target moves.
        function.state.withLock { state in
            state.pages = 500
            state.intruders = [[], Self.isr, [], Self.isr, [], Self.isr]
        }
        #expect(target.read().absence?.contains("something else") == true)
        // Reading what the other one chose could have had effects.
        #expect(function.state.withLock { $0.shown }.allSatisfy { $0 != Self.isr })
    }

    @Test("lockdown, a user without rights, and a device that has gone have a reason")
    func refusals() {
        let locked = FakeFunction { $0.writeError = .notPermitted }
        let reason = VirtioBalloonTarget.find("0000:00:03.0", locked).absence
        #expect(reason?.contains("lockdown") == true)
        let unprivileged = FakeFunction(device: 0x1002) { $0.shownBytes = 64 }
        let missing = VirtioBalloonTarget.find("0000:00:03.0", unprivileged).absence
        #expect(missing?.contains("CAP_SYS_ADMIN") == true)
        let gone = FakeFunction { $0.pages = .max }
        let silence = VirtioBalloonTarget.find("0000:00:03.0", gone).absence
        #expect(silence?.contains("does not answer") == true)
        #expect(gone.state.withLock { $0.written.count } == 3)
    }

    @Test("a recorded machine has nobody to ask, whatever its files hold")
    func recorded() throws {
        let device = "sys/bus/virtio/devices/virtio3"
        let machine = try FakeMachine([
            "\(device)/device": "0x0005\n", "\(device)/config": "anything",
            "proc/vmstat": "balloon_inflate 0\nballoon_deflate 0\n",
        ])
        let target = VirtioBalloonTarget.find(device, try machine.root())
        #expect(target.absence == "a recorded machine has no device to ask")
    }
}
