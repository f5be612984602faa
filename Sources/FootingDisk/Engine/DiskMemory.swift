/// What a running disk may use of memory, and what it uses.
public struct DiskMemory: Sendable, Equatable {
    /// One part of it, in bytes.
    public struct Part: Sendable, Equatable {
        /// Its share of the budget.
        public let limitBytes: Int
        /// What it has of the kernel now.
        public let usedBytes: Int
    }

    /// What was asked for, in bytes; the floor where that is more.
    public let budgetBytes: Int
    /// What the disk cannot do without, in bytes.
    public let floorBytes: Int
    /// Blocks that were read.
    public let blockCache: Part
    /// Pages of the map.
    public let mapCache: Part
    /// Commits that are being filled or written.
    public let commits: Part
    /// Changes of the map since the last checkpoint.
    public let changes: Part
    /// The segment table.
    public let tables: Part
    /// The collector's window, and the buffers of checkpoints and reads.
    public let work: Part

    /// All parts' use, in bytes.
    public var usedBytes: Int {
        [blockCache, mapCache, commits, changes, tables, work].reduce(0) { $0 + $1.usedBytes }
    }
}
