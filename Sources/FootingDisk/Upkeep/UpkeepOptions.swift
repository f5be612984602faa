/// What a disk does for itself while clients leave it alone.
public struct UpkeepOptions: Sendable {
    /// Whether ranges that were read as a whole again and again, and lie all over the log, are
    /// written anew, one block behind the other.
    public var rearranges = true
    /// Whether segments from which much was trimmed are emptied, so that the host has their space
    /// back.
    public var returnsTrimmedSpace = true
    /// For how long clients must have left the disk alone.
    package var restNanoseconds: UInt64 = 10_000_000_000
    /// Blocks a second that count as being left alone: a system at rest writes its logs.
    package var restBlocksPerSecondMax: UInt64 = 64
    /// How long after one another two reads of a range count as two: one that is read in pieces is
    /// read once.
    package var rereadNanoseconds: UInt64 = 10_000_000_000
    /// Blocks of a read from which on it is worth its while that they lie together.
    package var scatteredBlockCountMin = 32
    /// By how many bytes less the disk must hold for the host to have something back; and by a
    /// thirty-second of it.
    package var trimmedBytesMin: UInt64 = 64 << 20
    /// Segments that must be won for it.
    package var returnedSegmentCountMin = 4

    /// The defaults.
    public init() {}
}
