import FootingAcceleration
import FootingSystem

// Reading what is stored, piece by piece, to see whether it is still what was written.
extension Engine {
    /// What a step of scrubbing did.
    struct ScrubStep {
        /// Bytes that were read.
        var byteCount: UInt64 = 0
        var damages: [ScrubDamage] = []
        /// Whether the pass has come to its end.
        var isAtEnd = false
    }

    /// Verifies what the next leaf of the map refers to, past all caches.
    ///
    /// What clients or the collector have written since the last checkpoint is left out: the next
    /// pass finds it in the map.
    func scrubStep() throws(DiskError) -> ScrubStep {
        let (view, parity) = state.withLock { state -> (ScrubView, Int) in
            state.readers[state.readerParity] += 1
            return (ScrubView(state), state.readerParity)
        }
        // Nothing that this may read is used again before that.
        defer { endRead(parity) }
        var step = ScrubStep()
        var next = view.position
        if let root = view.root {
            var search = LeafSearch(engine: self, root: root, from: view.position.block)
            let leaf = try search.run()
            step.byteCount = search.byteCount
            step.damages = search.damages
            next.block = search.nextBlock
            if let leaf {
                // Another tree is the current one by now: from there on once more.
                guard let blocks = try wanted(leaf, view) else {
                    // What was found on the way will be found again.
                    step.damages = []
                    return step
                }
                try verify(blocks, &step)
            } else {
                next = ScrubPosition(snapshot: view.nextSnapshot ?? 0, block: 0)
                step.isAtEnd = view.nextSnapshot == nil
            }
        } else {
            next = ScrubPosition()
            step.isAtEnd = true
        }
        for index in step.damages.indices { step.damages[index].snapshot = view.name }
        state.withLock { $0.scrub = next }
        return step
    }

    /// What a step goes by.
    private struct ScrubView {
        var position: ScrubPosition
        let generation: UInt64
        /// Nil where the snapshot is gone, and none came after it.
        let root: MapRoot?
        let liveRoot: MapRoot
        let name: String?
        let nextSnapshot: UInt64?

        init(_ state: borrowing EngineState) {
            position = state.scrub
            generation = state.superblock.generation
            liveRoot = state.superblock.mapRoot
            let records = state.snapshots.records
            guard position.snapshot > 0 else {
                root = liveRoot
                name = nil
                nextSnapshot = records.first?.identifier
                return
            }
            // One that was deleted is passed over.
            let wanted = state.scrub.snapshot
            let index = records.firstIndex { $0.identifier >= wanted }
            guard let index else {
                root = nil
                name = nil
                nextSnapshot = nil
                return
            }
            let record = records[index]
            if record.identifier != position.snapshot {
                position = ScrubPosition(snapshot: record.identifier, block: 0)
            }
            let geometry = state.superblock.geometry.holding(sizeBytes: record.sizeBytes)
            root = MapRoot(record.root, geometry)
            name = record.name
            nextSnapshot = index + 1 < records.count ? records[index + 1].identifier : nil
        }
    }

    /// The blocks of a leaf that are where it says, and were not verified with the disk itself.
    ///
    /// - Returns: nil if the overlays no longer tell what this tree lacks.
    private func wanted(
        _ leaf: [ScrubBlock],
        _ view: ScrubView
    ) throws(DiskError) -> [ScrubBlock]? {
        if view.position.snapshot == 0 {
            return state.withLock { state -> [ScrubBlock]? in
                if state.superblock.generation != view.generation { return nil }
                return leaf.filter { overlayEntry($0.block, state) == nil }
            }
        }
        var blocks: [ScrubBlock] = []
        for item in leaf {
            // Where the disk's own map cannot be read, nothing is known to be the same: that damage
            // was told with the disk, and ends nothing here.
            let live =
                item.block < view.liveRoot.blockCount
                ? (try? reader.find(item.block, root: view.liveRoot)) ?? nil : nil
            if live?.entry != item.entry { blocks.append(item) }
        }
        return blocks
    }

    private func verify(_ blocks: [ScrubBlock], _ step: inout ScrubStep) throws(DiskError) {
        let blocks = blocks.sorted { $0.entry.location.units < $1.entry.location.units }
        let buffer = try options.buffers.buffer(for: "scrub", count: layout.entriesPerPage * 4096)
        var start = 0
        while start < blocks.count {
            let first = blocks[start].entry.location.offset / 4096 * 4096
            var end = start
            var last = first
            // What is near is read in one go.
            while end < blocks.count {
                let stop = (blocks[end].entry.end.offset + 4095) / 4096 * 4096
                let isNear = blocks[end].entry.location.offset <= last + 65536
                guard isNear, stop - first <= UInt64(buffer.count) else { break }
                last = stop
                end += 1
            }
            try verify(Array(blocks[start..<end]), first..<last, buffer, &step)
            start = end
        }
    }

