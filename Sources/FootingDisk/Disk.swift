public import FootingAcceleration
public import FootingSystem

/// A virtual disk in a container, open for reading and writing.
///
/// Safe to use from any number of threads. A write is acknowledged when it is in memory; it is
/// durable when a flush that began after it has succeeded. After a crash every flushed write is
/// there, and an unflushed one of up to 1 MiB is there as a whole or not at all.
///
/// ```swift
/// try Disk.create(path: "disk.footing", DiskOptions(sizeBytes: 10 << 30))
/// let disk = try Disk(path: "disk.footing")
/// try disk.write(at: 0, bytes)
/// try disk.flush()
/// try disk.close()
/// ```
public final class Disk: Sendable {
    /// What opening it found and did.
    public let recovery: RecoveryReport
    /// What it is.
    public let information: DiskInformation

    let engine: Engine
    private let threads: Locked<DiskThreads>
    private let scrubber: Scrubber

    /// Opens a container, recovers it if it was not closed, and starts its threads.
    ///
    /// - Parameters:
    ///   - path: a file or a block device.
    ///   - options: budgets and limits.
    ///   - starts: whether to start the threads now; false for a process that forks first.
    public convenience init(
        path: String,
        options: EngineOptions = EngineOptions(),
        starts: Bool = true
    ) throws(DiskError) {
        let store = try FileStore(
            path: path,
            access: .exclusive,
            mode: options.inputOutput,
            log: options.log
        )
        try self.init(store: store, options: options, clock: SystemClock(), starts: starts)
    }

    /// Opens a container on any store.
    public init(
        store: any BlockStore,
        options: EngineOptions,
        clock: any TimeSource,
        starts: Bool = true
    ) throws(DiskError) {
        do throws(DiskError) {
            (engine, recovery) = try Engine.open(
                store: store,
                options: options,
                clock: clock,
                drive: .threads
            )
            information = DiskInformation(engine.state.withLock { $0.superblock })
            scrubber = Scrubber(engine)
            threads = try Locked(DiskThreads(engine, starts: starts))
        } catch {
            throw error.at(store.path)
        }
    }

    /// Starts the threads of a disk that was opened without them, before anything else is done with
    /// it.
    ///
    /// Opening makes none: a process may fork between the two.
    public func start() throws(DiskError) {
        try threads.withLock { (threads) throws(DiskError) in try threads.start() }
    }

    deinit {
        // Dropped without being closed: as after a crash of the process, but the threads end.
        scrubber.stop()
        threads.withLock { threads in
            _ = threads.stopMaintenance()
            threads.stopCommitter()
        }
    }

    /// Bytes that a client sees.
    public var sizeBytes: UInt64 { engine.geometry.sizeBytes }

    /// Counters since it was opened.
    public var statistics: EngineStatistics { engine.statistics }

    /// What was compressed, decompressed, encrypted and decrypted since it was opened.
    public var acceleration: AcceleratorStatistics { engine.options.accelerator.statistics }

    /// How it asks its device.
    public var inputOutput: InputOutput { engine.store.inputOutput }

    /// What is in the container.
    public var space: DiskSpace { engine.space }

    /// Locks the memory of an encrypted disk's keys, again in a process that forked since the disk
    /// was opened.
    ///
    /// - Returns: why a part of it cannot be locked; nil if all of it is, or the disk has no keys.
    public func lockKeys() -> Errno? { engine.cipher?.keys.lock() }

    /// What it may use of memory, and what it uses.
    public var memory: DiskMemory { engine.memory }

    /// Changes what it may use of memory, in bytes; less than the floor counts as the floor.
    ///
    /// What is beyond the new budget has usually been given back to the kernel when this returns.
    /// The caches make room for commits on their way, commits that clients are still filling, and
    /// changes of the map. Where these are more than the caches, it waits for them, but no longer
    /// than a second: the rest goes as soon as they have been written. For a moment a cache may
    /// have one slab more, which was being mapped for it.
    public func setMemoryBudget(_ bytes: Int) { engine.setMemoryBudget(bytes) }

    /// How writes are compressed.
    public var compression: CompressionPolicy { engine.compression.withLock { $0 } }

    /// Changes how writes are compressed; when this returns, that is durable.
    ///
    /// What was written before stays as it is until it is overwritten or moved.
    public func setCompression(_ policy: CompressionPolicy) throws(DiskError) {
        try engine.setCompression(policy)
    }

