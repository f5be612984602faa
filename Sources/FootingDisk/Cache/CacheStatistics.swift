/// What a cache did since it began.
public struct CacheStatistics: Sendable, Equatable {
    /// Blocks found.
    public internal(set) var hits: UInt64 = 0
    /// Blocks that had to be read.
    public internal(set) var misses: UInt64 = 0
    /// Blocks taken in.
    public internal(set) var insertions: UInt64 = 0
    /// Blocks that gave way to others, or to a smaller budget.
    public internal(set) var evictions: UInt64 = 0
    /// Blocks whose new version took the place of the old one.
    public internal(set) var updates: UInt64 = 0
    /// Blocks of large reads that were not taken in because something would have had to give way.
    public internal(set) var bypasses: UInt64 = 0
    /// Blocks read ahead of being asked for.
    public internal(set) var aheadInsertions: UInt64 = 0
    /// Of those, the ones that were asked for.
    public internal(set) var aheadHits: UInt64 = 0

    mutating func add(_ other: CacheStatistics) {
        hits += other.hits
        misses += other.misses
        insertions += other.insertions
        evictions += other.evictions
        updates += other.updates
        bypasses += other.bypasses
        aheadInsertions += other.aheadInsertions
        aheadHits += other.aheadHits
    }
}

/// What a block is taken in for.
package enum CacheUse: Sendable {
    /// Somebody asked for it.
    case ordinary
    /// Part of a large read: it comes in only where that costs nobody his place.
    case scan
    /// It was written: it comes in only where a frame is free, and is not remembered otherwise.
    case written
    /// Nobody has asked for it yet.
    case ahead
    /// It comes in the place of another block that was here, and is as much in use.
    case successor
}
