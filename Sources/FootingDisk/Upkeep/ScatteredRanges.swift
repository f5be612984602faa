/// Which ranges of a disk were read as a whole, and lay all over the log.
///
/// By chunks of neighbouring blocks. What is read once in sequence may never be again, a backup for
/// example: a chunk is due when it was read so for the second time.
struct ScatteredRanges: Sendable {
    /// Chunks remembered at a time: those that came first, so that of a disk that is read from its
    /// beginning to its end again and again some are put in order each time.
    static let countMax = 4096
    /// What was not read again for a day makes room for others, if there is none.
    private static let keptSeconds: UInt32 = 86_400
    /// Instead of the time of its first read: a chunk that is due.
    private static let due: UInt32 = .max
    /// Bytes that all of it takes at most: a table half full of two numbers, and a list.
    static let byteCountMax = countMax * (4 * 8 + 4)

    /// Blocks of a chunk.
    let chunkBlockCount: UInt64
    /// How long after one another two reads of a chunk count as two.
    private let rereadSeconds: UInt32
    /// When the chunks were first read so, in seconds.
    private var firstReads: [UInt32: UInt32] = [:]
    /// When the first of them was.
    private var beginSeconds: UInt32 = 0
    /// Those that are due, in their order.
    private var dueChunks: [UInt32] = []
    private var takenCount = 0

    /// Nothing was read.
    ///
    /// A chunk is what a large read has of blocks, and no more than goes into two segments wherever
    /// the log is.
    init(_ geometry: Geometry, _ options: UpkeepOptions) {
        chunkBlockCount = UInt64(max(min(256, geometry.pagesPerSegment / 2), 1))
        rereadSeconds = UInt32(clamping: options.rereadNanoseconds / 1_000_000_000)
    }

    /// Whether blocks that lie in so many places are read faster in order.
    static func isScattered(blockCount: Int, runCount: Int) -> Bool {
        runCount * 8 > blockCount && runCount > 1
    }

    /// Notes such a read.
    mutating func note(_ blocks: Range<UInt64>, now: UInt64) {
        guard let last = blocks.last else { return }
        let seconds = UInt32(truncatingIfNeeded: now / 1_000_000_000)
        for index in blocks.lowerBound / chunkBlockCount...last / chunkBlockCount {
            guard let chunk = UInt32(exactly: index) else { return }
            if let first = firstReads[chunk] {
                guard first != Self.due, seconds &- first >= rereadSeconds else { continue }
                firstReads[chunk] = Self.due
                dueChunks.append(chunk)
                continue
            }
            if firstReads.count >= Self.countMax, !makeRoom(seconds) { return }
            if firstReads.isEmpty { beginSeconds = seconds }
            firstReads[chunk] = seconds
        }
    }

    /// Forgets what was read once, once a day at most: it takes a while.
    private mutating func makeRoom(_ seconds: UInt32) -> Bool {
        guard seconds &- beginSeconds >= Self.keptSeconds else { return false }
        beginSeconds = seconds
        firstReads = firstReads.filter { chunk in
            chunk.value == Self.due || seconds &- chunk.value < Self.keptSeconds
        }
        return firstReads.count < Self.countMax
    }

    /// Whether there is one that is due.
    var hasDue: Bool { takenCount < dueChunks.count }

    /// The next chunk that is due, as blocks; it begins anew.
    mutating func take() -> Range<UInt64>? {
        guard hasDue else { return nil }
        let chunk = dueChunks[takenCount]
        takenCount += 1
        if takenCount >= Self.countMax || !hasDue {
            dueChunks.removeFirst(takenCount)
            takenCount = 0
        }
        firstReads[chunk] = nil
        return UInt64(chunk) * chunkBlockCount..<(UInt64(chunk) + 1) * chunkBlockCount
    }

    /// Gives back a chunk that could not be put in order now: it is due with its next read.
    mutating func giveBack(_ blocks: Range<UInt64>) {
        guard firstReads.count < Self.countMax else { return }
        let chunk = UInt32(truncatingIfNeeded: blocks.lowerBound / chunkBlockCount)
        if firstReads[chunk] == nil { firstReads[chunk] = 0 }
    }
}
