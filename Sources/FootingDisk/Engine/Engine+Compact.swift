import FootingSystem

/// How far a compaction has come.
public struct CompactionStatus: Sendable, Equatable {
    /// Whether one is under way.
    public internal(set) var isRunning = false
    /// Segments that were emptied.
    public internal(set) var doneCount = 0
    /// Segments of which some part was outdated when it began; not all of them pay.
    public internal(set) var totalCount = 0
    /// Bytes of segments that it made free and gave back to the host.
    public internal(set) var returnedBytes: UInt64 = 0
    /// Bytes of which the host has been told at its end that nothing needs them.
    public internal(set) var discardedBytes: UInt64 = 0
    /// Bytes of which it is to be told.
    ///
    /// What was free before counts as well: it may have space from an earlier opening.
    public internal(set) var unusedBytes: UInt64 = 0
    /// Why the last one ended early; nil if it did not.
    public internal(set) var failure: DiskError?

    /// None was asked for.
    public init() {}

    /// Two are the same; failures by what they say.
    public static func == (left: Self, right: Self) -> Bool {
        left.isRunning == right.isRunning && left.doneCount == right.doneCount
            && left.totalCount == right.totalCount && left.returnedBytes == right.returnedBytes
            && left.discardedBytes == right.discardedBytes
            && left.unusedBytes == right.unusedBytes
            && left.failure?.description == right.failure?.description
    }
}

/// A compaction that is under way or has ended.
struct Compaction: Sendable {
    var status = CompactionStatus()
    /// Segments whose use began before: each is emptied once at most.
    var sequenceEnd: UInt64 = 0
    /// The checkpoint at the beginning, which tells what is outdated, and the one at the end.
    var hasBegun = false
    var hasSettled = false
    /// What the host is still to be told of; nil before the end.
    var unused: [Range<UInt64>]?
    /// How many of these it did not win itself.
    var otherCount = 0
    var isStopping = false
    /// Nobody asked for it: it goes on while clients leave the disk alone.
    var isUnasked = false
    /// Somebody has asked for another since, which takes its place.
    var isAskedFor = false
    /// For one that nobody asked for: what it wins at most, and has won.
    var wonUnitsMax: UInt64 = 0
    var wonUnits: UInt64 = 0
    /// Rounds in a row in which there was no room to empty a segment.
    var waitCount = 0

    /// Without room for so many rounds there will be none.
    static let waitCountMax = 64

    /// Whether one that nobody asked for has not ended.
    var isRunningUnasked: Bool { status.isRunning && isUnasked }

    /// There is no space to go on with.
    mutating func giveUp(_ error: DiskError) {
        guard status.isRunning || isAskedFor else { return }
        if isAskedFor { status = CompactionStatus() }
        isUnasked = isUnasked && !isAskedFor
        isAskedFor = false
        status.isRunning = false
        status.failure = error
    }
}

// Making a container as small as its content.
extension Engine {
    /// Begins to empty every segment that has enough outdated in it; one that is under way goes on.
    func startCompaction() throws(DiskError) {
        try state.withLock { (state) throws(DiskError) in
            try requireWritable(state)
            if state.compaction.status.isRunning {
                guard state.compaction.isUnasked, !state.compaction.isAskedFor else { return }
                // Maintenance may be at work on the other just now, without the lock.
                state.compaction.isAskedFor = true
                state.compaction.isStopping = false
            } else {
                state.compaction = askedCompaction(state)
            }
            // What found no space to be won may find some in fuller segments.
            state.isStuck = false
            callMaintenance(&state)
        }
    }

    private func askedCompaction(_ state: borrowing EngineState) -> Compaction {
        var compaction = Compaction()
        compaction.status.isRunning = true
        compaction.status.totalCount = worthwhileCount(state)
        compaction.sequenceEnd = state.nextSequence
        return compaction
    }

    /// Ends it soon: what was won is kept.
    func stopCompaction() {
        state.withLock { state in
            state.compaction.isStopping = true
            callMaintenance(&state)
        }
    }

    var compaction: CompactionStatus {
        state.withLock { state in
            let isUnasked = state.compaction.isUnasked
            var status = isUnasked ? state.askedCompaction : state.compaction.status
            if state.compaction.isAskedFor {
                status = CompactionStatus()
                status.isRunning = true
            }
            guard status.isRunning, state.failure != nil || state.isClosed else { return status }
            status.isRunning = false
            status.failure = state.failure ?? DiskError(.closed, "compact", "the disk was closed")
            return status
        }
    }

    private func worthwhileCount(_ state: borrowing EngineState) -> Int {
        var count = 0
        for segment in state.segments.indices where state.segments[segment].state != .free {
            let entry = state.segments[segment]
            let isOutdated = Int(entry.liveUnits) < entry.pagesWritten * 8 * 31 / 32
            if isOutdated && !isPinned(segment, state) { count += 1 }
        }
        return count
    }

    /// What a compaction does next, while nothing is more urgent.
    func compactionTask(_ state: inout EngineState) -> MaintenanceTask {
        if state.compaction.isAskedFor {
            let isStopping = state.compaction.isStopping
            state.compaction = askedCompaction(state)
            state.compaction.isStopping = isStopping
        }
        guard state.compaction.status.isRunning else { return .none }
        if state.compaction.isUnasked, !isAtRest(&state) {
            return state.evacuated.isEmpty ? .none : .release
        }
        if !state.compaction.hasBegun {
            state.compaction.hasBegun = true
            return .checkpoint
        }
        if state.compaction.unused != nil { return .finishCompaction }
        if !state.compaction.isStopping, let task = emptyingTask(&state) { return task }
        if !state.evacuated.isEmpty { return .release }
        if !state.compaction.hasSettled {
            state.compaction.hasSettled = true
            return .checkpoint
        }
        // One piece of it, and then whatever is more urgent.
        return .finishCompaction
    }

