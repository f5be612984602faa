public import FootingSystem
import Synchronization

/// A thread that tells whether this machine gave its threads a processor when they wanted one.
///
/// It sleeps for a short time again and again, and adds up by how much it woke too late. What must
/// happen within a time can be judged where that was little; elsewhere the machine is what is seen.
public final class ProcessorWitness: Sendable {
    /// How long it sleeps at a time.
    private static let stepNanoseconds: UInt64 = 2_000_000

    private let isDone = Atomic(false)
    private let late = Atomic<UInt64>(0)
    private let thread = Locked<ThreadBox?>(nil)
    private let start = SystemClock().nanoseconds

    /// Begins to look on.
    ///
    /// - Throws: what `Thread` does.
    public init() throws(Errno) {
        let pause = try Event()
        let thread = try ThreadBox { [self] in watch(pause) }
        self.thread.withLock { $0 = thread }
    }

    /// Ends it.
    ///
    /// - Returns: by how much it woke too late, as a share of the time it looked on.
    public func end() -> Double {
        isDone.store(true, ordering: .relaxed)
        thread.withLock { $0?.join() }
        let seen = SystemClock().nanoseconds - start
        return Double(late.load(ordering: .relaxed)) / Double(seen)
    }

    private func watch(_ pause: borrowing Event) {
        let clock = SystemClock()
        while !isDone.load(ordering: .relaxed) {
            let before = clock.nanoseconds
            _ = try? pause.wait(for: .nothing, descriptor: -1, timeoutMilliseconds: 2)
            let slept = clock.nanoseconds - before
            // A timer's own delay is not a processor's.
            let spared = Self.stepNanoseconds + 500_000
            if slept > spared { late.add(slept - spared, ordering: .relaxed) }
        }
    }
}
