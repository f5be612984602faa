import FootingSystem

/// A run of bytes of the disk that are alike.
public struct DiskExtent: Equatable, Sendable {
    /// Where it begins, in bytes.
    public let offset: UInt64
    /// How long it is, in bytes.
    public let count: UInt64
    /// False: nothing is stored for it, and it reads as zeros.
    public let isAllocated: Bool
}

// Which parts of the disk hold data.
extension Engine {
    /// Blocks looked at in one call, so that a client cannot make it last.
    private static let scannedBlockMax: UInt64 = 1 << 18

    /// The extents that cover the beginning of a range: at most `limit`, at least one.
    func extents(_ range: Range<UInt64>, limit: Int) throws(DiskError) -> [DiskExtent] {
        try checkBounds("block status", range.lowerBound, range.count)
        precondition(limit > 0)
        if range.isEmpty { return [] }
        let (parity, root) = state.withLock { state in
            state.readers[state.readerParity] += 1
            return (state.readerParity, state.superblock.root)
        }
        defer { endRead(parity) }
        var result: [DiskExtent] = []
        var block = range.lowerBound / 4096
        let end = (range.upperBound + 4095) / 4096
        let scanEnd = min(end, block + Self.scannedBlockMax)
        var runStart = block
        var runIsAllocated: Bool?
        while block < scanEnd {
            let step = try classify(block, scanEnd, root: root)
            if let allocated = runIsAllocated, allocated != step.isAllocated {
                result.append(extent(runStart..<block, allocated, in: range))
                if result.count == limit { return result }
                runStart = block
            }
            runIsAllocated = step.isAllocated
            block = step.end
        }
        if let runIsAllocated {
            result.append(extent(runStart..<block, runIsAllocated, in: range))
        }
        return result
    }

    /// Whether a block is mapped, and up to where at least the same holds.
    private func classify(
        _ block: UInt64,
        _ end: UInt64,
        root: MapEntry
    ) throws(DiskError) -> (isAllocated: Bool, end: UInt64) {
        let known = state.withLock { state in overlayEntry(block, state) }
        if let known { return (known.isMapped, block + 1) }
        guard let answer = try reader.find(block, root: root) else {
            preconditionFailure("a look-up that may wait")
        }
        if answer.entry.isMapped { return (true, block + 1) }
        let limit = min(end, answer.end)
        // The tree has a hole; the overlays may have something in it.
        let next = state.withLock { state in
            if state.active.isEmpty && (state.frozen?.isEmpty ?? true) { return limit }
            var next = block + 1
            while next < limit, overlayEntry(next, state).map({ !$0.isMapped }) ?? true {
                next += 1
            }
            return next
        }
        return (false, next)
    }

    private func extent(
        _ blocks: Range<UInt64>,
        _ isAllocated: Bool,
        in range: Range<UInt64>
    ) -> DiskExtent {
        let start = max(blocks.lowerBound * 4096, range.lowerBound)
        let end = min(blocks.upperBound * 4096, range.upperBound)
        return DiskExtent(offset: start, count: end - start, isAllocated: isAllocated)
    }
}
