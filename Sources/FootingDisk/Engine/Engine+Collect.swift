import FootingSystem

// Winning space back: move what is live out of a segment, so that a checkpoint can free it.
extension Engine {
    /// A segment to be emptied.
    private struct Victim {
        var segment: UInt32
        var entry: SegmentEntry
    }

    /// Segments fuller than this are not worth the work: 31/32.
    private static let worthwhileNumerator = 31
    private static let worthwhileDenominator = 32
    /// After so many checkpoints that gave writers no room there is none to be won.
    private static let spaceRoundCountMax = 64

    /// Does the most urgent piece of background work, if there is any.
    ///
    /// - Returns: whether there was.
    func maintenanceStep() throws(DiskError) -> Bool {
        do throws(DiskError) {
            switch nextTask() {
            case .none: return false
            case .grow: _ = try grow()
            case .checkpoint: try checkpoint()
            case .collect(let segment): try collect(segment)
            case .release: try release()
            case .stick:
                let now = clock.nanoseconds
                state.withLock { state in
                    state.isStuck = true
                    state.hostFullNanoseconds = now
                }
                state.wakeAll(on: Condition.progress)
                return false
            }
            return true
        } catch {
            // What lacks space can be tried again; anything else ends the engine.
            if error.kind != .noSpace {
                fail(error)
                throw error
            }
            let now = clock.nanoseconds
            state.withLock { state in
                state.hostIsFull = true
                state.hostFullNanoseconds = now
                state.isStuck = true
            }
            state.wakeAll(on: Condition.progress)
            return false
        }
    }

    private enum Task {
        case none
        case grow
        case checkpoint
        case collect(UInt32)
        case release
        case stick
    }

    /// How long the host is left alone after it refused space.
    private static let hostFullRetryNanoseconds: UInt64 = 1_000_000_000

    private func nextTask() -> Task {
        let now = clock.nanoseconds
        return state.withLock { state -> Task in
            if state.failure != nil || state.isClosed { return .none }
            if state.hostIsFull || state.isStuck,
                now &- state.hostFullNanoseconds > Self.hostFullRetryNanoseconds
            {
                state.hostIsFull = false
                state.isStuck = false
            }
            if isCheckpointDue(now, state) { return .checkpoint }
            if state.ready.count >= segmentsWanted(state) { return .none }
            if prefersGrowth(state) { return .grow }
            return spaceTask(&state)
        }
    }

    private func isCheckpointDue(_ now: UInt64, _ state: borrowing EngineState) -> Bool {
        if state.checkpointRequested { return true }
        if state.isStuck { return false }
        if state.logBytesSinceCheckpoint >= options.checkpointLogBytes { return true }
        if state.active.deltas.count >= options.deltaCountMax { return true }
        if state.active.trims.ranges.count >= options.trimRangeCountMax { return true }
        let isIdle = now &- state.lastWriteNanoseconds >= options.checkpointIdleNanoseconds
        return isIdle && !state.active.isEmpty
    }

    /// What to do when free segments run low and the container should not grow.
    private func spaceTask(_ state: inout EngineState) -> Task {
        if state.isStuck { return .none }
        if state.mustCheckpoint { return .checkpoint }
        if state.ready.count > segmentsReserved(state) { state.spaceRoundCount = 0 }
        // The collector must leave the map what it needs.
        let isLow = state.ready.count <= segmentsForMap(state) + Geometry.collectorWork
        if state.evacuated.count >= Self.releaseCount || (isLow && !state.evacuated.isEmpty) {
            state.spaceRoundCount += 1
            return .release
        }
        if state.spaceRoundCount <= Self.spaceRoundCountMax {
            if !isLow, let victim = chooseVictim(state) {
                return isCheckpointCheaper(than: victim, state) ? .checkpoint : .collect(victim)
            }
            if !state.evacuated.isEmpty { return .release }
            let hasNews = !state.active.isEmpty || state.frozen != nil || !state.touches.isEmpty
            if hasNews {
                state.spaceRoundCount += 1
                return .checkpoint
            }
        }
        if !state.virgin.isEmpty, !state.hostIsFull { return .grow }
        state.spaceRoundCount = 0
        return state.ready.count > segmentsReserved(state) ? .none : .stick
    }

