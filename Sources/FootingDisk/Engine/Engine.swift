import FootingSystem

/// The log-structured engine: the log is the data.
///
/// ```
///  write ─► batch (memory) ─seal─► sealed queue ─commit step─► log ─sync─► durable
///             │                                                 ▲
///             └─► active overlay ─checkpoint step─► map pages ──┤
///  read ◄── batches, overlays, tree                             │
///                         collect step: live blocks of a victim ┘
/// ```
///
/// The engine has no threads of its own. Three steps move it on: ``commitStep()``,
/// ``maintenanceStep()`` (checkpoint, collect, grow), and the callers' own reads and writes.
/// ``Disk`` runs the steps on threads; a simulation runs them one after the other with a chosen
/// order, and then a caller that has to wait runs them itself.
final class Engine: Sendable {
    /// What threads wait for.
    enum Condition {
        /// Something to commit or to flush.
        static let committer = 0
        /// Something to checkpoint or collect.
        static let maintenance = 1
        /// Room for writers; the end of readers.
        static let progress = 2
        /// Something to encrypt, or that has been.
        static let sealer = 3
        static let count = 4
    }

    /// Who runs the steps.
    enum Drive: Sendable {
        /// Threads; a caller that must wait sleeps.
        case threads
        /// The caller that must wait.
        case callers
    }

    let store: any BlockStore
    let options: EngineOptions
    /// Where everything is; it may grow.
    let layout: DiskLayout
    let volume: UInt64
    let clock: any TimeSource
    let drive: Drive
    let reader: MapReader
    let state: Locked<EngineState>
    /// What the collector has read of the segment it is emptying.
    let window: Locked<SegmentWindow>
    /// What a checkpoint writes from.
    let checkpointMemory: CheckpointMemory
    /// Blocks that were read.
    let blocks: BlockCache
    /// What clients wrote last, as commits bring it to the cache.
    let writtenSequence = Locked(BlockSequence())
    /// What was written to the store.
    let traffic = TrafficMeter()
    /// Who reads in sequence, and what is to be read before they ask.
    let ahead: Locked<ReadAhead>
    /// What decodes what was compressed once, and encodes as ``compression`` says.
    let coder: BlockCoder
    /// Of an encrypted disk.
    let cipher: VolumeCipher?
    /// How writes are compressed: the superblock that allows it is durable.
    let compression: Locked<CompressionPolicy>
    /// What was read as a whole, and lies all over the log.
    let scattered: Locked<ScatteredRanges>
    /// The leaf that scrubbing is at.
    let scrubLeaf = Locked<ScrubLeaf?>(nil)
    /// Held while the budget changes.
    let budgetChange = Locked(())

    init(
        store: any BlockStore,
        options: EngineOptions,
        clock: any TimeSource,
        drive: Drive,
        state: consuming EngineState,
        cipher: VolumeCipher? = nil
    ) throws(DiskError) {
        window = Locked(try SegmentWindow(options.buffers))
        state.shrinkage = Shrinkage(of: state.segments)
        checkpointMemory = try CheckpointMemory(state.superblock.geometry, options.buffers)
        self.store = store
        self.cipher = cipher
        self.clock = clock
        self.drive = drive
        let places = DiskLayout(state.superblock.geometry)
        scattered = Locked(ScatteredRanges(places.geometry, options.upkeep))
        self.layout = places
        self.options = options
        let ahead = Locked(ReadAhead(limits: options.readAhead))
        self.ahead = ahead
        let onShortage: (@Sendable () -> Void)? =
            switch drive {
            case .callers: nil
            case .threads:
                {
                    ahead.withLock { $0.isMemoryWanted = true }
                    ahead.wakeAll()
                }
            }
        let source = options.pageSource
        let layout = options.cacheLayout
        blocks = BlockCache(source: source, layout: layout, onShortage: onShortage)
        volume = state.superblock.volume
        coder = BlockCoder(accelerator: options.accelerator)
        compression = Locked(state.superblock.compression)
        reader = MapReader(
            store: store,
            layout: places,
            volume: volume,
            cache: PageCache(
                blocks: BlockCache(source: source, layout: layout, onShortage: onShortage),
                layout: cipher == nil ? .plain : .sealed
            ),
            verifies: options.verifiesChecksums,
            cipher: cipher
        )
        self.state = Locked(state, conditionCount: Condition.count)
        // What a recovery brought back may be more than the budget has for it.
        let isSqueezed = resizeCaches()
        self.state.withLock { $0.isCacheSqueezed = isSqueezed }
    }

