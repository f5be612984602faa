import FootingAcceleration
import FootingSystem

// Moving what is live out of a segment.
extension Engine {
    /// A segment to be emptied.
    private struct Victim {
        var segment: UInt32
        var entry: SegmentEntry
    }

    /// Blocks moved under one look at the map: clients wait for no longer than that takes.
    static let movedBlockCount = 16

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
                error.kind != .noSpace, error.kind != .noMemory
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
            if let identity = MapPage.identity(
                page,
                volume: volume,
                isEncrypted: geometry.isEncrypted
            ),
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
            let found = try CommitHeader.read(
                header,
                volume: volume,
                cipher,
                for: "collect segment"
            )
            guard let commit = found, commit.sequence == victim.entry.sequence, commit.page == page,
                commit.segment == victim.segment,
                page + commit.pageCount <= geometry.pagesPerSegment
            else {
                // Without its headers nobody knows what else is in there.
                return false
            }
            let live = try liveBlocks(victim, commit, header)
            if let first = live.first, let last = live.last {
                let pages = first.units.lowerBound / 8..<(last.units.upperBound + 7) / 8
                try load(page + 1 + pages.lowerBound..<page + 1 + pages.upperBound, victim, &window)
                let recompresses = isRecompressed(victim, commit)
                guard try move(live, page + 1, window, recompresses: recompresses) else {
                    return false
                }
            }
            liveCount += live.reduce(0) { $0 + $1.units.count }
            page += commit.pageCount
        }
        // The tree refers to this many: with fewer found, something in use was overlooked.
        return liveCount == Int(victim.entry.liveUnits)
    }

    /// A block that the map points to, and that is to be moved.
    struct Live {
        var block: UInt64
        var form: BlockForm
        var entry: MapEntry
        /// Where it is in the commit's payload, or in what was read.
        var units: Range<Int>
    }

    private func liveBlocks(
        _ victim: Victim,
        _ commit: CommitHeader,
        _ header: borrowing AlignedBuffer
    ) throws(DiskError) -> [Live] {
        let root = state.withLock { $0.superblock.mapRoot }
        let base = geometry.location(segment: victim.segment, page: commit.page + 1)
        var live: [Live] = []
        var end = 0
        for index in 0..<commit.descriptorCount {
            guard let descriptor = Descriptor.load(index, from: header) else { continue }
            let units = end..<end + descriptor.units
            end = units.upperBound
            guard end <= commit.payloadCount * Int(Geometry.unitsPerBlock) else { break }
            guard descriptor.kind == .data, descriptor.block < geometry.blockCount else { continue }
            let location = base.advanced(byUnits: units.lowerBound)
            let answer = try reader.find(descriptor.block, root: root)
            guard let entry = answer?.entry, entry.location == location, let form = entry.form,
                form.units == units.count
            else { continue }
            live.append(Live(block: descriptor.block, form: form, entry: entry, units: units))
        }
        return live
    }

    /// Whether blocks are compressed anew when they are moved: what was moved before, and what is
    /// in a segment since which a quarter as many were begun as there are.
    ///
    /// Not while writers wait for the space.
    private func isRecompressed(_ victim: Victim, _ commit: CommitHeader) -> Bool {
        guard compression.withLock({ $0.rewritesCold }) else { return false }
        return state.withLock { state in
            let age = age(of: victim.entry, state)
            let isCold = commit.stream == .collector || age >= UInt64(geometry.segmentCount / 4)
            return isCold && state.ready.count > segmentsReserved(state)
        }
    }

    /// Moves one commit's live blocks, whose payload begins at a page of the window.
    ///
    /// - Returns: false if one of them is damaged.
    private func move(
        _ live: [Live],
        _ firstPage: Int,
        _ window: borrowing SegmentWindow,
        recompresses: Bool
    ) throws(DiskError) -> Bool {
        if options.verifiesChecksums, cipher == nil {
            for item in live {
                let bytes = unsafe window.bytes(firstPage, item.units)
                guard unsafe Checksum.crc32c(bytes) == item.form.checksum else { return false }
            }
        }
        let slotBytes = BlockCoder.encodedBytesMax
        let scratchBytes = recompresses ? Self.movedBlockCount * slotBytes : 1
        let plainBytes = cipher == nil ? 0 : Self.movedBlockCount * 4096
        return try unsafe withUnsafeTemporaryAllocation(
            byteCount: plainBytes + scratchBytes,
            alignment: 16
        ) { (memory) throws(DiskError) in
            let plain = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[..<plainBytes])
            let scratch = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[plainBytes...])
            var start = 0
            while start < live.count {
                let group = live[start..<min(start + Self.movedBlockCount, live.count)]
                var blocks: [EncodedBlock] = unsafe []
                for item in group {
                    let bytes = unsafe window.bytes(firstPage, item.units)
                    guard let block = try unsafe reveal(item, bytes, plain, blocks.count) else {
                        return false
                    }
                    unsafe blocks.append(block)
                }
                if recompresses { unsafe recompress(&blocks, scratch) }
                try unsafe append(group.map(\.block), blocks)
                start = group.endIndex
            }
            return true
        }
    }

    /// A block that is to be moved: on an encrypted disk it is decrypted, and encrypted anew where
    /// it goes.
    ///
    /// - Returns: nil if it is damaged.
    /// - Throws: kind `noMemory`.
    func reveal(
        _ item: Live,
        _ bytes: UnsafeRawBufferPointer,
        _ memory: UnsafeMutableRawBufferPointer,
        _ index: Int
    ) throws(DiskError) -> EncodedBlock? {
        guard let cipher else { return unsafe EncodedBlock(item.form, bytes) }
        let place = unsafe UnsafeMutableRawBufferPointer(
            rebasing: memory[index * 4096..<index * 4096 + bytes.count]
        )
        do throws(AccelerationError) {
            try unsafe cipher.open(item.block, item.entry, bytes, into: place)
        } catch {
            if case .unavailable(let reason) = error {
                throw DiskError(.noMemory, "collect segment", reason)
            }
            return nil
        }
        return unsafe EncodedBlock(item.form, UnsafeRawBufferPointer(place))
    }

    /// Encodes with deflate what gets smaller by it.
    private func recompress(
        _ blocks: inout [EncodedBlock],
        _ scratch: UnsafeMutableRawBufferPointer
    ) {
        let size = BlockCoder.encodedBytesMax
        var count: UInt64 = 0
        for index in unsafe blocks.indices {
            let block = unsafe blocks[index]
            let place = unsafe UnsafeMutableRawBufferPointer(
                rebasing: scratch[index * size..<(index + 1) * size]
            )
            guard let form = unsafe coder.recompress(block.form, block.bytes, into: place) else {
                continue
            }
            let stored = unsafe UnsafeRawBufferPointer(rebasing: place[..<form.byteCount])
            unsafe blocks[index] = EncodedBlock(noted(form, instead: block.form), stored)
            count += 1
        }
        if count > 0 { state.withLock { $0.statistics.recompressedBlocks += count } }
    }

    /// What is noted of a block that was compressed anew.
    private func noted(_ form: BlockForm, instead old: BlockForm) -> BlockForm {
        guard options.leavesOutOfFeatures == .form, old.encoding != .plain else { return form }
        let encoding = UInt64(old.encoding.rawValue)
        let units = UInt64(form.units)
        return BlockForm(encoding: encoding, units: units, checksum: form.checksum) ?? form
    }

    /// Appends copies of blocks to the collector's commits, but for those that clients changed.
    func append(_ numbers: [UInt64], _ blocks: [EncodedBlock]) throws(DiskError) {
        var next = 0
        while next < numbers.count {
            let isBlocked = state.withLock { state -> Bool in
                while next < numbers.count {
                    guard unsafe append(numbers[next], blocks[next], &state) else { return true }
                    next += 1
                }
                return false
            }
            if isBlocked { try waitForCollectorBatch() }
        }
    }

    /// Appends a copy of a block to the collector's commit, unless a client changed it meanwhile.
    ///
    /// - Returns: false if no commit is free for it.
    private func append(
        _ number: UInt64,
        _ block: EncodedBlock,
        _ state: inout EngineState
    ) -> Bool {
        if overlayEntry(number, state) != nil { return true }
        if let open = state.collector.open, !open.hasRoom(forUnits: unsafe block.form.units) {
            seal(.collector, continues: false, &state)
        }
        if state.collector.open == nil && state.collector.free.isEmpty { return false }
        let batch = open(.collector, &state)
        let entry = unsafe batch.append(number, block.form, block.bytes)
        state.active.set(number, entry)
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
