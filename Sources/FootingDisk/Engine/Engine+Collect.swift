import FootingSystem

// Winning space back: move what is live out of a segment, so that a checkpoint can free it.
extension Engine {
    /// Segments fuller than this are not worth the work.
    static let worthwhileFill = SegmentFill(used: 31, of: 32)
    /// After so many rounds without more free segments than ever there are none to be won.
    ///
    /// One round can win less than a segment, or cost some: a checkpoint writes pages.
    private static let spaceRoundCountMax = 64

    /// Does the most urgent piece of background work, if there is any.
    ///
    /// - Returns: whether there was.
    func maintenanceStep() throws(DiskError) -> Bool {
        do throws(DiskError) {
            switch nextTask() {
            case .none: return false
            case .grow: _ = try grow()
            case .prepare(let segment): prepare(segment)
            case .checkpoint: try checkpoint()
            case .noteFeature: try noteSnapshotsFeature()
            case .resize: try performResize()
            case .collect(let segment): try collect(segment)
            case .release: try release()
            case .finishCompaction: finishCompaction()
            case .rearrange(let blocks): try rearrange(blocks)
            case .stick:
                let now = clock.nanoseconds
                state.withLock { state in
                    state.isStuck = true
                    state.hostFullNanoseconds = now
                    state.compaction.giveUp(fullError(state))
                }
                state.wakeAll(on: Condition.progress)
                return false
            }
            return true
        } catch {
            // What lacks space or memory can be tried again; anything else ends the engine.
            let isMemory = error.kind == .noMemory && state.withLock { $0.failure == nil }
            if error.kind != .noSpace, !isMemory {
                fail(error)
                throw error
            }
            let now = clock.nanoseconds
            state.withLock { state in
                state.hostIsFull = error.cause != nil && !isMemory || state.hostIsFull
                state.hostFullNanoseconds = now
                state.isStuck = true
                state.stuckRefusal = isMemory ? error : nil
                state.compaction.giveUp(error)
            }
            state.wakeAll(on: Condition.progress)
            return false
        }
    }

    /// A piece of background work.
    enum MaintenanceTask {
        case none
        case grow
        case prepare(UInt32)
        case checkpoint
        case noteFeature
        case resize
        case collect(UInt32)
        case release
        case finishCompaction
        case rearrange(Range<UInt64>)
        case stick
    }

    /// How long the host is left alone after it refused space.
    private static let hostFullRetryNanoseconds: UInt64 = 1_000_000_000

    private func nextTask() -> MaintenanceTask {
        let now = clock.nanoseconds
        return state.withLock { state -> MaintenanceTask in
            if state.failure != nil || state.isClosed { return .none }
            if state.hostIsFull || state.isStuck,
                now &- state.hostFullNanoseconds > Self.hostFullRetryNanoseconds
            {
                state.hostIsFull = false
                state.isStuck = false
            }
            if state.snapshots.isFeatureWanted { return .noteFeature }
            if state.resizeWanted != nil { return .resize }
            if isCheckpointDue(now, state) { return .checkpoint }
            if state.ready.count < segmentsWanted(state) {
                if prefersGrowth(state) { return .grow }
                let task = spaceTask(&state)
                guard case .none = task else { return task }
            }
            if state.isStuck { return .none }
            let compaction = compactionTask(&state)
            guard case .none = compaction else { return compaction }
            let preparation = preparationTask(&state)
            guard case .none = preparation else { return preparation }
            return upkeepTask(&state)
        }
    }

    private func isCheckpointDue(_ now: UInt64, _ state: borrowing EngineState) -> Bool {
        if state.checkpointRequested { return true }
        if state.isStuck { return false }
        // Until then no segment is released.
        if state.hasPendingSnapshot && options.leavesOut != .release { return true }
        if state.logBytesSinceCheckpoint >= options.checkpointLogBytes { return true }
        if state.active.deltas.count >= state.memory.deltaCountMax { return true }
        if state.active.trims.ranges.count >= options.trimRangeCountMax { return true }
        let isIdle = now &- state.lastWriteNanoseconds >= options.checkpointIdleNanoseconds
        return isIdle && !state.active.isEmpty
    }

    /// What to do when free segments run low and the container should not grow.
    private func spaceTask(_ state: inout EngineState) -> MaintenanceTask {
        if state.isStuck { return .none }
        if state.ready.count > max(state.spaceRoundBest, segmentsReserved(state)) {
            state.startSpaceRounds()
        } else if state.ready.count > state.spaceRoundBest {
            state.spaceRoundBest = state.ready.count
            state.spaceRoundCount = 0
        }
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
            let hasNews = !state.active.isEmpty || !state.frozen.isEmpty || !state.touches.isEmpty
            if hasNews {
                state.spaceRoundCount += 1
                return .checkpoint
            }
        }
        if !state.virgin.isEmpty, !state.hostIsFull { return .grow }
        state.startSpaceRounds()
        // Enough for writers may be too little for a snapshot.
        state.snapshots.isShort = state.snapshots.isSpaceWanted
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
    static let releaseCount = 6

