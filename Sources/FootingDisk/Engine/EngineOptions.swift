/// What a running disk may use, and when it acts.
public struct EngineOptions: Sendable {
    /// Budget of the cache of map pages, in bytes.
    public var mapCacheBytes = 16 << 20
    /// Written but not yet durable bytes beyond which a flush is started without being asked for.
    public var unflushedBytesMax = 16 << 20
    /// How long a write may stay volatile before a flush is started without being asked for.
    public var unflushedNanosecondsMax: UInt64 = 1_000_000_000
    /// Bytes of log between checkpoints: at most twice this is replayed after a crash.
    public var checkpointLogBytes = 128 << 20
    /// Changes of the map between checkpoints.
    public var deltaCountMax = EngineLimits.deltaCountMax
    /// How long the log is idle before the changes of the map are written out.
    public var checkpointIdleNanoseconds: UInt64 = 5_000_000_000
    /// A commit slower than this is worth gathering more writes for.
    public var gatherThresholdNanoseconds: UInt64 = 200_000
    /// Large trims between checkpoints; writers wait at twice as many.
    package var trimRangeCountMax = EngineLimits.trimRangeCountMax
    /// False only in tests that show that the checksums matter.
    package var verifiesChecksums = true

    /// The defaults: about 40 MiB in all.
    public init() {}
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
    /// Commits that must be left for others when a large write takes one for itself.
    static let unstagedBatchCount = 5
    /// How long a large write waits for a commit of its own: what a fast device needs to write one.
    static let stageWaitNanoseconds: UInt64 = 3_000_000
    /// Blocks from which on a write gets a commit of its own: the header page is then 1.5 % of it.
    static let stagedBlockCountMin = 64
    /// Commits of the collector that are in memory at a time.
    static let collectorBatchCount = 2
    /// Blocks of a write that is atomic: 1 MiB at any alignment of 512 bytes.
    static let atomicBlockCount = 257
    /// Large trims between checkpoints; each is a range to be kept in order.
    static let trimRangeCountMax = 1024
    /// What a log can hold at most: twice the limits before the checkpoint in progress and twice
    /// after it, and as much again for the collector's moves.
    static let replayedDeltaCountMax = 8 * deltaCountMax
    static let replayedTrimRangeCountMax = 8 * trimRangeCountMax
}