    /// Whether a checkpoint wins more than emptying a segment: it tells which segments died since
    /// the last one, and after sequential writes it costs next to nothing.
    private func isCheckpointCheaper(
        than victim: UInt32,
        _ state: borrowing EngineState
    ) -> Bool {
        let deltas = state.active.deltas.count
        guard deltas >= 2 * geometry.pagesPerSegment else { return false }
        let pagesOfCheckpoint = state.active.leafCountEstimate * 2 + geometry.levels
        let pagesOfVictim =
            Int(state.segments[Int(victim)].liveUnits) / Int(Geometry.unitsPerBlock)
        return pagesOfCheckpoint * 4 <= deltas && pagesOfCheckpoint <= pagesOfVictim
    }

    /// Segments that share the flush after which they are free.
    private static let releaseCount = 6

    /// Frees the segments that were emptied.
    ///
    /// The tree of the last checkpoint still points into them, but the log after it has newer
    /// copies of all of that, and a recovery replays the log: once the log is durable up to here,
    /// nothing can lead back to them. Commits that a recovery may need are never in them: the
    /// collector chooses only segments that were complete at the last checkpoint.
    private func release() throws(DiskError) {
        let target = state.withLock { state -> UInt64 in
            // Clients' newer copies count as well, so theirs must be durable too.
            seal(.user, continues: false, &state)
            seal(.collector, continues: false, &state)
            return state.sealedLSN
        }
        try writeCommits(upTo: target)
        try synchronizeStore("release segments")
        state.withLock { state in
            state.durableLSN = max(state.durableLSN, target)
            waitForReaders(&state)
            for segment in state.evacuated {
                state.segments[Int(segment)].state = .free
                state.segments[Int(segment)].pagesWritten = 0
                state.ready.append(segment)
            }
            state.evacuated = []
            state.isStuck = false
        }
        state.wakeAll(on: Condition.progress)
    }

    /// Cost-benefit (Rosenblum and Ousterhout 1992): space won times age, over the work.
    ///
    /// While writers wait, the emptiest: with little room to move, old but nearly full segments
    /// would keep the collector busy and win nothing.
    private func chooseVictim(_ state: borrowing EngineState) -> UInt32? {
        let isTight = state.ready.count <= segmentsReserved(state)
        var best: (segment: UInt32, score: Double)?
        var deadPages = 0
        for index in state.segments.indices {
            let entry = state.segments[index]
            let segment = UInt32(index)
            let live = Int(entry.liveUnits)
            // A segment is full when its payload is: moving it would need as many headers again.
            let pages =
                entry.state == .map
                ? geometry.pagesPerSegment : Int(geometry.payloadPerSegment)
            let capacity = pages * Int(Geometry.unitsPerBlock)
            guard entry.state != .free, !entry.isQuarantined, live > 0,
                live * Self.worthwhileDenominator < capacity * Self.worthwhileNumerator,
                state.lastLSN[index] <= state.superblock.lsn,
                !isHead(segment, state), !state.evacuated.contains(segment),
                !state.touchedSegments.contains(segment)
            else { continue }
            deadPages += pages - live / Int(Geometry.unitsPerBlock)
            let used = Double(live) / Double(capacity)
            let age = Double(state.nextSequence - entry.sequence)
            let score = isTight ? 1 - used : age * (1 - used) / (1 + used)
            if score > best?.score ?? 0 { best = (segment, score) }
        }
        // Less than a segment in all of them: moving everything would not free one.
        return deadPages < geometry.pagesPerSegment ? nil : best?.segment
    }

    private func isHead(_ segment: UInt32, _ state: borrowing EngineState) -> Bool {
        segment == state.user.head.segment || segment == state.user.head.next
            || segment == state.collector.head.segment || segment == state.collector.head.next
            || segment == state.mapHead?.segment
    }

