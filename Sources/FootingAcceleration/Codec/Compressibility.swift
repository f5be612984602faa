/// A cheap look at a block: whether an expensive compression is worth trying.
///
/// Deflate takes as long over random bytes as over others; LZ4 gives up on them by itself, so that
/// in front of LZ4 nothing is gained. Two looks: whether bytes are spread unevenly, by a sample, as
/// then Huffman codes gain something; and whether a quick LZ4 finds repetitions.
enum Compressibility {
    /// Bytes of the sample, in pieces from all over the block.
    private static let sampleCount = 1024
    private static let pieceCount = 16

    /// Whether the block gets smaller by some hundredths, as far as can be told for little.
    ///
    /// - Parameter room: where the quick compression may write; as large as the block.
    static func isLikely(
        _ block: UnsafeRawBufferPointer,
        _ context: CodecContext,
        room: UnsafeMutableRawBufferPointer
    ) throws(AccelerationError) -> Bool {
        // A small block is compressed sooner than looked at.
        guard block.count >= 2 * sampleCount else { return true }
        if unsafe isUneven(block) { return true }
        // Where it saves less than a thirty-second, deflate saves little too.
        let limit = min(room.count, block.count - block.count / 32)
        let quick = try unsafe context.compress(
            block,
            into: UnsafeMutableRawBufferPointer(rebasing: room[..<limit]),
            .lz4,
            .fast,
            acceleration: 8
        )
        return quick != nil
    }

    /// Whether pairs of equal bytes are more frequent in a sample than in random data.
    ///
    /// The number of pairs is the sum of n × (n - 1) over the counts n. Random bytes give
    /// 1024 × 1023 / 256 = 4092 with a standard deviation of 90; a quarter more means that a byte
    /// holds less than about 7.7 bits.
    private static func isUneven(_ block: UnsafeRawBufferPointer) -> Bool {
        let pieceBytes = sampleCount / pieceCount
        let step = (block.count - pieceBytes) / (pieceCount - 1)
        return unsafe withUnsafeTemporaryAllocation(of: UInt16.self, capacity: 256) { counts in
            unsafe counts.initialize(repeating: 0)
            for piece in 0..<pieceCount {
                let start = piece * step
                for index in start..<start + pieceBytes { unsafe counts[Int(block[index])] += 1 }
            }
            var pairs = 0
            for value in 0..<256 {
                let count = unsafe Int(counts[value])
                pairs += count * (count - 1)
            }
            return pairs > sampleCount * (sampleCount - 1) / 256 * 5 / 4
        }
    }
}
