/// How far a disk reads ahead.
package struct ReadAheadLimits: Sendable {
    /// The window grows from 128 KiB to 2 MiB.
    package var windowBlocksMin = 32
    package var windowBlocksMax = 512
    /// The part of the cache that one stream's window may take.
    package var cachePart = 32
    /// The part of what the cache has already that it may take: all streams at most.
    package var mappedPart = 8

    /// Those of disks that are not tests.
    package init() {}
}

/// Who reads a disk in sequence, and what they will want next.
///
/// A few streams at a time, each with the block that comes next and a window that doubles while the
/// stream goes on. A value without threads or storage: what it says is read by someone else.
struct ReadAhead: Sendable {
    private struct Stream {
        /// The block after the last one read.
        var next: UInt64
        /// Where what was asked for ahead ends.
        var aheadEnd: UInt64
        var windowBlocks = 0
        /// Reads in sequence so far.
        var length = 1
        var lastUse: UInt64
    }

    /// Streams followed at a time.
    private static let streamCount = 8
    /// Blocks by which a read may come early or late: several may be under way.
    private static let slackBlocks: UInt64 = 64
    /// Reads in sequence before anything is read ahead.
    private static let lengthMin = 3
    /// Ranges that wait to be read; more are not worth the wait.
    private static let queueCountMax = 8

    let limits: ReadAheadLimits
    /// Blocks that a stream may have in the cache.
    var windowLimit = 0
    /// A cache would have use for another slab.
    var isMemoryWanted = false
    /// Nobody reads ahead any more.
    var isEnded = false
    private var streams: [Stream] = []
    private var useCount: UInt64 = 0
    /// Ranges of blocks to be read.
    private var queue: [Range<UInt64>] = []
    /// Ranges handed out.
    private(set) var rangeCount: UInt64 = 0

    init(limits: ReadAheadLimits = ReadAheadLimits()) {
        self.limits = limits
    }

    /// Notes a read.
    ///
    /// - Parameters:
    ///   - blocks: what was read.
    ///   - end: the disk's end.
    /// - Returns: whether there is something to read ahead now.
    mutating func note(_ blocks: Range<UInt64>, end: UInt64) -> Bool {
        useCount += 1
        guard let index = stream(of: blocks) else {
            start(blocks)
            return false
        }
        streams[index].lastUse = useCount
        // Behind: the same read again, or one that others overtook.
        if blocks.upperBound <= streams[index].next { return false }
        streams[index].next = blocks.upperBound
        streams[index].length += 1
        let limit = min(windowLimit, limits.windowBlocksMax)
        guard streams[index].length >= Self.lengthMin, limit >= limits.windowBlocksMin,
            queue.count < Self.queueCountMax
        else { return false }
        let stream = streams[index]
        let aheadEnd = max(stream.aheadEnd, stream.next)
        // The next window is asked for when the last is half used up.
        if aheadEnd - stream.next > UInt64(stream.windowBlocks / 2) { return false }
        let window = min(max(stream.windowBlocks * 2, limits.windowBlocksMin), limit)
        let wanted = min(stream.next + UInt64(window), end)
        streams[index].windowBlocks = window
        if wanted <= aheadEnd { return false }
        streams[index].aheadEnd = wanted
        queue.append(aheadEnd..<wanted)
        return true
    }

    private func stream(of blocks: Range<UInt64>) -> Int? {
        streams.firstIndex { stream in
            blocks.lowerBound <= stream.next + Self.slackBlocks
                && blocks.upperBound + Self.slackBlocks >= stream.next
        }
    }

    private mutating func start(_ blocks: Range<UInt64>) {
        let stream = Stream(
            next: blocks.upperBound,
            aheadEnd: blocks.upperBound,
            lastUse: useCount
        )
        if streams.count < Self.streamCount { return streams.append(stream) }
        var oldest = 0
        for index in streams.indices where streams[index].lastUse < streams[oldest].lastUse {
            oldest = index
        }
        streams[oldest] = stream
    }

    var isIdle: Bool { queue.isEmpty && !isMemoryWanted }

    /// The next range to read.
    mutating func take() -> Range<UInt64>? {
        if queue.isEmpty { return nil }
        rangeCount += 1
        return queue.removeFirst()
    }
}