    /// Where everything is now.
    var geometry: Geometry { layout.geometry }

    /// Counters since it was opened.
    var statistics: EngineStatistics {
        var statistics = state.withLock { $0.statistics }
        statistics.blockCache = blocks.statistics
        statistics.mapCache = reader.cache.blocks.statistics
        statistics.written = traffic.read()
        statistics.readsAhead = ahead.withLock { $0.rangeCount }
        return statistics
    }

    /// Blocks of a write that is all there after a crash, or not at all.
    var atomicBlockCount: Int {
        min(EngineLimits.atomicBlockCount, geometry.pagesPerSegment - 2)
    }

    // MARK: - Failure

    /// Puts an end to all writes: what is durable stays, nothing more is promised.
    func fail(_ error: DiskError) {
        state.withLock { state in
            if state.failure == nil { state.failure = error }
        }
        wakeAll()
        endFlushes(error)
    }

    /// Tells everyone who waits for a flush that it failed.
    func endFlushes(_ error: DiskError) {
        let waiters = state.withLock { state -> [EngineState.FlushWaiter] in
            defer { state.flushWaiters = [] }
            return state.flushWaiters
        }
        for waiter in waiters { waiter.completion(error) }
    }

    func wakeAll() {
        for condition in 0..<Condition.count { state.wakeAll(on: condition) }
    }

    /// Wakes the maintenance thread, or keeps it from going to sleep.
    func callMaintenance(_ state: inout EngineState) {
        state.maintenanceCalls += 1
        self.state.wakeAll(on: Condition.maintenance)
    }

    /// Throws if the disk must not be written any more.
    func requireWritable(_ state: borrowing EngineState) throws(DiskError) {
        if let failure = state.failure {
            throw DiskError(
                .failed,
                "write",
                "the disk stopped after an earlier failure (\(failure)); "
                    + "what was flushed before is safe; reopen it"
            )
        }
        if state.isClosed { throw DiskError(.closed, "write", "the disk was closed") }
        if cipher != nil,
            state.nextSequence % VolumeCipher.sequencesPerEpoch
                > VolumeCipher.sequenceMax
        {
            throw DiskError(
                .failed,
                "write",
                "the disk has used up the numbers of this opening; reopen it"
            )
        }
    }

    func checkBounds(
        _ operation: String,
        _ offset: UInt64,
        _ count: Int,
        _ other: Geometry? = nil
    ) throws(DiskError) {
        let size = (other ?? geometry).sizeBytes
        guard offset <= size, UInt64(count) <= size - offset else {
            throw DiskError(
                .invalid,
                operation,
                "\(count) bytes at \(offset) go beyond the disk's end at \(size)"
            )
        }
    }

    /// What the map says of a block in memory; nil if only the tree knows.
    func overlayEntry(_ block: UInt64, _ state: borrowing EngineState) -> MapEntry? {
        if let entry = state.active.entry(block) { return entry }
        var index = state.frozen.count
        while index > 0 {
            index -= 1
            if let entry = state.frozen[index].overlay.entry(block) { return entry }
        }
        return nil
    }

    /// The batch in memory that holds a location, and where in it.
    func memory(
        of location: Location,
        _ state: borrowing EngineState
    ) -> (batch: Batch, slot: Int)? {
        if let batch = state.user.open, let slot = batch.slot(of: location) {
            return (batch, slot)
        }
        if let batch = state.collector.open, let slot = batch.slot(of: location) {
            return (batch, slot)
        }
        for batch in state.sealed {
            if let slot = batch.slot(of: location) { return (batch, slot) }
        }
        return nil
    }
}
