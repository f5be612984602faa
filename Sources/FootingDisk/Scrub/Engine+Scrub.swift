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

    /// Looks for the next leaf of the map, or verifies a piece of what the leaf refers to: from the
    /// store, and not from memory.
    ///
    /// Checkpoints and the collector wait for a step as they do for a client's read. So it is
    /// short: it begins no other read when some time or some bytes are over. What clients or the
    /// collector have written since the last checkpoint is left out: the next pass finds it in the
    /// map.
    func scrubStep() throws(DiskError) -> ScrubStep {
        let limit = ScrubLimit(clock)
        let (view, parity) = state.withLock { state -> (ScrubView, Int) in
            state.readers[state.readerParity] += 1
            return (ScrubView(state), state.readerParity)
        }
        // Nothing that this may read is used again before that.
        defer { endRead(parity) }
        var step = ScrubStep()
        var next = view.position
        guard let root = view.root else {
            step.isAtEnd = true
            take(step, next: ScrubPosition())
            return step
        }
        let leavesOut = options.leavesOutOfFeatures
        if let leaf = scrubLeaf.withLock({ $0.take() }), leaf.isNext(view, leavesOut) {
            // Where another tree is the current one by now: from there on once more.
            guard try verify(leaf, view, limit, &next, &step) else { return step }
        } else {
            var search = LeafSearch(engine: self, root: root, from: view.position.block)
            let leaf = try search.run(limit)
            step.byteCount = search.byteCount
            if isOutdated(view) { return step }
            step.damages = search.damages
            next.block = search.nextBlock
            if let leaf {
                next.block = leaf.next
                scrubLeaf.withLock { $0 = leaf.within(view) }
            } else if search.isAtEnd {
                next = ScrubPosition(snapshot: view.nextSnapshot ?? 0, block: 0)
                step.isAtEnd = view.nextSnapshot == nil
            }
        }
        for index in step.damages.indices {
            step.damages[index].snapshot = view.name
            step.damages[index].snapshotIdentifier = view.position.snapshot
        }
        take(step, next: next)
        return step
    }

    /// Notes what a step did: a checkpoint makes where it goes on and what was found durable at
    /// once, or neither.
    private func take(_ step: ScrubStep, next: ScrubPosition) {
        let now = clock.unixSeconds
        state.withLock { $0.scrub.take(step, next: next, unixSeconds: now) }
    }

    /// Whether what was found in the disk's tree may be that of an older one.
    private func isOutdated(_ view: ScrubView) -> Bool {
        if view.position.snapshot > 0 { return false }
        return state.withLock { $0.superblock.generation != view.generation }
    }

    // MARK: - Verifying

    /// Verifies blocks of a leaf, in their order, until the step is over.
    ///
    /// - Returns: false if the overlays no longer tell what this tree lacks.
    private func verify(
        _ leaf: ScrubLeaf,
        _ view: ScrubView,
        _ limit: ScrubLimit,
        _ next: inout ScrubPosition,
        _ step: inout ScrubStep
    ) throws(DiskError) -> Bool {
        var leaf = leaf
        let piece = Array(leaf.blocks.prefix(ScrubLimit.blockCountMax))
        guard let blocks = wanted(piece, view) else { return false }
        let buffer = try options.buffers.buffer(for: "scrub", count: ScrubLimit.readBytesMax)
        // After the piece, if all of it can be done now.
        var rest = leaf.blocks.dropFirst(piece.count)
        var index = 0
        while index < blocks.count {
            let count = try verify(blocks[index...], &leaf, buffer, &step)
            index += count
            if index < blocks.count, limit.isOver(step.byteCount) {
                rest = leaf.blocks.drop { $0.block < blocks[index].block }
                break
            }
        }
        leaf.blocks = rest
        next.block = options.leavesOutOfFeatures == .rest ? leaf.end : leaf.next
        if !rest.isEmpty { scrubLeaf.withLock { $0 = leaf } }
        return true
    }

    /// The blocks that are where the leaf says, and were not verified with the disk itself.
    ///
    /// - Returns: nil if the overlays no longer tell what this tree lacks.
    private func wanted(_ leaf: [ScrubBlock], _ view: ScrubView) -> [ScrubBlock]? {
        if view.position.snapshot == 0 {
            return state.withLock { state -> [ScrubBlock]? in
                if state.superblock.generation != view.generation { return nil }
                return leaf.filter { overlayEntry($0.block, state) == nil }
            }
        }
        return leaf.filter { item in
            // Where the disk's own map cannot be read, nothing is known to be the same: that damage
            // was told with the disk, and ends nothing here.
            let live =
                item.block < view.liveRoot.blockCount
                ? (try? reader.find(item.block, root: view.liveRoot)) ?? nil : nil
            return live?.entry != item.entry
        }
    }

    /// Verifies the first of some blocks, and those that lie right behind it in the container.
    ///
    /// - Returns: how many these were.
    private func verify(
        _ blocks: ArraySlice<ScrubBlock>,
        _ leaf: inout ScrubLeaf,
        _ buffer: borrowing AlignedBuffer,
        _ step: inout ScrubStep
    ) throws(DiskError) -> Int {
        guard let head = blocks.first else { return 0 }
        guard head.entry.isValid(in: geometry) else {
            step.damages.append(ScrubDamage(head, .impossible))
            return 1
        }
        let start = head.entry.location.offset / 4096 * 4096
        var run: [ScrubBlock] = []
        var end = start
        for item in blocks {
            // What is near is read in one go, unless it cannot be.
            let isTrouble = leaf.troubleEnd > head.block
            guard run.isEmpty || !isTrouble, item.entry.isValid(in: geometry) else { break }
            let stop = (item.entry.end.offset + 4095) / 4096 * 4096
            guard item.entry.location.offset >= start, stop >= end,
                item.entry.location.offset <= end + 65536, stop - start <= UInt64(buffer.count)
            else { break }
            end = stop
            run.append(item)
        }
        step.byteCount += end - start
        do throws(Errno) {
            let bytes = unsafe buffer.slice(0..<Int(end - start))
            try unsafe store.readFromDevice(at: start, into: bytes)
        } catch {
            if run.count > 1, let last = run.last {
                // One by one from here on: only what cannot be read is lost.
                leaf.troubleEnd = last.block + 1
                return 0
            }
            step.damages.append(ScrubDamage(head, .unreadable, "\(error)"))
            return 1
        }
        for item in run {
            let from = Int(item.entry.location.offset - start)
            let to = Int(item.entry.end.offset - start)
            let stored = unsafe UnsafeRawBufferPointer(buffer.slice(from..<to))
            if let kind = try unsafe problem(item, stored) {
                step.damages.append(ScrubDamage(item, kind))
            }
        }
        return run.count
    }

    /// What is wrong with a block's stored bytes.
    ///
    /// - Throws: kind `noMemory`.
    private func problem(
        _ item: ScrubBlock,
        _ stored: UnsafeRawBufferPointer
    ) throws(DiskError) -> ScrubDamage.Kind? {
        guard unsafe Checksum.crc32c(stored) == item.entry.checksum else { return .checksum }
        guard let cipher else { return nil }
        do throws(AccelerationError) {
            // Not in place: a forged map may have two blocks there.
            try unsafe withUnsafeTemporaryAllocation(byteCount: stored.count, alignment: 16) {
                (plain) throws(AccelerationError) in
                try unsafe cipher.open(item.block, item.entry, stored, into: plain)
            }
            return nil
        } catch {
            let kind = ScrubDamage.Kind.forged
            let failure = DiskError("scrub", at: item.entry.location, error, kind.text)
            if failure.kind == .noMemory { throw failure }
            return kind
        }
    }
}

/// What a step of scrubbing goes by.
struct ScrubView {
    private(set) var position: ScrubPosition
    let generation: UInt64
    /// Nil where the snapshot is gone, and none came after it.
    let root: MapRoot?
    let liveRoot: MapRoot
    let name: String?
    let nextSnapshot: UInt64?

    init(_ state: borrowing EngineState) {
        position = state.scrub.position
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
        let wanted = position.snapshot
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

/// When a step of scrubbing begins no other read.
struct ScrubLimit {
    /// Blocks of a leaf in a step.
    static let blockCountMax = 64
    /// Bytes of one read.
    static let readBytesMax = 128 << 10
    /// How long a step lasts, but for the last of its reads.
    private static let nanosecondsMax: UInt64 = 2_000_000
    private static let bytesMax: UInt64 = 256 << 10

    private let clock: any TimeSource
    private let start: UInt64

    init(_ clock: any TimeSource) {
        self.clock = clock
        start = clock.nanoseconds
    }

    func isOver(_ byteCount: UInt64) -> Bool {
        byteCount >= Self.bytesMax || clock.nanoseconds &- start >= Self.nanosecondsMax
    }
}
