/// Where scrubbing goes on.
struct ScrubPosition: Equatable, Sendable {
    /// The tree: a snapshot's identifier, or 0 for the disk itself, which comes first.
    var snapshot: UInt64 = 0
    /// The block in it; only a wish: what is beyond the end is none.
    var block: UInt64 = 0

    /// Whether nothing is under way.
    var isAtStart: Bool { self == ScrubPosition() }
}