    /// - Returns: nil if nothing is left to be emptied, or there is no room for it.
    private func emptyingTask(_ state: inout EngineState) -> MaintenanceTask? {
        let isLow = state.ready.count <= segmentsForMap(state) + Geometry.collectorWork
        if state.evacuated.count >= Self.releaseCount || (isLow && !state.evacuated.isEmpty) {
            return .release
        }
        let isUnasked = state.compaction.isUnasked
        let fullest = isUnasked ? Self.returnFullest : Self.worthwhileFill
        let sequenceEnd = state.compaction.sequenceEnd
        if isUnasked, state.compaction.wonUnits >= state.compaction.wonUnitsMax { return nil }
        guard let victim = chooseVictim(state, before: sequenceEnd, fullest: fullest) else {
            return nil
        }
        if !isLow {
            state.compaction.status.doneCount += 1
            let capacity = UInt64(geometry.payloadPerSegment) * Geometry.unitsPerBlock
            let live = UInt64(state.segments[Int(victim)].liveUnits)
            state.compaction.wonUnits += capacity - min(live, capacity)
            state.compaction.waitCount = 0
            return .collect(victim)
        }
        if isUnasked { return nil }
        state.compaction.waitCount += 1
        guard state.compaction.waitCount < Compaction.waitCountMax else { return nil }
        if !state.active.isEmpty || !state.frozen.isEmpty || !state.touches.isEmpty {
            return .checkpoint
        }
        return state.virgin.isEmpty || state.hostIsFull ? nil : .grow
    }

    /// Gives what was won back to the host, a piece at a time, until all of it is.
    ///
    /// On the thread that also takes segments into use: what is free here stays so meanwhile.
    func finishCompaction() {
        if state.withLock({ $0.compaction.unused == nil }) { beginReturning() }
        if let piece = state.withLock({ nextUnused(&$0) }) {
            // A refusal costs the host space, nothing else.
            let isTaken: Bool
            do throws(Errno) {
                try store.discard(piece)
                isTaken = true
            } catch {
                isTaken = false
            }
            state.withLock { state in
                state.compaction.status.discardedBytes += UInt64(piece.count)
                guard state.compaction.isUnasked, isTaken else { return }
                state.statistics.returnedAtRestBytes += UInt64(piece.count)
            }
        }
        state.wakeAll(on: Condition.progress)
    }

    private func beginReturning() {
        let (surplus, others) = state.withLock { state -> ([UInt32], [UInt32]) in
            let isUnasked = state.compaction.isUnasked
            let capacity = UInt64(geometry.payloadPerSegment) * Geometry.unitsPerBlock
            let wonCount = Int(state.compaction.wonUnits / capacity)
            let surplus = takeSurplus(&state) { state in
                // What else is free was so before.
                let others = isUnasked ? state.ready.count - wonCount : 0
                return max(self.segmentsWanted(state), others)
            }
            let bytes = UInt64(surplus.count) * geometry.segmentSizeBytes
            state.compaction.status.returnedBytes = bytes
            // What is free and not to be written soon may have space from an earlier opening.
            let others = isUnasked ? [] : state.virgin
            state.virgin += surplus
            return (surplus, others)
        }
        let won = discardPieces(surplus)
        let rest = discardPieces(others)
        state.withLock { state in
            // Taken from the end: what was won comes first.
            state.compaction.unused = rest.reversed() + won.reversed()
            state.compaction.otherCount = rest.count
            let bytes = (won + rest).reduce(0) { $0 + UInt64($1.count) }
            state.compaction.status.unusedBytes = bytes
        }
    }

    /// - Returns: nil if there is nothing more to be told of; the compaction has ended then.
    private func nextUnused(_ state: inout EngineState) -> Range<UInt64>? {
        while let count = state.compaction.unused?.count, count > 0 {
            if state.compaction.isStopping, count <= state.compaction.otherCount { break }
            guard let piece = state.compaction.unused?.popLast() else { break }
            // What has been taken into use since is not free any more.
            let all = segments(in: piece)
            let free = all.filter { segment in
                let entry = state.segments[Int(segment)]
                return entry.state == .free && !entry.hasSpace
            }
            if free.count == all.count || options.leavesOutOfFeatures == .use { return piece }
            state.compaction.unused?.append(contentsOf: discardPieces(free).reversed())
        }
        state.compaction.status.isRunning = false
        return nil
    }

    private func segments(in piece: Range<UInt64>) -> Range<UInt32> {
        let start = geometry.segmentsOffset
        let size = geometry.segmentSizeBytes
        let first = UInt32((piece.lowerBound - start) / size)
        return first..<UInt32((piece.upperBound - start) / size)
    }

    /// Gives all free segments back to the host; nothing is written any more.
    func discardFreeSegments() {
        _ = returnSurplus(keeping: { _ in 0 })
        // A compaction that came to its end has told of the others.
        let virgin = state.withLock { state in
            let isDone = state.compaction.unused?.isEmpty == true && !state.compaction.isUnasked
            return isDone ? [] : state.virgin
        }
        discard(virgin)
    }
}
