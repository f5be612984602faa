public import FootingSystem

/// Gives memory back when the machine needs it, and takes it again when it may.
///
/// One thread listens to a ``PressureMonitor``, asks a ``BalloonController``, and tells a
/// ``MemoryHolder``. Without a balloon it goes by pressure alone.
public final class BalloonCoordinator: Sendable {
    /// How many decisions are kept.
    static let decisionsMaximum = 64

    private struct Life: ~Copyable {
        var thread: Thread?
        /// What the holder had before.
        var defaultBytes: UInt64 = 0
    }

    private struct Record: Sendable {
        var reading = MemoryReading()
        var use: MemoryUse
        var maximumBytes: UInt64
        var decisions: [CoordinatorStatus.Entry] = []
        var changeCount: UInt64 = 0
        var isRunning = false

        mutating func take(_ turn: CoordinatorLoop.Turn) {
            reading = turn.reading
            use = turn.use
            guard let entry = turn.entry else { return }
            changeCount += 1
            if decisions.count == decisionsMaximum { decisions.removeFirst() }
            decisions.append(entry)
        }
    }

    private let holder: any MemoryHolder
    private let monitor: PressureMonitor
    private let time: any TimeSource
    private let policy: ControllerPolicy
    private let life = Locked(Life())
    private let record: Locked<Record>

    /// A coordinator that does nothing until it is started.
    ///
    /// - Parameters:
    ///   - holder: whose memory it is; it is called by one thread at a time.
    ///   - monitor: what tells of pressure; nobody else may wait for it.
    ///   - time: the clock.
    ///   - policy: the numbers to decide by.
    public init(
        holder: any MemoryHolder,
        monitor: PressureMonitor,
        time: any TimeSource = SystemClock(),
        policy: ControllerPolicy = .standard
    ) {
        self.holder = holder
        self.monitor = monitor
        self.time = time
        self.policy = policy
        let use = holder.memoryUse
        record = Locked(Record(use: use, maximumBytes: use.budgetBytes))
    }

    deinit {
        stop()
    }

    /// Starts; whether it runs already does not matter.
    ///
    /// The first decision is made when this returns. The budget that the holder has now is the
    /// most it will ever be given.
    ///
    /// - Throws: `EAGAIN` where there is no room for another thread.
    public func start() throws(Errno) {
        try life.withLock { (life: inout Life) throws(Errno) in
            guard life.thread == nil else { return }
            let use = holder.memoryUse
            monitor.resume()
            // Not the coordinator itself: the thread must not keep it.
            let loop = CoordinatorLoop(holder, monitor, time) { [record] turn in
                record.withLock { $0.take(turn) }
            }
            record.withLock { record in
                record.use = use
                record.maximumBytes = use.budgetBytes
                record.isRunning = true
            }
            var controller = BalloonController(maximumBytes: use.budgetBytes, policy: policy)
            // A budget beyond what is there must not be filled before the thread first looks.
            loop.turn(monitor.look(), &controller)
            let first = controller
            do throws(Errno) {
                life.thread = try Thread(name: "memory") { loop.run(first) }
            } catch {
                record.withLock { $0.isRunning = false }
                holder.setMemoryBudget(use.budgetBytes)
                throw error
            }
            life.defaultBytes = use.budgetBytes
        }
    }

    /// Stops, and gives the holder the budget that it had before; whether it runs does not matter.
    public func stop() {
        life.withLock { life in
            guard let thread = life.thread.take() else { return }
            monitor.stop()
            thread.join()
            holder.setMemoryBudget(life.defaultBytes)
            let use = holder.memoryUse
            record.withLock { record in
                record.isRunning = false
                record.use = use
            }
        }
    }

    /// Writes down one reading and what followed.
    func note(_ turn: CoordinatorLoop.Turn) {
        record.withLock { $0.take(turn) }
    }

    /// What is known and was decided so far, from any thread.
    public var status: CoordinatorStatus {
        let sources = monitor.sources
        let balloon = monitor.balloon
        return record.withLock { record in
            CoordinatorStatus(
                isRunning: record.isRunning,
                use: record.use,
                maximumBudgetBytes: record.maximumBytes,
                reading: record.reading,
                balloon: balloon,
                sources: sources,
                decisions: record.decisions,
                decisionCount: record.changeCount
            )
        }
    }
}

/// What the coordinator's thread does.
struct CoordinatorLoop: Sendable {
    /// One reading, and what followed from it.
    struct Turn: Sendable {
        var reading: MemoryReading
        var use: MemoryUse
        /// The decision, if it changed anything.
        var entry: CoordinatorStatus.Entry?
    }

    private let holder: any MemoryHolder
    private let monitor: PressureMonitor
    private let time: any TimeSource
    private let note: @Sendable (Turn) -> Void

    init(
        _ holder: any MemoryHolder,
        _ monitor: PressureMonitor,
        _ time: any TimeSource,
        note: @escaping @Sendable (Turn) -> Void
    ) {
        self.holder = holder
        self.monitor = monitor
        self.time = time
        self.note = note
    }

    /// Until the monitor is stopped.
    func run(_ controller: BalloonController) {
        var controller = controller
        while let reading = monitor.next() { turn(reading, &controller) }
    }

    /// What follows from one reading.
    func turn(_ reading: MemoryReading, _ controller: inout BalloonController) {
        let use = holder.memoryUse
        let now = time.nanoseconds
        let decision = controller.step(reading, use: use, at: now)
        guard decision.isChange else {
            note(Turn(reading: reading, use: use))
            return
        }
        holder.setMemoryBudget(decision.budgetBytes)
        // What the holder freed in small pieces is still this process's: of 254 MiB that were
        // free between pieces in use, this gave 248 back, in 58 ms.
        if decision.budgetBytes < use.budgetBytes { HeapMemory.trim() }
        let after = holder.memoryUse
        let entry = CoordinatorStatus.Entry(
            decision: decision,
            unixSeconds: time.unixSeconds,
            durationNanoseconds: time.nanoseconds.less(now),
            usedBytesBefore: use.usedBytes,
            usedBytesAfter: after.usedBytes
        )
        note(Turn(reading: reading, use: after, entry: entry))
    }
}