    private func verify(
        _ blocks: [ScrubBlock],
        _ range: Range<UInt64>,
        _ buffer: borrowing AlignedBuffer,
        _ step: inout ScrubStep
    ) throws(DiskError) {
        step.byteCount += UInt64(range.count)
        do throws(Errno) {
            try unsafe store.readDirectly(at: range.lowerBound, into: buffer.slice(0..<range.count))
        } catch {
            if blocks.count == 1 {
                step.damages.append(ScrubDamage(blocks[0], "cannot be read (\(error))"))
                return
            }
            // One by one: only what cannot be read is lost.
            for item in blocks {
                let start = item.entry.location.offset / 4096 * 4096
                let end = (item.entry.end.offset + 4095) / 4096 * 4096
                try verify([item], start..<end, buffer, &step)
            }
            return
        }
        for item in blocks {
            let start = Int(item.entry.location.offset - range.lowerBound)
            let end = Int(item.entry.end.offset - range.lowerBound)
            let stored = unsafe UnsafeRawBufferPointer(buffer.slice(start..<end))
            if let problem = try unsafe problem(item, stored) {
                step.damages.append(ScrubDamage(item, problem))
            }
        }
    }

    /// What is wrong with a block's stored bytes.
    ///
    /// - Throws: kind `noMemory`.
    private func problem(
        _ item: ScrubBlock,
        _ stored: UnsafeRawBufferPointer
    ) throws(DiskError) -> String? {
        guard unsafe Checksum.crc32c(stored) == item.entry.checksum else {
            return "does not have the checksum it was written with"
        }
        guard let cipher else { return nil }
        do throws(AccelerationError) {
            // Not in place: a forged map may have two blocks there.
            try unsafe withUnsafeTemporaryAllocation(byteCount: stored.count, alignment: 16) {
                (plain) throws(AccelerationError) in
                try unsafe cipher.open(item.block, item.entry, stored, into: plain)
            }
            return nil
        } catch {
            let problem = "is not what was encrypted there"
            let failure = DiskError("scrub", at: item.entry.location, error, problem)
            if failure.kind == .noMemory { throw failure }
            return problem
        }
    }
}

/// A block to be verified.
struct ScrubBlock {
    let block: UInt64
    let entry: MapEntry
}

/// Something that scrubbing found to be damaged.
public struct ScrubDamage: Sendable, Equatable {
    /// The first block of the disk that cannot be read, and how many.
    public let block: UInt64
    /// How many from there on; all that a damaged page of the map leads to.
    public let blockCount: UInt64
    /// Where in the container it is, in bytes.
    public let offset: UInt64
    /// What is wrong.
    public let problem: String
    /// The snapshot that has it; nil for the disk itself.
    public internal(set) var snapshot: String?

    init(_ item: ScrubBlock, _ problem: String) {
        block = item.block
        blockCount = 1
        offset = item.entry.location.offset
        self.problem = problem
    }

    init(_ blocks: Range<UInt64>, at offset: UInt64, _ problem: String) {
        block = blocks.lowerBound
        blockCount = UInt64(blocks.count)
        self.offset = offset
        self.problem = problem
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

    /// - Returns: what the leaf refers to; nil if there is none any more.
    mutating func run() throws(DiskError) -> [ScrubBlock]? {
        while nextBlock < root.blockCount {
            if let leaf = try descend() { return leaf }
        }
        return nil
    }

    /// Goes down towards the next block.
    ///
    /// - Returns: nil if there is no leaf; then the next block is behind the hole, or the damage.
    private mutating func descend() throws(DiskError) -> [ScrubBlock]? {
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
                    into: page
                )
            } catch {
                if error.kind == .noMemory { throw error }
                damages.append(
                    ScrubDamage(
                        blocks,
                        at: entry.location.offset,
                        "a page of the map is damaged: \(error)"
                    )
                )
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
    ) -> [ScrubBlock] {
        var found: [ScrubBlock] = []
        for block in blocks where block >= nextBlock {
            let entry = MapPage.entry(page, Int(block - blocks.lowerBound))
            if !entry.isMapped { continue }
            if entry.isValid(in: engine.geometry) {
                found.append(ScrubBlock(block: block, entry: entry))
            } else {
                let item = ScrubBlock(block: block, entry: entry)
                damages.append(ScrubDamage(item, "is said to be where none can be"))
            }
        }
        nextBlock = blocks.upperBound
        return found
    }
}
