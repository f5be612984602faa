package import FootingSystem

/// An engine without threads: whoever holds it decides when which step is taken.
///
/// What a simulation drives, so that a run is the same every time.
package struct EngineDriver: Sendable {
    let engine: Engine

    /// Opens a container and recovers it.
    package static func open(
        store: any BlockStore,
        options: EngineOptions,
        clock: any TimeSource
    ) throws(DiskError) -> (driver: EngineDriver, report: RecoveryReport) {
        let (engine, report) = try Engine.open(
            store: store,
            options: options,
            clock: clock,
            drive: .callers
        )
        return (EngineDriver(engine: engine), report)
    }

    /// Bytes of a write that survives a crash as a whole or not at all; longer ones are split.
    package var atomicBytesMax: Int { (engine.atomicBlockCount - 1) * 4096 }

    /// Counters since it was opened.
    package var statistics: EngineStatistics { engine.statistics }

    /// What is in the container.
    package var space: DiskSpace { engine.space }

    /// What it may use of memory, and what it uses.
    package var memory: DiskMemory { engine.memory }

    /// Changes what it may use of memory.
    package func setMemoryBudget(_ bytes: Int) { engine.setMemoryBudget(bytes) }

    /// Changes how writes are compressed.
    package func setCompression(_ policy: CompressionPolicy) throws(DiskError) {
        try engine.setCompression(policy)
    }

    /// How writes are compressed.
    package var compression: CompressionPolicy { engine.compression.withLock { $0 } }

    /// Segments in which something could not be read, or less was found than the map refers to.
    package var segmentsSetAside: Int {
        engine.state.withLock { state in state.segments.count { $0.isQuarantined } }
    }

    /// Where the container's segments are that the engine takes to have space in the host.
    package var reservedRanges: [Range<UInt64>] {
        let geometry = engine.geometry
        return engine.state.withLock { state in
            state.segments.indices.filter { state.segments[$0].hasSpace }.map {
                geometry.range(ofSegment: UInt32($0))
            }
        }
    }

    /// Reads into the cache what a stream will want.
    package func readAheadStep() -> Bool { engine.readAheadStep() }

    /// Whether a failure ended it.
    package var hasFailed: Bool { engine.state.withLock { $0.failure != nil } }

    /// Whether a change of so many blocks would be taken in at once, without a step in between.
    package func admits(blocks: Int) -> Bool {
        engine.state.withLock { state in
            state.failure == nil && engine.hasRoom(forBlocks: blocks, state)
                && !engine.isMapFull(blocks, state)
                && state.active.trims.ranges.count < engine.options.trimRangeCountMax
        }
    }

    /// Whether a flush is possible in the midst of what the engine does: one thread at a time
    /// commits.
    package var admitsFlush: Bool {
        engine.state.withLock { state in state.failure == nil && !state.isCommitting }
    }

    /// Reads bytes.
    package func read(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(DiskError) {
        try unsafe engine.read(at: offset, into: buffer)
    }

    /// Reads that wait for the device later; nil where the store has no such thing.
    package func makeReadQueue() -> DiskReadQueue? { DiskReadQueue(engine) }

    /// Reads bytes as a client's thread does that goes on meanwhile, and then waits.
    package func readByQueue(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(DiskError) {
        guard let queue = makeReadQueue() else {
            return try unsafe engine.read(at: offset, into: buffer)
        }
        try unsafe queue.read(at: offset, into: buffer)
    }

    /// Writes bytes.
    package func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(DiskError) {
        try unsafe engine.write(at: offset, bytes)
    }

    /// A place for a large write's bytes; nil where it should be made in the usual way.
    package func stage(at offset: UInt64, count: Int) -> StagedWrite? {
        engine.stage(at: offset, count: count)
    }

    /// Makes whole blocks read as zeros.
    package func trim(_ range: Range<UInt64>) throws(DiskError) {
        try engine.trim(range)
    }

    /// Makes a range read as zeros.
    package func writeZeroes(_ range: Range<UInt64>, keepsSpace: Bool) throws(DiskError) {
        try engine.writeZeroes(range, keepsSpace: keepsSpace)
    }

    /// Which parts of a range hold data.
    package func extents(_ range: Range<UInt64>, limit: Int) throws(DiskError) -> [DiskExtent] {
        try engine.extents(range, limit: limit)
    }

    /// Makes everything acknowledged so far durable.
    package func flush() throws(DiskError) {
        let result = Locked<Result<Void, DiskError>?>(nil)
        engine.flush { error in
            result.withLock { $0 = error.map { .failure($0) } ?? .success(()) }
        }
        guard let result = result.withLock({ $0 }) else {
            preconditionFailure("a flush that nobody answered")
        }
        try result.get()
    }

    /// Writes the next commits, or syncs, if there is a reason.
    package func commitStep() throws(DiskError) -> Bool {
        try engine.commitStep()
    }

    /// Does the most urgent piece of background work.
    package func maintenanceStep() throws(DiskError) -> Bool {
        engine.restoreCache()
        engine.restoreCommits()
        return try engine.maintenanceStep()
    }

    /// Bytes that a client sees.
    package var sizeBytes: UInt64 { engine.geometry.sizeBytes }

    /// Verifies the next piece of what is stored.
    package func scrubStep() throws(DiskError) -> (damages: [ScrubDamage], isAtEnd: Bool) {
        let step = try engine.scrubStep()
        return (step.damages, step.isAtEnd)
    }

    /// Begins to make the container as small as its content, which steps go on with.
    package func startCompaction() throws(DiskError) { try engine.startCompaction() }

    /// Makes the container as small as its content.
    ///
    /// - Returns: how that ended.
    package func compact() throws(DiskError) -> CompactionStatus {
        try startCompaction()
        while engine.compaction.isRunning {
            let didCommit = try commitStep()
            let didMaintain = try maintenanceStep()
            precondition(
                didCommit || didMaintain || !engine.compaction.isRunning,
                "a compaction goes on and there is nothing to do"
            )
        }
        return engine.compaction
    }

    /// What a disk of a size cannot do without of memory, in bytes; nil if no disk can have it.
    package func memoryFloorBytes(forSizeBytes size: UInt64) -> Int? {
        let room = engine.state.withLock { $0.superblock.roomPercent }
        let target = try? engine.geometry.resized(toBytes: size, roomPercent: room)
        return target.map { engine.memoryFloorBytes($0) }
    }

    /// Makes the disk larger or smaller.
    package func resize(toBytes size: UInt64) throws(DiskError) {
        try engine.resize(toBytes: size)
    }

    /// Writes the map out.
    package func checkpoint() throws(DiskError) {
        try engine.requestCheckpoint()
    }

    /// Makes a snapshot.
    package func createSnapshot(_ name: String) throws(DiskError) {
        _ = try engine.createSnapshot(name)
    }

    /// Makes a snapshot that is durable with the next flush.
    package func beginSnapshot(_ name: String) throws(DiskError) {
        _ = try engine.beginSnapshot(name)
    }

    /// Whether a snapshot would be made at once, without a step in between.
    package var admitsSnapshot: Bool {
        engine.state.withLock { state in
            state.failure == nil && state.hasSnapshotsFeature && engine.hasRoomForSnapshot(state)
        }
    }

    /// Deletes a snapshot.
    package func deleteSnapshot(_ name: String) throws(DiskError) {
        try engine.deleteSnapshot(name)
    }

    /// Makes the disk what it was.
    package func rollBack(to name: String) throws(DiskError) { try engine.rollBack(to: name) }

    /// All snapshots.
    package func snapshots() -> [SnapshotInformation] { engine.snapshots() }

    /// Opens a snapshot.
    package func openSnapshot(_ name: String) throws(DiskError) -> DiskSnapshot {
        try engine.openSnapshot(name)
    }

    /// Flushes, writes the map out, and marks the container clean.
    package func close() throws(DiskError) {
        try flush()
        try engine.checkpoint(isClosing: true)
        engine.state.withLock { $0.isClosed = true }
    }
}