    /// Empties a segment.
    private func collect(_ segment: UInt32) throws(DiskError) {
        let entry = state.withLock { state in state.segments[Int(segment)] }
        let victim = Victim(segment: segment, entry: entry)
        var isIntact = true
        do throws(DiskError) {
            if entry.state == .map {
                try collectMapPages(victim)
            } else {
                isIntact = try collectCommits(victim)
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

    /// Lists the live map pages of a segment for the next checkpoint to write again.
    private func collectMapPages(_ victim: Victim) throws(DiskError) {
        let page = AlignedBuffer(count: 4096)
        var touches: [MapPage.Identity] = []
        for index in 0..<victim.entry.pagesWritten {
            try readPage(victim, index, into: page)
            if let identity = MapPage.identity(page, volume: volume),
                identity.level < geometry.levels
            {
                touches.append(identity)
            }
        }
        state.withLock { state in state.touches.append(contentsOf: touches) }
    }

    /// Copies the live blocks of a segment to the collector's stream; false if it is damaged.
    private func collectCommits(_ victim: Victim) throws(DiskError) -> Bool {
        let header = AlignedBuffer(count: 4096)
        let payload = AlignedBuffer(count: Geometry.entriesPerPage * 4096)
        var page = 0
        var liveCount = 0
        while page < victim.entry.pagesWritten {
            try readPage(victim, page, into: header)
            guard let commit = CommitHeader(header, volume: volume),
                commit.sequence == victim.entry.sequence, commit.page == page,
                commit.segment == victim.segment,
                page + commit.pageCount <= geometry.pagesPerSegment
            else {
                // Without its headers nobody knows what else is in there.
                return false
            }
            guard let count = try collectCommit(victim, commit, header, payload) else {
                return false
            }
            liveCount += count
            page += commit.pageCount
        }
        // The tree refers to this many: with fewer found, something in use was overlooked.
        return liveCount == Int(victim.entry.liveUnits / UInt32(Geometry.unitsPerBlock))
    }

    private func readPage(
        _ victim: Victim,
        _ page: Int,
        into buffer: borrowing AlignedBuffer
    ) throws(DiskError) {
        let offset = geometry.offset(segment: victim.segment, page: page)
        do throws(Errno) {
            try unsafe store.readOnce(at: offset, into: buffer.slice(0..<4096))
        } catch {
            throw DiskError("collect segment", offset: offset, cause: error)
        }
    }

    /// A block of the victim that the map still points to.
    private struct Live {
        var block: UInt64
        var entry: MapEntry
        var slot: Int
    }

    /// Moves one commit's live blocks.
    ///
    /// - Returns: how many the tree refers to; nil if one of them is damaged.
    private func collectCommit(
        _ victim: Victim,
        _ commit: CommitHeader,
        _ header: borrowing AlignedBuffer,
        _ payload: borrowing AlignedBuffer
    ) throws(DiskError) -> Int? {
        let live = try liveBlocks(victim, commit, header)
        guard let first = live.first, let last = live.last else { return 0 }
        let span = last.slot - first.slot + 1
        let offset = geometry.offset(
            segment: victim.segment,
            page: commit.page + 1 + first.slot
        )
        do throws(Errno) {
            try unsafe store.readOnce(at: offset, into: payload.slice(0..<span * 4096))
        } catch {
            throw DiskError("collect segment", offset: offset, cause: error)
        }
        for item in live {
            let at = (item.slot - first.slot) * 4096
            let bytes = unsafe UnsafeRawBufferPointer(payload.slice(at..<at + 4096))
            if options.verifiesChecksums,
                unsafe Checksum.crc32c(bytes) != item.entry.checksum
            {
                return nil
            }
            try unsafe move(item, bytes)
        }
        return live.count
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

    /// Appends a copy of a block to the collector's commit, unless a client changed it meanwhile.
    private func move(_ item: Live, _ bytes: UnsafeRawBufferPointer) throws(DiskError) {
        while true {
            let isDone = state.withLock { state -> Bool in
                if overlayEntry(item.block, state) != nil { return true }
                if let open = state.collector.open, !open.hasRoomForBlock {
                    seal(.collector, continues: false, &state)
                }
                if state.collector.open == nil && state.collector.free.isEmpty { return false }
                let batch = open(.collector, &state)
                let entry = unsafe batch.append(
                    item.block,
                    bytes,
                    checksum: item.entry.checksum
                )
                state.active.set(item.block, entry)
                state.statistics.blocksMoved += 1
                return true
            }
            if isDone { return }
            try waitForCollectorBatch()
        }
    }

    private func waitForCollectorBatch() throws(DiskError) {
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
