import FootingSystem

/// The threads that run an engine's steps: one commits, one maintains, one reads
/// ahead, and of an encrypted disk one encrypts.
struct DiskThreads: ~Copyable {
    private let engine: Engine
    private var committer: Thread?
    private var maintainer: Thread?
    private var reader: Thread?
    private var sealer: Thread?
    private let isStopping = Locked((maintenance: false, commits: false))

    /// Whether they have been started; they may have been stopped since.
    private(set) var isStarted = false

    init(_ engine: Engine, starts: Bool = true) throws(DiskError) {
        self.engine = engine
        if starts { try start() }
    }

    /// Starts all of them, or none.
    mutating func start() throws(DiskError) {
        precondition(!isStarted, "the threads are started once")
        isStarted = true
        let engine = engine
        let isStopping = isStopping
        do throws(Errno) {
            committer = try Thread(name: "footing-commit") {
                Self.commit(engine, isStopping)
            }
            maintainer = try Thread(name: "footing-maintain") {
                Self.maintain(engine, isStopping)
            }
            reader = try Thread(name: "footing-ahead") { Self.readAhead(engine) }
            if engine.cipher != nil, engine.options.encryptsBeside ?? Self.hasManyProcessors() {
                sealer = try Thread(name: "footing-seal") { Self.seal(engine, isStopping) }
                engine.state.withLock { $0.hasSealer = true }
            }
        } catch {
            _ = stopMaintenance()
            stopCommitter()
            throw DiskError(.failed, "start threads", "", cause: error)
        }
    }

    /// Whether it pays to encrypt in a thread of its own: with two processors, one of them a
    /// client's, waking it and fetching the bytes from another's cache costs more than it gains.
    private static func hasManyProcessors() -> Bool {
        ((try? ProcessorAffinity.current().count) ?? 1) > 2
    }

    /// Ends the maintenance thread; false if that was done before.
    mutating func stopMaintenance() -> Bool {
        guard let thread = maintainer.take() else { return false }
        engine.ahead.withLock { $0.isEnded = true }
        engine.ahead.wakeAll()
        reader.take()?.join()
        engine.state.withLock { _ in isStopping.withLock { $0.maintenance = true } }
        engine.state.wakeAll(on: Engine.Condition.maintenance)
        thread.join()
        return true
    }

    mutating func stopCommitter() {
        guard let thread = committer.take() else { return }
        engine.state.withLock { state in
            state.hasSealer = false
            isStopping.withLock { $0.commits = true }
        }
        engine.state.wakeAll(on: Engine.Condition.sealer)
        // What it leaves is encrypted by whoever writes it.
        sealer.take()?.join()
        engine.state.wakeAll(on: Engine.Condition.committer)
        thread.join()
        // Whoever flushed may be at it in its own thread.
        engine.state.withLock { state in
            while state.isCommitting {
                engine.state.wait(
                    &state,
                    on: Engine.Condition.committer,
                    nanoseconds: 1_000_000
                )
            }
        }
    }

    private typealias Stop = Locked<(maintenance: Bool, commits: Bool)>

    /// How long a thread without work sleeps before it looks at the time again.
    private static let idleNanoseconds: UInt64 = 500_000_000

    private static func commit(_ engine: Engine, _ isStopping: Stop) {
        // Nobody else would answer those that came too late.
        defer { engine.endFlushes(DiskError(.closed, "flush", "the disk was closed")) }
        // After work more is likely. Who begins a commit then need not wake this thread: that costs
        // a lone writer as much as its write. It looks by itself after a while.
        var hasRested = false
        while !isStopping.withLock({ $0.commits }) {
            engine.gather()
            var didWork = false
            do throws(DiskError) {
                didWork = try engine.commitStep()
            } catch {
                // The engine has told whoever waited; without space it is tried again below.
            }
            if didWork {
                hasRested = false
                continue
            }
            engine.state.withLock { state in
                if engine.hasCommitWork(state) || isStopping.withLock({ $0.commits }) { return }
                let isVolatile = state.unsyncedBytes > 0 || !(state.user.open?.isEmpty ?? true)
                let isBlocked = !state.sealed.isEmpty && state.isCommitBlocked
                let isWatching = isVolatile || isBlocked
                let sleeps = !isWatching && hasRested
                state.isCommitterAsleep = sleeps
                engine.state.wait(
                    &state,
                    on: Engine.Condition.committer,
                    nanoseconds: sleeps ? nil : engine.rest(state, atMost: idleNanoseconds)
                )
                state.isCommitterAsleep = false
                hasRested = !isWatching && !sleeps
            }
        }
    }

    private static func seal(_ engine: Engine, _ isStopping: Stop) {
        while !isStopping.withLock({ $0.commits }) {
            if engine.sealerStep() { continue }
            engine.state.withLock { state in
                if state.isSealerWanted || isStopping.withLock({ $0.commits }) { return }
                engine.state.wait(&state, on: Engine.Condition.sealer)
            }
        }
    }

    private static func readAhead(_ engine: Engine) {
        while !engine.ahead.withLock({ $0.isEnded }) {
            if engine.readAheadStep() { continue }
            engine.ahead.withLock { ahead in
                if !ahead.isEnded, ahead.isIdle { engine.ahead.wait(&ahead) }
            }
        }
    }

