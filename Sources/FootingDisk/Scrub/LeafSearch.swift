import FootingSystem

/// A block to be verified.
struct ScrubBlock {
    let block: UInt64
    let entry: MapEntry
}

/// A leaf of the map that scrubbing is at: it is read once, and verified in pieces.
struct ScrubLeaf {
    /// What it refers to and was not verified yet, in the order of the blocks.
    var blocks: ArraySlice<ScrubBlock>
    /// The block behind it.
    let end: UInt64
    /// Up to this block each is read alone: together they could not be.
    var troubleEnd: UInt64 = 0
    /// The tree that it was found in.
    private var snapshot: UInt64 = 0
    private var generation: UInt64 = 0

    init(_ blocks: [ScrubBlock], end: UInt64) {
        self.blocks = blocks[...]
        self.end = end
    }

    /// The block that comes next.
    var next: UInt64 { blocks.first?.block ?? end }

    /// The same, of a tree.
    func within(_ view: ScrubView) -> ScrubLeaf {
        var leaf = self
        leaf.snapshot = view.position.snapshot
        leaf.generation = view.generation
        return leaf
    }

    /// Whether a step that goes by this goes on in it: the tree of a snapshot is always the same.
    func isNext(_ view: ScrubView, _ leavesOut: FeatureRule?) -> Bool {
        view.position == ScrubPosition(snapshot: snapshot, block: next)
            && (snapshot > 0 || generation == view.generation || leavesOut == .tree)
    }
}

/// Looks for the next leaf of a tree, reading every page on the way from the store.
struct LeafSearch {
    let engine: Engine
    let root: MapRoot
    private(set) var byteCount: UInt64 = 0
    private(set) var damages: [ScrubDamage] = []
    /// Where the search goes on.
    private(set) var nextBlock: UInt64

    init(engine: Engine, root: MapRoot, from block: UInt64) {
        self.engine = engine
        self.root = root
        nextBlock = block
    }

    /// Whether there is no leaf any more.
    var isAtEnd: Bool { nextBlock >= root.blockCount }

    /// - Returns: the leaf; nil if there is none any more, or the step is over.
    mutating func run(_ limit: ScrubLimit) throws(DiskError) -> ScrubLeaf? {
        while !isAtEnd {
            if let leaf = try descend() { return leaf }
            if limit.isOver(byteCount) { break }
        }
        return nil
    }

    /// Goes down towards the next block.
    ///
    /// - Returns: nil if there is no leaf; then the next block is behind the hole, or the damage.
    private mutating func descend() throws(DiskError) -> ScrubLeaf? {
        var entry = root.entry
        let page = AlignedBuffer(count: 4096)
        for level in (0..<root.levels).reversed() {
            let span = engine.layout.span(level: level)
            let pageSpan = engine.layout.span(level: level + 1)
            let index = nextBlock / pageSpan
            let blocks = index * pageSpan..<min((index + 1) * pageSpan, root.blockCount)
            if !entry.isMapped {
                nextBlock = blocks.upperBound
                return nil
            }
            do throws(DiskError) {
                byteCount += 4096
                try engine.reader.read(
                    entry,
                    MapPage.Identity(level: level, index: index),
                    fromDevice: true,
                    into: page
                )
            } catch {
                if error.kind == .noMemory { throw error }
                let offset = entry.location.offset
                damages.append(ScrubDamage(blocks, at: offset, .mapPage, "\(error)"))
                nextBlock = blocks.upperBound
                return nil
            }
            if level == 0 { return leaf(page, blocks) }
            entry = MapPage.entry(page, Int(nextBlock % pageSpan / span))
            if !entry.isMapped {
                nextBlock = (nextBlock / span + 1) * span
                return nil
            }
        }
        nextBlock = root.blockCount
        return nil
    }

    private mutating func leaf(
        _ page: borrowing AlignedBuffer,
        _ blocks: Range<UInt64>
    ) -> ScrubLeaf? {
        var found: [ScrubBlock] = []
        for block in blocks where block >= nextBlock {
            let entry = MapPage.entry(page, Int(block - blocks.lowerBound))
            if entry.isMapped { found.append(ScrubBlock(block: block, entry: entry)) }
        }
        nextBlock = blocks.upperBound
        return found.isEmpty ? nil : ScrubLeaf(found, end: blocks.upperBound)
    }
}
