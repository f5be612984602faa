import FootingSystem

/// Everything about a running disk that changes, guarded by one lock.
struct EngineState: ~Copyable {
    /// Where a stream of the log goes on, and its commit that is open.
    struct Stream {
        var head: Superblock.Head
        var open: Batch?
        var free: [Batch]
        /// Of the last batch begun; the first is 1.
        var serial: UInt64 = 0
        /// Of the last batch sealed, written and made durable.
        var sealedSerial: UInt64 = 0
        var writtenSerial: UInt64 = 0
        /// Of the last batch written that ends with the end of a write: recovery discards the
        /// others.
        var settledSerial: UInt64 = 0
        var durableSerial: UInt64 = 0
    }

    /// Someone who waits for durability.
    struct FlushWaiter {
        let serial: UInt64
        let completion: @Sendable (DiskError?) -> Void
    }

    // The log.
    var superblock: Superblock
    var user: Stream
    var collector: Stream
    /// LSN of the last commit sealed, and its checksum: what the next one follows.
    var sealedLSN: UInt64
    var sealedChecksum: UInt32
    var writtenLSN: UInt64
    /// The last LSN written before which no write is incomplete: recovery discards a write of which
    /// a commit is missing, so only up to here may a commit be called durable.
    var settledLSN: UInt64
    var isWithinWrite = false
    /// Much has been written that is to be encrypted.
    var isSealerWanted = false
    /// Whoever writes commits waits for one that another thread encrypts.
    var isSealingAwaited = false
    var durableLSN: UInt64
    /// Commits on their way to the store, in LSN order.
    ///
    /// The first ones may be in a write call.
    var sealed: [Batch] = []
    /// A thread writes commits, or syncs them.
    var isCommitting = false
    var unsyncedBytes = 0
    var logBytesSinceCheckpoint = 0
    var flushWaiters: [FlushWaiter] = []
    /// The committer sleeps until it is woken, not for a while.
    var isCommitterAsleep = false
    /// How long a commit and its flush take, smoothed; how many blocks the last one held.
    var commitNanoseconds: UInt64 = 0
    /// How many flushes the last sync answered.
    var lastFlushCount = 0
    var lastFlushBlocks = 0
    var lastWriteNanoseconds: UInt64 = 0

    // The map.
    var active: Overlay
    /// The changes that checkpoints are to write out, oldest first.
    ///
    /// The one in progress writes the first; each snapshot has a checkpoint of its own.
    var frozen: [FrozenChanges] = []
    var snapshots: SnapshotState

    // The segments.
    var segments: [SegmentEntry]
    /// By segment: the last LSN in it, for those written since the program started.
    var lastLSN: [UInt64]
    /// Free segments that have space behind them, oldest first.
    var ready: [UInt32] = []
    /// Free segments without space behind them.
    var virgin: [UInt32] = []
    /// Which of ``ready`` are prepared, and whether that is worth it.
    var preparation = Preparation()
    /// Emptied by the collector; free as soon as the copies are durable.
    var evacuated: [UInt32] = []
    /// Map segments whose live pages the next checkpoint writes elsewhere.
    var touchedSegments: Set<UInt32> = []
    /// Map pages to write again so that their segment becomes free.
    var touches: [MapPage.Identity] = []
    var nextSequence: UInt64
    var mapHead: Superblock.Head?

    // Readers in flight, by parity of the checkpoint they started in.
    var readerParity = 0
    var readers = [0, 0]