    private static func maintain(_ engine: Engine, _ isStopping: Stop) {
        while !isStopping.withLock({ $0.maintenance }) {
            let callsBefore = engine.state.withLock { $0.maintenanceCalls }
            var didWork = false
            engine.restoreCache()
            engine.restoreCommits()
            do throws(DiskError) {
                didWork = try engine.maintenanceStep()
            } catch {
                // The engine has failed; writers were told.
            }
            if didWork { continue }
            engine.returnMemoryIfIdle()
            engine.state.withLock { state in
                if isStopping.withLock({ $0.maintenance }) { return }
                // Whoever called meanwhile may have done so after the look at what there is to do.
                if state.maintenanceCalls != callsBefore { return }
                engine.state.wait(
                    &state,
                    on: Engine.Condition.maintenance,
                    nanoseconds: idleNanoseconds
                )
            }
        }
    }
}

extension Engine {
    /// Whether the committer has something to do right now.
    func hasCommitWork(_ state: borrowing EngineState) -> Bool {
        if state.failure != nil || state.isCommitting { return false }
        if !state.sealed.isEmpty { return !state.isCommitBlocked }
        return !state.flushWaiters.isEmpty
    }

    /// How long the committer may rest: until the open commit has been volatile for long enough.
    ///
    /// While earlier ones wait for space, and after the engine's end, its age does not matter.
    func rest(_ state: borrowing EngineState, atMost limit: UInt64) -> UInt64 {
        if state.failure != nil || !state.sealed.isEmpty { return limit }
        let ageMax = options.unflushedNanosecondsMax
        var rest = ageMax / 2
        if let open = state.user.open, !open.isEmpty {
            rest = ageMax - min(clock.nanoseconds &- open.openedNanoseconds, ageMax)
        }
        return max(1_000_000, min(limit, rest))
    }

    /// Waits a little for more writes to share a flush, where a flush is slow.
    ///
    /// As long as fewer blocks are there than the last flush took, but no longer than a sixth of
    /// what a commit costs: gathering that does not pay is cheap then.
    func gather() {
        state.withLock { state in
            guard state.commitNanoseconds > options.gatherThresholdNanoseconds,
                state.sealed.isEmpty, !state.flushWaiters.isEmpty
            else { return }
            let deadline = clock.nanoseconds + state.commitNanoseconds / 6
            while let open = state.user.open, open.blockCount < state.lastFlushBlocks,
                state.sealed.isEmpty
            {
                let now = clock.nanoseconds
                if now >= deadline { return }
                self.state.wait(
                    &state,
                    on: Condition.committer,
                    nanoseconds: deadline - now
                )
            }
        }
    }

    /// Gives the memory of commits back to the kernel once nothing has been written for a while.
    func returnMemoryIfIdle() {
        let now = clock.nanoseconds
        let returns = state.withLock { state -> Bool in
            guard !state.hasReturnedMemory,
                now &- state.lastWriteNanoseconds >= EngineLimits.idleNanoseconds
            else { return false }
            // Those that are open, on their way, or being filled elsewhere are not in these lists.
            for batch in state.user.free + state.collector.free { batch.buffer.discard() }
            state.hasReturnedMemory = true
            return true
        }
        if returns {
            window.withLock { $0.discard() }
            HeapMemory.trim()
        }
    }

    /// Asks the maintenance thread for a checkpoint of everything up to now and waits for it.
    ///
    /// One that is under way, or that lacked space and is tried again, may have begun earlier: then
    /// another follows.
    func requestCheckpoint() throws(DiskError) {
        let target = state.withLock { state in
            seal(.user, continues: false, &state)
            return state.sealedLSN
        }
        if drive == .callers {
            while state.withLock({ $0.superblock.lsn < target }) { try checkpoint() }
            return
        }
        try checkpointUntil { $0.superblock.lsn >= target }
    }

    /// Has checkpoints made until one has done what is waited for.
    ///
    /// A host without space is no reason not to try: one may win some.
    ///
    /// - Throws: kind `noSpace` or `noMemory` once an attempt has failed that began after this
    ///   call.
    func checkpointUntil(
        _ isDone: (borrowing EngineState) -> Bool
    ) throws(DiskError) {
        let first = state.withLock { $0.checkpoints.begunCount + 1 }
        if drive == .callers {
            while state.withLock({ !isDone($0) }) {
                try state.withLock { (state) throws(DiskError) in
                    try requireHope(first, state)
                }
                try checkpoint()
            }
            return
        }
        try state.withLock { (state) throws(DiskError) in
            while !isDone(state) {
                // One under way may do it, and nobody may be told otherwise then.
                if !state.checkpoints.isRunning {
                    try requireWritable(state)
                    try requireHope(first, state)
                    state.checkpointRequested = true
                    callMaintenance(&state)
                }
                self.state.wait(&state, on: Condition.progress, nanoseconds: 100_000_000)
            }
        }
    }

    private func requireHope(
        _ first: UInt64,
        _ state: borrowing EngineState
    ) throws(DiskError) {
        let isHopeless = options.leavesOut == .attempt && state.hostIsFull
        if state.checkpoints.lastFailed < first, !isHopeless { return }
        if let failure = state.checkpoints.lastFailure, failure.kind == .noMemory { throw failure }
        throw DiskError(
            .noSpace,
            "checkpoint",
            "there is no space for it; free some on the host, or trim"
        )
    }
}
