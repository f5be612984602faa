/// Which ranges of a disk were read as a whole, and lay all over the log.
///
/// By chunks of neighbouring blocks. What is read once in sequence may never be again, a backup for
/// example: a chunk is due when it was read so for the second time.
struct ScatteredRanges: Sendable {
    /// Chunks remembered at a time, which is half a mebibyte: what does not come again before so
    /// many others is forgotten.
    static let countMax = 16384

    /// Blocks of a chunk.
    let chunkBlockCount: UInt64
    /// How long after one another two reads of a chunk count as two.
    private let rereadNanoseconds: UInt64
    /// When the chunks that were read once were; nil for those that are due.
    private var firstReads: [UInt64: UInt64?] = [:]
    /// Those that are due, in their order.
    private var due: [UInt64] = []
    private var takenCount = 0

    /// Nothing was read.
    ///
    /// A chunk is what a large read has of blocks, and no more than goes into two segments wherever
    /// the log is.
    init(_ geometry: Geometry, _ options: UpkeepOptions) {
        chunkBlockCount = UInt64(max(min(256, geometry.pagesPerSegment / 2), 1))
        rereadNanoseconds = options.rereadNanoseconds
    }

    /// Whether a read of so many blocks that took so many requests would be faster in order.
    static func isScattered(blockCount: Int, runCount: Int) -> Bool {
        runCount * 8 > blockCount && runCount > 1
    }

    /// Notes such a read.
    mutating func note(_ blocks: Range<UInt64>, now: UInt64) {
        guard let last = blocks.last else { return }
        for chunk in blocks.lowerBound / chunkBlockCount...last / chunkBlockCount {
            if let known = firstReads[chunk] {
                guard let first = known, now &- first >= rereadNanoseconds else { continue }
                firstReads[chunk] = .some(nil)
                due.append(chunk)
            } else {
                if firstReads.count >= Self.countMax {
                    firstReads = firstReads.filter { $0.value == nil }
                }
                guard firstReads.count < Self.countMax else { return }
                firstReads[chunk] = .some(now)
            }
        }
    }

    /// Whether there is one that is due.
    var hasDue: Bool { takenCount < due.count }

    /// The next chunk that is due, as blocks; it begins anew.
    mutating func take() -> Range<UInt64>? {
        guard hasDue else { return nil }
        let chunk = due[takenCount]
        takenCount += 1
        if !hasDue {
            due.removeAll(keepingCapacity: true)
            takenCount = 0
        }
        firstReads[chunk] = nil
        return chunk * chunkBlockCount..<(chunk + 1) * chunkBlockCount
    }
}