    // Conditions.
    /// The host refused more space; cleared when it is tried again.
    var hostIsFull = false
    /// When it did, or when the collector was last stuck.
    var hostFullNanoseconds: UInt64 = 0
    /// A sealed commit could not be written for lack of space or memory; it is tried again.
    var isCommitBlocked = false {
        didSet { if !isCommitBlocked { commitRefusal = nil } }
    }
    /// What it lacks, if that is memory.
    var commitRefusal: DiskError?
    /// The collector cannot win any more space, or the kernel refused memory for it.
    var isStuck = false {
        didSet { if !isStuck { stuckRefusal = nil } }
    }
    /// That refusal.
    var stuckRefusal: DiskError?
    /// Rounds of winning space since writers last had room, or used it, or there were more free
    /// segments than ever since then; and how many there were at most.
    var spaceRoundCount = 0
    var spaceRoundBest = 0
    var failure: DiskError?
    var isClosed = false
    var checkpointRequested = false
    var checkpoints = CheckpointCount()
    /// What the next checkpoint writes into the superblock.
    var compressionWanted: CompressionPolicy
    /// What the container is to become, and what the next checkpoint makes it.
    var resizeWanted: Geometry?
    var resizeTarget: Geometry?
    var resizeFailure: DiskError?
    var compaction = Compaction()
    /// What became of the last one that somebody asked for, while there is another.
    var askedCompaction = CompactionStatus()
    /// Blocks trimmed so far, bytes since a checkpoint was made for them, and the commit that has
    /// the last of them, or one before it.
    var trimmedBlocks: UInt64 = 0
    var trimmedBytes: UInt64 = 0
    var trimLSN: UInt64 = 0
    /// By how much what the disk holds has become less.
    var shrinkage = Shrinkage()
    /// For how long clients have left the disk alone.
    var rest = RestWatch()
    /// Where scrubbing goes on, and what it found.
    var scrub = ScrubNotes()
    /// The memory of the free commits was given back; they have not been used since.
    var hasReturnedMemory = false
    /// How the memory is divided.
    var memory: MemoryPlan
    /// Where their memory comes from.
    let buffers: any BufferSource
    /// It was refused: there are fewer commits than planned, or not in huge pages.
    var isShortOfMemory = false
    /// Since when maintenance knows that.
    var shortSinceNanoseconds: UInt64?
    /// Commits in memory, wherever they are; how many of them lie in huge pages.
    var userBatchCount = 0
    var collectorBatchCount = 0
    var hugeBatchCount = 0
    /// Those of them that clients are filling, for one large write each.
    var stagedBatchCount = 0
    /// Whether a thread encrypts beside the one that writes.
    var hasSealer = false
    /// The cache has less than its share, because something else has more for the moment.
    var isCacheSqueezed = false
    /// Counts the calls for the maintenance thread.
    var maintenanceCalls: UInt64 = 0

    var statistics = EngineStatistics()

    /// - Returns: whether somebody committed before.
    mutating func beginCommitting() -> Bool {
        defer { isCommitting = true }
        return isCommitting
    }

    /// Winning space begins anew.
    mutating func startSpaceRounds() {
        spaceRoundCount = 0
        spaceRoundBest = 0
    }
}

/// Counters since the disk was opened.
public struct EngineStatistics: Sendable, Equatable {
    /// Blocks that clients wrote.
    public internal(set) var blocksWritten: UInt64 = 0
    /// Blocks of those that were stored in fewer bytes.
    public internal(set) var compressedBlocks: UInt64 = 0
    /// Bytes that clients' blocks took in the log, without headers.
    public internal(set) var storedBytes: UInt64 = 0
    /// Blocks that clients read.
    public internal(set) var blocksRead: UInt64 = 0
    /// Commits, of both streams.
    public internal(set) var commits: UInt64 = 0
    /// Bytes of log, headers included.
    public internal(set) var logBytes: UInt64 = 0
    /// Flushes of the store.
    public internal(set) var synchronizations: UInt64 = 0
    /// Blocks that the collector moved.
    public internal(set) var blocksMoved: UInt64 = 0
    /// Blocks of those that it compressed anew.
    public internal(set) var recompressedBlocks: UInt64 = 0
    /// Blocks that were written anew, one behind the other, as they were read as a whole.
    public internal(set) var rearrangedBlocks: UInt64 = 0
    /// Bytes of segments that the host had back, unasked, after trims.
    public internal(set) var returnedAtRestBytes: UInt64 = 0
    /// Segments that the collector emptied.
    public internal(set) var segmentsCollected: UInt64 = 0
    /// Checkpoints.
    public internal(set) var checkpoints: UInt64 = 0
    /// Map pages that checkpoints wrote.
    public internal(set) var mapPagesWritten: UInt64 = 0
    /// Times a writer had to wait for the collector.
    public internal(set) var throttledWrites: UInt64 = 0
    /// How long writers waited for it, in nanoseconds.
    public internal(set) var throttledNanoseconds: UInt64 = 0
    /// How many flushes each synchronization answered.
    public internal(set) var flushGroups = FlushGroups()
    /// What was written to the container.
    public internal(set) var written = ContainerTraffic()
    /// Commits for which there was no memory: those that are there were used instead.
    public internal(set) var refusedCommits: UInt64 = 0
    /// What the cache of blocks did.
    public internal(set) var blockCache = CacheStatistics()
    /// What the cache of map pages did.
    public internal(set) var mapCache = CacheStatistics()
    /// Ranges that were read ahead.
    public internal(set) var readsAhead: UInt64 = 0
    /// Commits that large writes had beside their first ones, filled as they arrived.
    public internal(set) var stagedCommits: UInt64 = 0

    /// Bytes written to the container for each that clients wrote; nil before they wrote any.
    public var writeAmplification: Double? {
        if blocksWritten == 0 { return nil }
        return Double(written.totalBytes) / (Double(blocksWritten) * 4096)
    }

    /// Counts a block that a client wrote.
    mutating func count(_ form: BlockForm) {
        blocksWritten += 1
        storedBytes += UInt64(form.byteCount)
        if form.encoding != .plain { compressedBlocks += 1 }
    }
}
