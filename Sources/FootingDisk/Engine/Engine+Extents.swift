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
    static let scannedBlockMax: UInt64 = 1 << 18

    /// The extents that cover the beginning of a range: at most `limit`, at least one.
    func extents(_ range: Range<UInt64>, limit: Int) throws(DiskError) -> [DiskExtent] {
        try checkBounds("block status", range.lowerBound, range.count)
        precondition(limit > 0)
        if range.isEmpty { return [] }
        while true {
            let extents = try scan(range, limit: limit)
            if !extents.isEmpty { return extents }
        }
    }

    /// A root, and which checkpoint's it is: its changes are in the overlays no longer than until
    /// the next.
    private struct View {
        var root: MapRoot
        var generation: UInt64
    }

    /// - Returns: fewer extents if a checkpoint ended meanwhile, possibly none.
    private func scan(_ range: Range<UInt64>, limit: Int) throws(DiskError) -> [DiskExtent] {
        let (parity, view) = state.withLock { state in
            state.readers[state.readerParity] += 1
            let superblock = state.superblock
            return (
                state.readerParity,
                View(root: superblock.mapRoot, generation: superblock.generation)
            )
        }
        defer { endRead(parity) }
        var result: [DiskExtent] = []
        var block = range.lowerBound / 4096
        let end = (range.upperBound + 4095) / 4096
        let scanEnd = min(end, block + Self.scannedBlockMax)
        var runStart = block
        var runIsAllocated: Bool?
        while block < scanEnd {
            guard let step = try classify(block, scanEnd, view) else { break }
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

    /// Whether a block is mapped, and up to where at least the same holds; nil if the view is no
    /// longer that of the overlays.
    private func classify(
        _ block: UInt64,
        _ end: UInt64,
        _ view: View
    ) throws(DiskError) -> (isAllocated: Bool, end: UInt64)? {
        let (isCurrent, known) = state.withLock { state in
            (state.superblock.generation == view.generation, overlayEntry(block, state))
        }
        if !isCurrent { return nil }
        if let known { return (known.isMapped, block + 1) }
        guard let answer = try reader.find(block, root: view.root) else {
            preconditionFailure("a look-up that may wait")
        }
        if answer.entry.isMapped { return (true, block + 1) }
        let limit = min(end, answer.end)
        // The tree has a hole; the overlays may have something in it.
        let next = state.withLock { state in
            if state.superblock.generation != view.generation { return block + 1 }
            if state.active.isEmpty, state.frozen.allSatisfy({ $0.overlay.isEmpty }) {
                return limit
            }
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
