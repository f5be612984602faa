public import FootingAcceleration
public import FootingSystem

/// What a running disk may use, and when it acts.
public struct EngineOptions: Sendable {
    /// What the disk may use of memory, in bytes, for everything it keeps there; less than its
    /// floor counts as the floor.
    public var memoryBudgetBytes = 128 << 20
    /// How a file or device is asked; other stores know for themselves.
    public var inputOutput = InputOutputMode.auto
    /// Told what becomes worse while the disk is open, line by line and by any thread.
    public var log: (@Sendable (String) -> Void)?
    /// Where the memory of the caches comes from.
    public var pageSource: any PageSource = AnyPages()
    /// What compresses and decompresses.
    public var accelerator: any Accelerator = SoftwareAccelerator()
    /// What opens an encrypted disk; one that is not encrypted is refused then.
    public var key: DiskKey?
    /// Whether one that is not encrypted is refused also without a key.
    public var requiresEncryption = false
    /// Where the memory of commits and of other large buffers comes from.
    public var buffers: any BufferSource = KernelBuffers()
    /// Written but not yet durable bytes beyond which a flush is started without being asked for.
    public var unflushedBytesMax = 16 << 20
    /// How long a write may stay volatile before a flush is started without being asked for.
    public var unflushedNanosecondsMax: UInt64 = 1_000_000_000
    /// Bytes of log between checkpoints: usually at most twice this is replayed after a crash.
    public var checkpointLogBytes = 128 << 20
    /// Changes of the map between checkpoints.
    public var deltaCountMax = EngineLimits.deltaCountMax
    /// How long the log is idle before the changes of the map are written out.
    public var checkpointIdleNanoseconds: UInt64 = 5_000_000_000
    /// What it does for itself while clients leave it alone.
    public var upkeep = UpkeepOptions()
    /// Whether free segments are written once before the log comes to them, while commits are
    /// small: right where a file system changes metadata with the first write to a block.
    public var preparesSegments = false
    /// A commit slower than this is worth gathering more writes for.
    public var gatherThresholdNanoseconds: UInt64 = 200_000
    /// Large trims between checkpoints; writers wait at twice as many.
    package var trimRangeCountMax = EngineLimits.trimRangeCountMax
    /// What a log may hold at most when a disk is opened.
    package var replay = ReplayLimits()
    /// Blocks from which on a write gets a commit of its own: the header page is then 1.5 % of it.
    package var stagedBlockCountMin = 64
    /// Blocks of it that go into one of its commits at most, where the format allows more.
    package var stagedBlocksPerCommitMax = Int.max
    /// Whether large writes are encrypted by a thread of their own; nil where it depends on the
    /// processors that there are when threads are started.
    package var encryptsBeside: Bool?
    /// How far is read ahead for those who read in sequence.
    package var readAhead = ReadAheadLimits()
    /// Whether the cache takes in what is written, as far as it has free frames; false only where
    /// tests want blocks to be read from the store.
    package var cachesWrites = true
    /// False only in tests that show that the checksums matter.
    package var verifiesChecksums = true

    /// A rule of snapshots that is broken, in tests that show that it matters.
    package var leavesOut: SnapshotRule?

    /// Ends the reads that are under way, where the thread that waits for them has to do it itself.
    package var settleReads: (@Sendable () -> Void)?

    /// A rule of encryption that is broken, in tests that show that it matters.
    package var leavesOutOfEncryption: EncryptionRule?

    /// A rule of another feature that is broken, in tests that show that it matters.
    package var leavesOutOfFeatures: FeatureRule?

    /// How the caches' slabs are divided; only tests want few frames.
    package var cacheLayout = CacheLayout.standard

    /// The defaults.
    public init() {}

    /// The same with limits that this disk can work with.
    ///
    /// A write may bring as many changes as start a checkpoint, or it would wait for ever; and the
    /// format's reserves are made for so many.
    func fitted(to geometry: Geometry) -> EngineOptions {
        var options = self
        let floor = min(EngineLimits.atomicBlockCount, geometry.pagesPerSegment)
        options.deltaCountMax = min(max(deltaCountMax, floor), EngineLimits.deltaCountMax)
        options.trimRangeCountMax = max(trimRangeCountMax, 1)
        options.stagedBlocksPerCommitMax = max(stagedBlocksPerCommitMax, 1)
        return options
    }
}

/// What keeps a snapshot's content.
package enum SnapshotRule: String, Sendable, CaseIterable {
    /// No segment is released until its tree is written.
    case release
    /// No segment that it needs is freed or emptied.
    case pins
    /// A recovery does not mix its changes with those after it.
    case split
    /// On a full host a deletion is refused only after it was tried.
    case attempt
    /// No segment is used again while a read may still be under way in it; snapshots or not.
    case readers
    /// All commits of a large write take effect or none does; snapshots or not.
    case whole
}

/// What keeps a nonce from being used twice.
package enum EncryptionRule: String, Sendable, CaseIterable {
    /// After an opening the log goes on in another segment.
    case segment
    /// Numbers of segments begin anew with each opening.
    case epoch
    /// After a checkpoint that was given up the map goes on in another segment.
    case abandon
}

/// What the log after a checkpoint may hold at most; more was not written by this program.
///
/// Writers wait while the changes that no finished checkpoint has reach four times the number that
/// starts one, also over any number of crashes; the collector adds some of its own.
package struct ReplayLimits: Sendable {
    /// Blocks changed.
    package var deltaCountMax = 8 * EngineLimits.deltaCountMax
    /// Ranges trimmed.
    package var trimRangeCountMax = 8 * EngineLimits.trimRangeCountMax
    /// Commits of one write that goes on: it needs three, more where each has less than it could,
    /// and the collector's may stand between.
    package var groupCountMax = 64
    /// Pages looked at to tell a torn end from damage, in all: 4 GiB.
    package var searchedPageCountMax = 1 << 20

    /// The limits of disks that are not tests.
    package init() {}
}

/// Limits that the format's reserves are computed from.
enum EngineLimits {
    /// Changes of the map that start a checkpoint; writers wait at twice as many.
    static let deltaCountMax = 32768
    /// Commits of clients that are in memory at a time.
    static let userBatchCount = 12
    /// Commits written in one call: enough to keep a fast device busy, few enough that the next
    /// ones can be filled meanwhile.
    static let batchesPerWrite = 4
    /// Bytes of commits that are written and made durable in one call: more of them are on their
    /// way to the device sooner if nothing waits for each.
    static let durableWriteBytesMax = 256 << 10
    /// Commits that must be left for others when a large write takes one for itself.
    static let unstagedBatchCount = 5
    /// How long a large write waits for a commit of its own: what a fast device needs to write one.
    static let stageWaitNanoseconds: UInt64 = 3_000_000
    /// Commits of the collector that are in memory at a time.
    static let collectorBatchCount = 2
    /// After this time without a write the memory of commits goes back to the kernel.
    static let idleNanoseconds: UInt64 = 1_000_000_000
    /// Memory for commits that the kernel refused is asked for again after so long.
    static let commitRetryNanoseconds: UInt64 = 5_000_000_000
    /// Blocks of a write that is atomic: 1 MiB at any alignment of 512 bytes.
    static let atomicBlockCount = 257
    /// Large trims between checkpoints; each is a range to be kept in order.
    static let trimRangeCountMax = 1024
}