    /// Reads bytes: any multiple of 512 at any sector.
    public func read(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(DiskError) {
        try unsafe engine.read(at: offset, into: buffer)
    }

    /// Reads what is in memory.
    ///
    /// - Returns: false if it would have to wait for the device.
    public func readWithoutWaiting(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(DiskError) -> Bool {
        try unsafe engine.read(at: offset, into: buffer, waits: false)
    }

    /// Reads that wait for the device while the calling thread, and only that, goes on.
    ///
    /// - Returns: nil where reads can only wait.
    public func makeReadQueue() -> DiskReadQueue? { DiskReadQueue(engine) }

    /// Writes bytes: any multiple of 512 at any sector; atomic up to 1 MiB.
    public func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(DiskError) {
        _ = try unsafe engine.write(at: offset, bytes)
    }

    /// Writes bytes as ``write(at:_:)`` does, unless writers have to wait just now.
    ///
    /// - Returns: false if they have to; a longer write may have been made in part then.
    public func writeWithoutWaiting(
        at offset: UInt64,
        _ bytes: UnsafeRawBufferPointer
    ) throws(DiskError) -> Bool {
        try unsafe engine.write(at: offset, bytes, waits: false)
    }

    /// A place for a large write's bytes to arrive at, without a copy.
    ///
    /// - Returns: nil where ``write(at:_:)`` is the better way: small or misaligned, or too many
    ///   others are under way.
    public func stage(at offset: UInt64, count: Int) -> StagedWrite? {
        engine.stage(at: offset, count: count)
    }

    /// Makes the whole blocks in a range read as zeros, and lets go of their space.
    public func trim(_ range: Range<UInt64>) throws(DiskError) {
        try engine.trim(range)
    }

    /// Makes a range read as zeros; `keepsSpace` stores real zeros.
    public func writeZeroes(_ range: Range<UInt64>, keepsSpace: Bool) throws(DiskError) {
        try engine.writeZeroes(range, keepsSpace: keepsSpace)
    }

    /// Which parts of a range hold data: extents that cover its beginning.
    public func extents(_ range: Range<UInt64>, limit: Int) throws(DiskError) -> [DiskExtent] {
        try engine.extents(range, limit: limit)
    }

    /// Calls back, on any thread, when everything acknowledged so far is durable or cannot be.
    ///
    /// - Parameters:
    ///   - mayCommit: whether this thread may write the commit itself, if no other is at it: the
    ///     fastest way, where the thread has nothing else to do.
    ///   - completion: given nil for success.
    public func flush(
        mayCommit: Bool = false,
        _ completion: @escaping @Sendable (DiskError?) -> Void
    ) {
        engine.flush(mayCommit: mayCommit, completion)
    }

    /// Waits until everything acknowledged so far is durable.
    public func flush() throws(DiskError) {
        let done = Locked<Result<Void, DiskError>?>(nil)
        engine.flush(mayCommit: true) { error in
            done.withLock { $0 = error.map { .failure($0) } ?? .success(()) }
            done.wakeAll()
        }
        let result = done.withLock { state -> Result<Void, DiskError> in
            while true {
                if let state { return state }
                done.wait(&state)
            }
        }
        try result.get()
    }

    /// Writes the map out now, so that a later recovery has nothing to replay.
    public func checkpoint() throws(DiskError) {
        try engine.requestCheckpoint()
    }

    /// Makes a snapshot of the disk as it is now; durable when this returns, whatever its size.
    ///
    /// - Parameter name: 1 to 255 bytes without '@', '/' and control characters.
    /// - Throws: kind `invalid` if the name is taken or impossible; kind `noSpace` if there is no
    ///   room beside what it keeps.
    @discardableResult
    public func createSnapshot(_ name: String) throws(DiskError) -> SnapshotInformation {
        try engine.createSnapshot(name)
    }

    /// Goes on to verify, beside everything else, whether what is stored is what was written.
    ///
    /// One pass: the disk, then each snapshot; it goes on where it was stopped, or the disk was
    /// closed. What it finds outlives that as well.
    ///
    /// - Parameter bytesPerSecond: what is read at most, which is kept with the disk; one that runs
    ///   only gets another rate.
    public func startScrub(bytesPerSecond: UInt64) throws(DiskError) {
        try scrubber.start(bytesPerSecond: bytesPerSecond)
    }

    /// Stops to verify; where it was is kept, and that it was stopped.
    public func stopScrub() { scrubber.stop(isForGood: true) }

    /// How far scrubbing has come, and what it found.
    public var scrub: ScrubStatus { scrubber.status }

    /// Whether a pass of scrubbing has begun and not come to its end.
    public var hasScrubToFinish: Bool { engine.state.withLock { !$0.scrub.position.isAtStart } }

    /// Whether a pass was stopped, and is to go on only when somebody asks for it.
    public var isScrubStopped: Bool { engine.state.withLock { $0.scrub.isStopped } }

    /// Begins to make the container as small as its content, beside everything else; one that is
    /// under way goes on.
    public func startCompaction() throws(DiskError) { try engine.startCompaction() }

    /// Ends a compaction soon; what was won is kept.
    public func stopCompaction() { engine.stopCompaction() }

    /// How far a compaction has come.
    public var compaction: CompactionStatus { engine.compaction }

    /// Makes the container as small as its content.
    ///
    /// - Parameter goesOn: called ten times a second with how far it is; false ends it.
    public func compact(
        goesOn: (CompactionStatus) -> Bool = { _ in true }
    ) throws(DiskError) -> CompactionStatus {
        try startCompaction()
        while compaction.isRunning {
            engine.state.withLock { state in
                engine.state.wait(
                    &state,
                    on: Engine.Condition.progress,
                    nanoseconds: 100_000_000
                )
            }
            if !goesOn(compaction) { stopCompaction() }
        }
        let end = compaction
        if let failure = end.failure { throw failure }
        return end
    }

    /// Makes the disk larger or smaller; when this returns that is durable.
    ///
    /// Clients may go on meanwhile, but nobody may write beyond the end of a smaller one. Its
    /// snapshots keep the size they were made with.
    ///
    /// - Parameter size: a multiple of 512, at most 64 TiB.
    /// - Throws: kind `invalid` if there is data beyond a smaller size, or no disk can have it;
    ///   kind `noMemory` if it would need more memory than the budget; kind `noSpace` if the host
    ///   has no space for it.
    public func resize(toBytes size: UInt64) throws(DiskError) {
        try engine.resize(toBytes: size)
    }

    /// Deletes a snapshot, and frees what only it needs.
    ///
    /// - Throws: kind `busy` while it is open; kind `invalid` if there is none.
    public func deleteSnapshot(_ name: String) throws(DiskError) {
        try engine.deleteSnapshot(name)
    }

    /// Makes the disk what it was when the snapshot was made; nobody may write meanwhile.
    public func rollBack(to name: String) throws(DiskError) {
        try engine.rollBack(to: name)
    }

    /// All snapshots, oldest first, with the space they take; reads nothing.
    ///
    /// - Parameter countsSpace: false leaves out what each alone keeps, which takes the longer the
    ///   more segments there are.
    public func snapshots(countsSpace: Bool = true) -> [SnapshotInformation] {
        engine.snapshots(countsSpace: countsSpace)
    }

    /// Opens a snapshot for reading.
    public func openSnapshot(_ name: String) throws(DiskError) -> DiskSnapshot {
        try engine.openSnapshot(name)
    }

    /// Flushes, writes the map out, marks the container clean, and ends the threads; idempotent.
    ///
    /// - Parameter returnsSpace: whether all free segments are given back to the host; some are
    ///   kept otherwise, to be written at once by the next who opens it.
    /// - Throws: what kept it from being closed cleanly; what was flushed before is safe then too.
    public func close(returnsSpace: Bool = false) throws(DiskError) {
        // Nothing was written, and nobody would answer the flush.
        guard threads.withLock({ $0.isStarted }) else { return engine.store.unlock() }
        scrubber.stop()
        var failure: DiskError?
        do throws(DiskError) { try flush() } catch { failure = error }
        let isFirst = threads.withLock { $0.stopMaintenance() }
        guard isFirst else { return }
        engine.beginClosing()
        if failure == nil {
            do throws(DiskError) { try engine.checkpoint(isClosing: true) } catch {
                failure = error
            }
        }
        engine.wakeAll()
        threads.withLock { $0.stopCommitter() }
        if failure == nil, returnsSpace { engine.discardFreeSegments() }
        engine.store.unlock()
        if let failure { throw failure.at(engine.store.path) }
    }
}

extension DiskError {
    /// The same error with the container's path in it.
    package func at(_ path: String) -> DiskError {
        var error = self
        error.path = error.path ?? path
        return error
    }
}