    /// Frees the segments that were emptied.
    ///
    /// The tree of the last checkpoint still points into them, but the log after it has newer
    /// copies of all of that, and a recovery replays the log: once the log is durable up to here,
    /// nothing can lead back to them. Commits that a recovery may need are never in them: the
    /// collector chooses only segments that were complete at the last checkpoint. The log says that
    /// they are free, so that a recovery has no fewer free segments than there were.
    ///
    /// A snapshot whose tree is not written yet needs what the old tree points to, unless all of
    /// that was copied before it: so nothing is released until it is.
    private func release() throws(DiskError) {
        while true {
            switch noteReleases() {
            case .noted: break
            case .noBatch:
                try waitForCollectorBatch()
                continue
            case .notNow: return
            }
            break
        }
        let target = state.withLock { state -> UInt64 in
            // Clients' newer copies count as well, so theirs must be durable too.
            seal(.user, continues: false, &state)
            seal(.collector, continues: false, &state)
            return state.sealedLSN
        }
        try writeCommits(upTo: target)
        if options.leavesOutOfFeatures != .copies { try synchronizeStore("release segments") }
        let old = state.withLock { state -> Int in
            state.durableLSN = max(state.durableLSN, target)
            return state.turnReaders()
        }
        waitForReaders(old)
        state.withLock { state in
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

    private enum ReleaseNote {
        case noted
        /// No commit is free for it.
        case noBatch
        /// A snapshot may need them.
        case notNow
    }

    /// Writes the emptied segments' numbers into the collector's commit.
    private func noteReleases() -> ReleaseNote {
        state.withLock { state in
            if state.hasPendingSnapshot && options.leavesOut != .release { return .notNow }
            if let open = state.collector.open,
                open.descriptorCount + state.evacuated.count > geometry.descriptorsPerCommit
            {
                seal(.collector, continues: false, &state)
            }
            if state.collector.open == nil && state.collector.free.isEmpty { return .noBatch }
            // Clients' newer copies come before it in the log: only then may it say so.
            seal(.user, continues: false, &state)
            let batch = open(.collector, &state)
            for segment in state.evacuated {
                batch.append(Descriptor(kind: .release, block: UInt64(segment), value: 0))
            }
            return .noted
        }
    }

    /// Cost-benefit (Rosenblum and Ousterhout 1992): space won times age, over the work.
    ///
    /// While writers wait, the emptiest: with little room to move, old but nearly full segments
    /// would keep the collector busy and win nothing.
    ///
    /// - Parameters:
    ///   - sequenceEnd: for a compaction: only segments whose use began before, and the emptiest
    ///     first.
    ///   - fullest: those that are fuller are not worth the work.
    func chooseVictim(
        _ state: borrowing EngineState,
        before sequenceEnd: UInt64? = nil,
        fullest: SegmentFill = Engine.worthwhileFill
    ) -> UInt32? {
        let isTight = sequenceEnd != nil || state.ready.count <= segmentsReserved(state)
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
            guard entry.state != .free, live > 0, fullest.exceeds(UInt64(live), UInt64(capacity)),
                entry.sequence < sequenceEnd ?? .max, canBeEmptied(index, state)
            else { continue }
            deadPages += pages - live / Int(Geometry.unitsPerBlock)
            let used = Double(live) / Double(capacity)
            let age = Double(age(of: entry, state))
            let score = isTight ? 1 - used : age * (1 - used) / (1 + used)
            if score > best?.score ?? 0 { best = (segment, score) }
        }
        // Less than a segment in all of them: moving everything would not free one.
        return deadPages < geometry.pagesPerSegment ? nil : best?.segment
    }

    /// Whether a segment is not needed as it is: by a snapshot, by the log, or by who empties it
    /// already.
    func canBeEmptied(_ index: Int, _ state: borrowing EngineState) -> Bool {
        let segment = UInt32(index)
        return !state.segments[index].isQuarantined && !isPinned(index, state)
            && state.lastLSN[index] <= state.superblock.lsn && !isHead(segment, state)
            && !state.evacuated.contains(segment) && !state.touchedSegments.contains(segment)
    }

    /// How many segments were begun since one was.
    ///
    /// On encrypted disks numbers leap with each opening: what is older is as old as anything gets.
    func age(of entry: SegmentEntry, _ state: borrowing EngineState) -> UInt64 {
        let age = state.nextSequence - entry.sequence
        return cipher == nil ? age : min(age, 4 * UInt64(geometry.segmentCount))
    }

    private func isHead(_ segment: UInt32, _ state: borrowing EngineState) -> Bool {
        segment == state.user.head.segment || segment == state.user.head.next
            || segment == state.collector.head.segment || segment == state.collector.head.next
            || segment == state.mapHead?.segment
    }
}
