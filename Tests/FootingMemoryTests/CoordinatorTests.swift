import FootingHost
import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingMemory

private let mebibyte: UInt64 = 1 << 20

/// A holder that uses all it may.
private final class FakeHolder: MemoryHolder {
    let budgets = Locked<[UInt64]>([])
    private let budget: Locked<UInt64>

    init(budgetBytes: UInt64) { budget = Locked(budgetBytes) }

    var memoryUse: MemoryUse {
        let bytes = budget.withLock { $0 }
        return MemoryUse(budgetBytes: bytes, usedBytes: bytes, floorBytes: 10 * mebibyte)
    }

    func setMemoryBudget(_ bytes: UInt64) {
        budget.withLock { $0 = bytes }
        budgets.withLock { $0.append(bytes) }
    }
}

@Suite("The coordinator")
struct CoordinatorTests {
    private let machine: FakeMachine
    private let holder = FakeHolder(budgetBytes: 400 * mebibyte)
    private let coordinator: BalloonCoordinator

    init() throws {
        machine = try FakeMachine()
        try machine.writeMemory(total: 1_024_000, available: 614_400)
        let monitor = try PressureMonitor(root: try machine.root())
        coordinator = BalloonCoordinator(holder: holder, monitor: monitor)
    }

    @Test("releases what is missing, tells why, and gives the default back when it stops")
    func release() throws {
        try coordinator.start()
        #expect(awaits { coordinator.status.reading.machine != nil })
        #expect(coordinator.status.isRunning)
        #expect(coordinator.status.decisions.isEmpty)
        try machine.writeMemory(total: 1_024_000, available: 51_200)
        #expect(awaits { !coordinator.status.decisions.isEmpty })
        try machine.writeMemory(total: 1_024_000, available: 409_600)
        let status = coordinator.status
        let entry = try #require(status.decisions.first)
        #expect(entry.decision.cause == .machineShort)
        #expect(entry.decision.previousBudgetBytes == 400 * mebibyte)
        #expect(entry.usedBytesBefore == 400 * mebibyte)
        #expect(entry.usedBytesAfter == entry.decision.budgetBytes)
        // 180 MiB are to be available, 50 were, and 100 more are foreseen to go.
        #expect(entry.decision.budgetBytes == 170 * mebibyte)
        #expect(entry.unixSeconds > 1_600_000_000)
        #expect(status.maximumBudgetBytes == 400 * mebibyte)
        coordinator.stop()
        #expect(holder.budgets.withLock { $0.last } == 400 * mebibyte)
        #expect(!coordinator.status.isRunning)
        #expect(coordinator.status.use.budgetBytes == 400 * mebibyte)
    }

    @Test("start and stop may be called at any time, and again")
    func idempotent() throws {
        coordinator.stop()
        #expect(holder.budgets.withLock { $0.isEmpty })
        for _ in 0..<3 {
            try coordinator.start()
            try coordinator.start()
            #expect(awaits { coordinator.status.reading.machine != nil })
            coordinator.stop()
            coordinator.stop()
        }
        #expect(holder.budgets.withLock { $0 } == [400, 400, 400].map { $0 * mebibyte })
        let threads = try (0..<4).map { number in
            let coordinator = coordinator
            return try ThreadBox {
                number % 2 == 0 ? try? coordinator.start() : coordinator.stop()
            }
        }
        for thread in threads { thread.join() }
        coordinator.stop()
        #expect(!coordinator.status.isRunning)
    }

    @Test("one that goes away stops")
    func goesAway() throws {
        let holder = FakeHolder(budgetBytes: 5 * mebibyte)
        var other: BalloonCoordinator? = BalloonCoordinator(
            holder: holder,
            monitor: try PressureMonitor(root: try machine.root())
        )
        try other?.start()
        other = nil
        #expect(holder.budgets.withLock { $0 } == [5 * mebibyte])
    }

