import FootingSystem

// Moving what is live out of a segment.
extension Engine {
    /// A segment to be emptied.
    private struct Victim {
        var segment: UInt32
        var entry: SegmentEntry
    }

    /// Blocks moved under one look at the map: clients wait for no longer than that takes.
    private static let movedBlockCount = 16

    /// Empties a segment.
    func collect(_ segment: UInt32) throws(DiskError) {
        let entry = state.withLock { state in state.segments[Int(segment)] }
        let victim = Victim(segment: segment, entry: entry)
        var isIntact = true
        do throws(DiskError) {
            isIntact = try window.withLock { (window) throws(DiskError) in
                window.reset()
                return entry.state == .map
                    ? try collectMapPages(victim, &window) : try collectCommits(victim, &window)
            }
        } catch {
            // A bad sector, or a page of the map that is damaged: no reason to stop everything.
            guard error.operation == "collect segment" || error.operation == "read map page",
                error.kind != .noSpace
            else { throw error }
            isIntact = false
        }
        state.withLock { state in
            if !isIntact {
                // What cannot be read is not moved, and its segment is not used again: the rest of
                // it stays readable.
                state.segments[Int(segment)].isQuarantined = true
                return
            }
            if entry.state == .map {
                state.touchedSegments.insert(segment)
            } else {
                state.evacuated.append(segment)
            }
            state.statistics.segmentsCollected += 1
        }
    }

    private func load(
        _ pages: Range<Int>,
        _ victim: Victim,
        _ window: inout SegmentWindow
    ) throws(DiskError) {
        try unsafe window.load(pages, before: victim.entry.pagesWritten) {
            (page, buffer) throws(DiskError) in
            let offset = geometry.offset(segment: victim.segment, page: page)
            do throws(Errno) {
                try unsafe store.readDirectly(at: offset, into: buffer)
            } catch {
                throw DiskError("collect segment", offset: offset, cause: error)
            }
        }
    }

    /// Lists the live map pages of a segment for the next checkpoint to write again.
    private func collectMapPages(
        _ victim: Victim,
        _ window: inout SegmentWindow
    ) throws(DiskError) -> Bool {
        let page = AlignedBuffer(count: 4096)
        var touches: [MapPage.Identity] = []
        for index in 0..<victim.entry.pagesWritten {
            try load(index..<index + 1, victim, &window)
            unsafe page.copy(from: window.page(index), at: 0)
            if let identity = MapPage.identity(page, volume: volume),
                identity.level < geometry.levels
            {
                touches.append(identity)
            }
        }
        state.withLock { state in state.touches.append(contentsOf: touches) }
        return true
    }

    /// Copies the live blocks of a segment to the collector's stream; false if it is damaged.
    private func collectCommits(
        _ victim: Victim,
        _ window: inout SegmentWindow
    ) throws(DiskError) -> Bool {
        let header = AlignedBuffer(count: 4096)
        var page = 0
        var liveCount = 0
        while page < victim.entry.pagesWritten {
            try load(page..<page + 1, victim, &window)
            unsafe header.copy(from: window.page(page), at: 0)
            guard let commit = CommitHeader(header, volume: volume),
                commit.sequence == victim.entry.sequence, commit.page == page,
                commit.segment == victim.segment,
                page + commit.pageCount <= geometry.pagesPerSegment
            else {
                // Without its headers nobody knows what else is in there.
                return false
            }
            let live = try liveBlocks(victim, commit, header)
            if let first = live.first, let last = live.last {
                try load(page + 1 + first.slot..<page + 2 + last.slot, victim, &window)
                guard try move(live, page + 1, window) else { return false }
            }
            liveCount += live.count
            page += commit.pageCount
        }
        // The tree refers to this many: with fewer found, something in use was overlooked.
        return liveCount == Int(victim.entry.liveUnits / UInt32(Geometry.unitsPerBlock))
    }

    /// A block of the victim that the map still points to.
    private struct Live {
        var block: UInt64
        var entry: MapEntry
        var slot: Int
    }

    private func liveBlocks(
        _ victim: Victim,
        _ commit: CommitHeader,
        _ header: borrowing AlignedBuffer
    ) throws(DiskError) -> [Live] {
        let root = state.withLock { $0.superblock.root }
        let base = geometry.location(segment: victim.segment, page: commit.page + 1)
        var live: [Live] = []
        var slot = 0
        for index in 0..<commit.descriptorCount {
            guard let descriptor = Descriptor.load(index, from: header) else { continue }
            guard descriptor.hasPayload else { continue }
            defer { slot += 1 }
            guard slot < commit.payloadCount else { break }
            guard descriptor.kind == .data, descriptor.block < geometry.blockCount else { continue }
            let location = base.advanced(byBlocks: slot)
            let answer = try reader.find(descriptor.block, root: root)
            guard let entry = answer?.entry, entry.location == location else { continue }
            live.append(Live(block: descriptor.block, entry: entry, slot: slot))
        }
        return live
    }

    /// Moves one commit's live blocks, whose payload begins at a page of the window.
    ///
    /// - Returns: false if one of them is damaged.
    private func move(
        _ live: [Live],
        _ firstPage: Int,
        _ window: borrowing SegmentWindow
    ) throws(DiskError) -> Bool {
        if options.verifiesChecksums {
            for item in live {
                let bytes = unsafe window.page(firstPage + item.slot)
                guard unsafe Checksum.crc32c(bytes) == item.entry.checksum else { return false }
            }
        }
        var next = 0
        while next < live.count {
            let isBlocked = state.withLock { state -> Bool in
                let end = min(next + Self.movedBlockCount, live.count)
                while next < end {
                    let item = live[next]
                    let bytes = unsafe window.page(firstPage + item.slot)
                    guard unsafe append(item, bytes, &state) else { return true }
                    next += 1
                }
                return false
            }
            if isBlocked { try waitForCollectorBatch() }
        }
        return true
    }

    /// Appends a copy of a block to the collector's commit, unless a client changed it meanwhile.
    ///
    /// - Returns: false if no commit is free for it.
    private func append(
        _ item: Live,
        _ bytes: UnsafeRawBufferPointer,
        _ state: inout EngineState
    ) -> Bool {
        if overlayEntry(item.block, state) != nil { return true }
        if let open = state.collector.open, !open.hasRoomForBlock {
            seal(.collector, continues: false, &state)
        }
        if state.collector.open == nil && state.collector.free.isEmpty { return false }
        let batch = open(.collector, &state)
        let entry = unsafe batch.append(item.block, bytes, checksum: item.entry.checksum)
        state.active.set(item.block, entry)
        state.statistics.blocksMoved += 1
        return true
    }

    func waitForCollectorBatch() throws(DiskError) {
        if drive == .callers {
            guard try commitStep() else { preconditionFailure("a sealed commit is missing") }
            return
        }
        try state.withLock { (state) throws(DiskError) in
            while state.collector.free.isEmpty {
                if let failure = state.failure { throw failure }
                try requireUnblocked(state)
                self.state.wakeAll(on: Condition.committer)
                self.state.wait(&state, on: Condition.progress, nanoseconds: 100_000_000)
            }
        }
    }
}
