/// Tells whether blocks come one after the other.
struct BlockSequence {
    /// So many blocks in a row are a sequence: 64 KiB, in which a device reads nearly as fast as
    /// it can.
    static let countMin = 16

    private var last: UInt64?
    private var count = 0

    /// Takes the next block.
    mutating func note(_ block: UInt64) {
        count = block &- 1 == last ? count + 1 : 0
        last = block
    }

    /// Whether the last block was in a sequence, and not at its beginning.
    var isLong: Bool { count >= Self.countMin }
}
