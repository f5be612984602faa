internal import FootingSystem
import Synchronization

/// The bytes a second that all connections of a server have together.
///
/// A connection asks before it reads from the disk, or takes a piece of a write's payload, which
/// must have arrived, from its socket. If it has to wait, it keeps the request's header and what
/// it has paid for, and its ``Turn`` is told when it may go on, by a thread that sleeps until
/// something is due.
final class BandwidthLimit: Sendable {
    /// One connection's place in the queue.
    final class Turn: Sendable {
        let identifier: UInt64
        private let wakeUp: @Sendable () -> Void
        private let isGranted = Atomic(false)

        /// - Parameter wakeUp: called from another thread once the request may be served.
        init(_ identifier: UInt64, wakeUp: @escaping @Sendable () -> Void) {
            self.identifier = identifier
            self.wakeUp = wakeUp
        }

        /// Whether the request that was asked for may be served; says so once.
        func take() -> Bool { isGranted.exchange(false, ordering: .acquiringAndReleasing) }

        fileprivate func grant() {
            isGranted.store(true, ordering: .releasing)
            wakeUp()
        }
    }

    private struct State {
        var queue: BandwidthQueue
        var turns: [UInt64: Turn] = [:]
        /// When those who wait began to.
        var since: [UInt64: UInt64] = [:]
        var waits: UInt64 = 0
        var waitedNanoseconds: UInt64 = 0
        var hasThread = false
        var isStopped = false
    }

    /// The rate.
    let bytesPerSecond: UInt64
    /// What is paid for all at once, and so served when it is.
    let pieceBytes: Int
    private let state: Locked<State>
    private let clock: any TimeSource

    /// - Parameter bytesPerSecond: 4 KiB to 4 TiB.
    init(bytesPerSecond: UInt64, clock: any TimeSource = SystemClock()) {
        self.bytesPerSecond = bytesPerSecond
        self.clock = clock
        let queue = BandwidthQueue(bytesPerSecond: bytesPerSecond)
        pieceBytes = Int(queue.pieceBytes)
        state = Locked(State(queue: queue))
    }

    /// Starts the thread, unless it runs.
    func start() throws(Errno) {
        let isFirst = state.withLock { state in
            defer { state.hasThread = true }
            return !state.hasThread && !state.isStopped
        }
        guard isFirst else { return }
        do throws(Errno) {
            try Thread(name: "nbd-bandwidth") { self.work() }.detach()
        } catch {
            state.withLock { $0.hasThread = false }
            throw error
        }
    }

    /// Asks for a request of a connection, or a piece of one; it has no other that waits.
    ///
    /// - Parameter counts: whether a wait is the request's first.
    /// - Returns: whether it may be served at once; otherwise its turn will be granted.
    func ask(_ turn: Turn, bytes: UInt64, counts: Bool = true) -> Bool {
        let isServed = state.withLock { state in
            let now = clock.nanoseconds
            if state.isStopped { return true }
            if state.queue.ask(turn.identifier, bytes: bytes, now: now) { return true }
            state.turns[turn.identifier] = turn
            state.since[turn.identifier] = now
            if counts { state.waits += 1 }
            return false
        }
        if !isServed { state.wakeAll() }
        return isServed
    }

    /// Forgets a connection.
    func remove(_ turn: Turn) {
        state.withLock { state in
            state.queue.remove(turn.identifier)
            state.turns[turn.identifier] = nil
            state.since[turn.identifier] = nil
        }
        state.wakeAll()
    }

    /// Ends the thread; who waits is granted its turn, and who asks later need not wait.
    func stop() {
        let turns = state.withLock { state in
            state.isStopped = true
            defer { state.turns = [:] }
            return Array(state.turns.values)
        }
        for turn in turns { turn.grant() }
        state.wakeAll()
    }

    /// How often a request had to wait, and how long all of them together.
    var waits: (count: UInt64, nanoseconds: UInt64) {
        state.withLock { ($0.waits, $0.waitedNanoseconds) }
    }

    private func work() {
        while let turns = waitForTurns() {
            for turn in turns { turn.grant() }
        }
    }

    /// Sleeps until something is due.
    ///
    /// - Returns: who may go on; nil once the limit is stopped.
    private func waitForTurns() -> [Turn]? {
        state.withLock { state in
            if state.isStopped { return nil }
            let now = clock.nanoseconds
            var granted: [Turn] = []
            for flow in state.queue.grant(now) {
                if let turn = state.turns.removeValue(forKey: flow) { granted.append(turn) }
                if let since = state.since.removeValue(forKey: flow) {
                    state.waitedNanoseconds &+= now &- since
                }
            }
            guard granted.isEmpty else { return granted }
            let next = state.queue.nextGrantNanoseconds
            self.state.wait(&state, nanoseconds: next.map { $0 > now ? $0 - now : 0 })
            return []
        }
    }
}
