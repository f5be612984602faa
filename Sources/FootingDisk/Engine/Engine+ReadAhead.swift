import FootingSystem

// Reading before somebody asks.
extension Engine {
    /// Blocks read at a time.
    private static let aheadBlockCount = 64

    /// Notes a read; larger ones than a stream's window begins with need no help.
    func noteForReadAhead(_ offset: UInt64, _ count: Int) {
        guard count > 0, count < ReadTarget.scanBytesMin else { return }
        let first = offset / 4096
        let end = (offset + UInt64(count) + 4095) / 4096
        let blockCount = geometry.blockCount
        let isWanted = ahead.withLock { ahead in
            ahead.note(first..<end, end: blockCount)
        }
        if isWanted { ahead.wakeAll() }
    }

    /// Maps another slab for each cache that asked for one, before its readers need it.
    private func growCaches() -> Bool {
        let isWanted = ahead.withLock { ahead in
            defer { ahead.isMemoryWanted = false }
            return ahead.isMemoryWanted
        }
        guard isWanted else { return false }
        // Which of them did is not known. One that has room again must be able to ask again.
        for cache in [reader.cache.blocks, blocks] {
            if cache.isShort { cache.grow() } else { cache.announceGrowth() }
        }
        return true
    }

    /// Lets streams have their part of the cache, as far as it is there already.
    func fitReadAhead() {
        let limit = min(
            blocks.frameCountMax / options.readAhead.cachePart,
            blocks.frameCount / options.readAhead.mappedPart
        )
        ahead.withLock { $0.windowLimit = limit }
    }

    /// Reads the next range that a stream will want into the cache.
    ///
    /// Memory comes first: without a place for it, what is read ahead is read in vain.
    ///
    /// - Returns: whether there was anything to do.
    func readAheadStep() -> Bool {
        let didGrow = growCaches()
        fitReadAhead()
        guard let range = ahead.withLock({ $0.take() }) else { return didGrow }
        unsafe withUnsafeTemporaryAllocation(
            byteCount: Self.aheadBlockCount * 4096,
            alignment: 4096
        ) { buffer in
            var block = range.lowerBound
            while block < range.upperBound {
                let count = min(Self.aheadBlockCount, Int(range.upperBound - block))
                let part = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<(count * 4096)])
                // Whoever asks for it will be told what is wrong with it.
                var tally = ReadTally()
                _ = try? unsafe readPiece(at: block * 4096, into: part, .ahead, &tally)
                block += UInt64(count)
            }
        }
        return true
    }
}