    @Test(
        "what the holder frees in small pieces goes back to the kernel",
        .disabled(if: Environment.value("FOOTING_SANITIZED") != nil, "a sanitizer keeps the heap")
    )
    func trimmed() async {
        // Alone in a process: what other tests take and free meanwhile would count, too.
        await #expect(processExitsWith: .success) {
            let machine = try FakeMachine()
            try machine.writeMemory(total: 1_024_000, available: 614_400)
            let heap = HeapHolder()
            let monitor = try PressureMonitor(root: try machine.root())
            let other = BalloonCoordinator(holder: heap, monitor: monitor)
            let full = try residentBytes()
            heap.setMemoryBudget(0)
            // Freed, and kept between the pieces that are still in use.
            #expect(try residentBytes() + 16 * mebibyte > full)
            heap.refill()
            try other.start()
            try machine.writeMemory(total: 1_024_000, available: 10_240)
            #expect(awaits { !other.status.decisions.isEmpty })
            #expect(try residentBytes() + 64 * mebibyte < full)
            other.stop()
        }
    }

    @Test("a machine that is written anew is never without memory in between")
    func writtenAnew() throws {
        var buffer: [UInt8] = []
        let file = try MemoryInfoFile(try machine.root())
        let isDone = Locked(false)
        let machine = machine
        let writer = try ThreadBox {
            for number in 0..<200 {
                try? machine.writeMemory(total: 1_024_000, available: number * 5000)
            }
            isDone.withLock { $0 = true }
        }
        var missing = 0
        while !isDone.withLock({ $0 }) {
            if file.read(into: &buffer)?.totalBytes != 1000 * mebibyte { missing += 1 }
        }
        writer.join()
        #expect(missing == 0)
    }

    @Test("keeps the last decisions only")
    func ring() throws {
        let monitor = try PressureMonitor(root: try machine.root())
        let other = BalloonCoordinator(holder: holder, monitor: monitor)
        for number in UInt64(0)..<100 {
            other.note(
                CoordinatorLoop.Turn(
                    reading: MemoryReading(),
                    use: holder.memoryUse,
                    entry: entry(number)
                )
            )
        }
        let status = other.status
        #expect(status.decisions.map(\.unixSeconds) == Array(36..<100))
        #expect(status.decisionCount == 100)
    }

    private func entry(_ seconds: UInt64) -> CoordinatorStatus.Entry {
        CoordinatorStatus.Entry(
            decision: Decision(
                budgetBytes: 1,
                previousBudgetBytes: 2,
                cause: .balloon,
                reason: "a test"
            ),
            unixSeconds: seconds,
            durationNanoseconds: 3,
            usedBytesBefore: 4,
            usedBytesAfter: 5
        )
    }

    @Test("the document for programs")
    func document() throws {
        let status = CoordinatorStatus(
            isRunning: true,
            use: MemoryUse(budgetBytes: 1, usedBytes: 2, floorBytes: 3),
            maximumBudgetBytes: 4,
            reading: MemoryReading(
                machine: Headroom(sizeBytes: 5, availableBytes: 6),
                machineStallPercent: 0.5
            ),
            balloon: .known(
                BalloonStatus(
                    currentBalloonBytes: 7,
                    targetBalloonBytes: .absent("not shown"),
                    guestMemoryBytes: 8,
                    isActive: true
                )
            ),
            sources: [PressureSource("proc/meminfo", .sampled, "why")],
            decisions: [entry(9)],
            decisionCount: 10
        )
        let expected: JSONValue = [
            "running": true,
            "budget": ["bytes": 1, "usedBytes": 2, "floorBytes": 3, "maximumBytes": 4],
            "memory": ["sizeBytes": 5, "availableBytes": 6, "stallPercent": .number(0.5)],
            "controlGroup": .null,
            "balloon": [
                "currentBalloonBytes": 7, "targetBalloonBytes": .null, "targetSource": .null,
                "targetAbsent": "not shown", "guestMemoryBytes": 8, "isActive": true,
            ],
            "sources": [
                ["name": "proc/meminfo", "state": "sampled", "note": "why", "eventCount": 0]
            ],
            "decisions": [
                [
                    "unixSeconds": 9, "budgetBytes": 1, "previousBudgetBytes": 2,
                    "cause": "balloon", "reason": "a test", "durationNanoseconds": 3,
                    "usedBytesBefore": 4, "usedBytesAfter": 5,
                ]
            ],
            "decisionCount": 10,
        ]
        #expect(status.json == expected)
        var absent = status
        absent.balloon = .absent("none here")
        guard case .object(let members) = absent.json else { return }
        #expect(members["balloon"] == ["absent": "none here"])
    }
}

/// Waits until something holds, at most for five seconds.
private func awaits(_ condition: () -> Bool) -> Bool {
    let deadline = SystemClock().nanoseconds + 5_000_000_000
    let pause = Locked(0)
    while !condition() {
        if SystemClock().nanoseconds > deadline { return false }
        pause.withLock { _ = pause.wait(&$0, nanoseconds: 5_000_000) }
    }
    return true
}

/// What of this process is in memory.
private func residentBytes() throws -> UInt64 {
    let words = try HostRoot().text("proc/self/statm").split(separator: " ")
    return (UInt64(words[1]) ?? 0) * 4096
}

/// A holder whose memory is pieces of the heap, some of which it can never do without.
private final class HeapHolder: MemoryHolder {
    private static let pieceCount = 8192
    private static let pieceBytes = 16000

    private let pieces = Locked<[[UInt8]]>([])
    private let budget = Locked(200 * mebibyte)

    init() { refill() }

    func refill() {
        budget.withLock { $0 = 200 * mebibyte }
        pieces.withLock { pieces in
            pieces = []
            for _ in 0..<Self.pieceCount {
                pieces.append([UInt8](repeating: 1, count: Self.pieceBytes))
            }
        }
    }

    var memoryUse: MemoryUse {
        let used = pieces.withLock { $0.count } * Self.pieceBytes
        let budget = budget.withLock { $0 }
        return MemoryUse(budgetBytes: budget, usedBytes: UInt64(used), floorBytes: 0)
    }

    func setMemoryBudget(_ bytes: UInt64) {
        budget.withLock { $0 = bytes }
        pieces.withLock { pieces in
            for at in pieces.indices where !at.isMultiple(of: 32) { pieces[at] = [] }
            pieces.removeAll { $0.isEmpty }
        }
    }
}
