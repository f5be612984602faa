import FootingAcceleration
import FootingSystem
import Synchronization

// Writing the map out, so that recovery is short and segments become free.
extension Engine {
    /// Writes all changes of the map up to now as a new tree, and makes it the current one.
    ///
    /// ```
    ///  freeze overlay ─► write map pages, segment table ─► sync ─► superblock A ─► sync
    ///     ─► superblock B ─► sync ─► free what the old tree alone needed
    /// ```
    ///
    /// The first sync comes before the superblock: it must not name what could still be lost.
    /// Segments are freed after the last: until then the old tree is the one that a crash leads
    /// back to.
    func checkpoint(isClosing: Bool = false) throws(DiskError) {
        if let failure = state.withLock({ $0.failure }) { throw failure }
        // One that lacked space left its changes aside; those after it need a checkpoint of their
        // own.
        while isClosing, state.withLock({ !$0.frozen.isEmpty }) { try checkpoint() }
        let goal = freeze()
        let output = MapStream(engine: self)
        var next: Superblock
        let ledger: Ledger
        let snapshots: SnapshotChange?
        let isRollback: Bool
        let page: AlignedBuffer
        do throws(DiskError) {
            try writeCommits(upTo: goal.lsn)
            let start = checkpointStart(goal)
            next = start.superblock
            next.isClean = isClosing
            isRollback = start.rollback != nil
            ledger = Ledger(geometry: next.geometry)
            next.root = try writeTree(start, next, ledger, to: output)
            snapshots = try writeSnapshots(start, &next, ledger, to: output)
            try output.finish()
            try writeTable(&next, ledger)
            // What refuses memory for its proof can be tried again, like all before it.
            page = try sealed(next)
        } catch {
            // Nothing refers to the new pages yet. Their segments are free again: otherwise every
            // attempt for which there is no space would take more of it.
            output.abandon()
            giveUp(goal, error)
            throw error
        }
        do throws(DiskError) {
            try synchronizeStore("checkpoint")
            try writeSuperblock(page)
        } catch {
            // Which of the two trees is current is not known: nothing here can be trusted any more.
            fail(error)
            giveUp(goal, error)
            throw error
        }
        let end = CheckpointEnd(
            superblock: next,
            ledger: ledger,
            pageCount: output.pageCount,
            snapshots: snapshots,
            isRollback: isRollback
        )
        finishCheckpoint(end)
        checkpointMemory.discard()
    }

    /// What a checkpoint is for, known before its commits are written.
    struct CheckpointGoal {
        /// The last commit that it includes.
        var lsn: UInt64
        /// Snapshots that go.
        var deletions: [SnapshotNeeds]
    }

    /// What a checkpoint starts from.
    struct CheckpointStart {
        var overlay: Overlay
        var touches: [MapPage.Identity]
        /// The next one, but for what is written.
        var superblock: Superblock
        /// What becomes of the new tree.
        var snapshot: PendingSnapshot?
        var rollback: SnapshotRollback?
        /// Snapshots that go.
        var deletions: [SnapshotNeeds]
        /// How deep the present tree is.
        var geometry: Geometry
    }

    /// What a checkpoint has made.
    private struct CheckpointEnd {
        var superblock: Superblock
        var ledger: Ledger
        var pageCount: Int
        var snapshots: SnapshotChange?
        var isRollback: Bool
    }

    /// Writes the new tree, or takes the one that the disk is to be again.
    private func writeTree(
        _ start: CheckpointStart,
        _ next: Superblock,
        _ ledger: Ledger,
        to output: MapStream
    ) throws(DiskError) -> MapEntry {
        if let rollback = start.rollback {
            ledger.become(rollback.counts)
            return rollback.record.root
        }
        let root = try MapUpdate(
            reader: reader,
            geometry: start.geometry,
            output: output,
            accounting: ledger,
            generation: next.generation,
            overlay: start.overlay,
            touches: start.touches
        ).run(root: start.superblock.root)
        return try MapUpdate.reshape(
            root,
            levels: (start.geometry.levels, next.geometry.levels),
            reader: reader,
            output: output,
            accounting: ledger,
            generation: next.generation
        )
    }

    /// Seals what is open, and sets the changes so far aside; later ones are for the next
    /// checkpoint.
    ///
    /// One that the host's lack of space stopped starts again where it began, and each snapshot has
    /// a checkpoint of its own.
    ///
    /// - Returns: what it is for.
    private func freeze() -> CheckpointGoal {
        state.withLock { state in
            state.checkpoints.begin()
            if state.frozen.isEmpty {
                seal(.user, continues: false, &state)
                seal(.collector, continues: false, &state)
                state.setAside(nil)
                state.snapshots.giveUpLostRollback(sizeBytes: state.superblock.geometry.sizeBytes)
                state.frozen[0].rollback = state.snapshots.rollback
                // One after the other: the snapshot's tree is as deep as its disk was.
                if state.snapshots.rollback == nil { state.frozen[0].geometry = state.resizeTarget }
            }
            return CheckpointGoal(
                lsn: state.frozen[0].position.lsn,
                deletions: state.snapshots.deletions
            )
        }
    }

    /// What a checkpoint starts from, once all of it is written: only then the tags of encrypted
    /// blocks are known.
    private func checkpointStart(_ goal: CheckpointGoal) -> CheckpointStart {
        state.withLock { state in
            let changes = state.frozen[0]
            var superblock = state.superblock
            superblock.lsn = changes.position.lsn
            superblock.lsnChecksum = changes.position.checksum
            superblock.user = changes.position.user
            superblock.collector = changes.position.collector
            superblock.setCompression(state.compressionWanted)
            superblock.generation += 1
            superblock.tableRegion = 1 - superblock.tableRegion
            superblock.scrub = state.scrub
            let geometry = superblock.geometry
            if let target = changes.geometry {
                superblock.geometry = target
                if superblock.roomPercent == 0 {
                    superblock.roomPercent = UInt32(geometry.roomPercent)
                }
                superblock.features |= Superblock.resizedFeature
            }
            return CheckpointStart(
                overlay: changes.overlay,
                touches: state.touches,
                superblock: superblock,
                snapshot: changes.snapshot,
                rollback: changes.rollback,
                deletions: goal.deletions,
                geometry: geometry
            )
        }
    }

    /// Waits until every commit up to an LSN is in the store.
    func writeCommits(upTo lsn: UInt64) throws(DiskError) {
        if drive == .callers {
            while state.withLock({ $0.writtenLSN < lsn }) {
                guard try commitStep() else { preconditionFailure("a sealed commit is missing") }
            }
            return
        }
        try state.withLock { (state) throws(DiskError) in
            while state.writtenLSN < lsn {
                if let failure = state.failure { throw failure }
                try requireUnblocked(state)
                self.state.wakeAll(on: Condition.committer)
                self.state.wait(&state, on: Condition.progress, nanoseconds: 100_000_000)
            }
        }
    }

    /// Throws if what is waited for may never come, because the host has no space or memory for
    /// it.
    func requireUnblocked(_ state: borrowing EngineState) throws(DiskError) {
        if let refusal = state.commitRefusal { throw refusal }
        if state.isCommitBlocked {
            throw DiskError(
                .noSpace,
                "write commit",
                "the host has no space left for the container"
            )
        }
    }

    /// Writes the table, and what the superblock says of it.
    private func writeTable(
        _ superblock: inout Superblock,
        _ ledger: Ledger
    ) throws(DiskError) {
        let geometry = superblock.geometry
        // A copy made here and now: one that waits for the first change would be made beside the
        // threads that go on changing the original. Its memory is there and touched before.
        let count = Int(geometry.segmentCount)
        var entries = [SegmentEntry](repeating: SegmentEntry(), count: count)
        let nextSequence = state.withLock { state in
            entries.removeAll(keepingCapacity: true)
            entries.append(contentsOf: state.segments)
            return state.nextSequence
        }
        entries.grow(toCount: count)
        try ledger.apply(to: &entries)
        let place = options.leavesOutOfFeatures == .table ? self.geometry : geometry
        let offset = place.tableOffset(region: superblock.tableRegion)
        let generation = superblock.generation
        let range = 0..<Int(geometry.tableRegionSizeBytes)
        (superblock.tableChecksum, superblock.tableTag) =
            try checkpointMemory.table.withLock { (table) throws(DiskError) in
                let checksum = SegmentTable.store(
                    entries,
                    nextSequence: nextSequence,
                    volume: volume,
                    generation: generation,
                    in: table
                )
                let tag = try cipher?.keys.sum(table, range)
                do throws(Errno) {
                    let bytes = unsafe table.slice(range)
                    try unsafe store.write(at: offset, UnsafeRawBufferPointer(bytes))
                } catch {
                    throw DiskError("write segment table", offset: offset, cause: error)
                }
                return (checksum, tag ?? .none)
            }
        traffic.tableBytes.wrappingAdd(geometry.tableRegionSizeBytes, ordering: .relaxed)
    }

    /// Makes the new tree the current one and frees what only the old one needed.
    private func finishCheckpoint(_ end: CheckpointEnd) {
        let old = state.withLock { state -> Int in
            if end.superblock.geometry != state.superblock.geometry {
                state.finishResize(end.superblock.geometry)
                layout.change(to: end.superblock.geometry)
            }
            // It was possible for the table, and since then no segment has gained or lost a block.
            try? end.ledger.apply(to: &state.segments)
            state.shrinkage.note(end.ledger.applied)
            state.superblock = end.superblock
            // With it, at once: whoever waits for a rollback reads what it brought back.
            state.finish(end.snapshots, isRollback: end.isRollback, geometry)
            state.frozen.removeFirst()
            state.checkpoints.end()
            state.touches = []
            state.statistics.checkpoints += 1
            state.statistics.mapPagesWritten += UInt64(end.pageCount)
            // Whoever waits for a rollback or a deletion waits for one that began after it.
            state.checkpointRequested =
                state.snapshots.isCheckpointWanted
                || state.scrub.isNews(beside: end.superblock.scrub)
            return state.turnReaders()
        }
        waitForReaders(old)
        state.withLock { state in
            freeDeadSegments(&state)
            state.evacuated = []
            state.touchedSegments = []
            state.isStuck = false
        }
        // From here on a program that knows no compression refuses the disk.
        compression.withLock { $0 = end.superblock.compression }
        state.wakeAll(on: Condition.progress)
        // Else what it has won is given back at its end.
        if !state.withLock({ $0.compaction.isRunningUnasked }) { returnSurplus() }
    }

    /// Waits for the readers of a parity, who began before it was turned: they may still read what
    /// an older map points to.
    func waitForReaders(_ old: Int) {
        if options.leavesOut == .readers { return }
        if let settle = options.settleReads {
            if state.withLock({ $0.readers[old] > 0 }) { settle() }
            precondition(state.withLock { $0.readers[old] == 0 }, "a read that nobody ends")
            return
        }
        state.withLock { state in
            while state.readers[old] > 0 { self.state.wait(&state, on: Condition.progress) }
        }
    }

    /// Frees the segments that neither the tree nor the log after the checkpoint needs.
    private func freeDeadSegments(_ state: inout EngineState) {
        let inUse = segmentsOfStreams(state)
        for index in state.segments.indices {
            let entry = state.segments[index]
            let segment = UInt32(index)
            guard entry.state != .free, entry.liveUnits == 0, !isPinned(index, state),
                state.lastLSN[index] <= state.superblock.lsn, !inUse.contains(segment)
            else { continue }
            state.segments[index].state = .free
            state.segments[index].isQuarantined = false
            state.segments[index].pagesWritten = 0
            state.ready.append(segment)
        }
    }
}

extension EngineState {
    /// Lets readers begin anew.
    ///
    /// - Returns: the parity of those before.
    mutating func turnReaders() -> Int {
        let old = readerParity
        readerParity = 1 - old
        return old
    }
}

/// How many checkpoints were begun, and how the last ones ended.
struct CheckpointCount: Sendable {
    private(set) var begunCount: UInt64 = 0
    /// The number of the last one that failed; the first is 1.
    private(set) var lastFailed: UInt64 = 0
    /// Why it did.
    private(set) var lastFailure: DiskError?
    /// Whether one is being made.
    private(set) var isRunning = false

    mutating func begin() {
        begunCount += 1
        isRunning = true
    }

    mutating func end() { isRunning = false }

    mutating func fail(_ error: DiskError) {
        lastFailed = begunCount
        lastFailure = error
        isRunning = false
    }
}

/// Counts what a new tree refers to, by segment, until it is valid.
final class Ledger: MapUpdate.Accounting {
    private let geometry: Geometry
    /// By segment, in units of 512 bytes: at most what all pages of a segment have.
    private var changes: [Int32]
    /// Some segment's changes are more than it can hold: only a forged map does that.
    private var isImpossible = false
    /// What every segment holds from now on, whatever it held before.
    private var counts: [UInt32]?
    /// What ``apply(to:)`` has changed.
    private(set) var applied = Shrinkage.Change()

    init(geometry: Geometry) {
        self.geometry = geometry
        changes = Array(repeating: 0, count: Int(geometry.segmentCount))
    }

    func count(_ entry: MapEntry, _ change: Int) {
        guard geometry.contains(entry.location) else { return }
        let segment = Int(geometry.segment(of: entry.location))
        let (sum, overflow) = changes[segment].addingReportingOverflow(
            Int32(change * Int(entry.storedUnits))
        )
        changes[segment] = sum
        isImpossible = isImpossible || overflow
    }

    /// Another tree, whose counts are known, takes the place of the current one.
    func become(_ counts: [UInt32]) { self.counts = counts }

    /// - Throws: kind `corrupt` if a segment would hold less than nothing, or more than there is
    ///   room.
    func apply(to segments: inout [SegmentEntry]) throws(DiskError) {
        applied = Shrinkage.Change()
        if let counts {
            for (segment, count) in counts.enumerated() {
                applied.count(from: segments[segment].liveUnits, to: count)
                segments[segment].liveUnits = count
            }
            return
        }
        for (segment, change) in changes.enumerated() where change != 0 {
            let before = segments[segment].liveUnits
            segments[segment].liveUnits = try units(segment, before, change)
            applied.count(from: before, to: segments[segment].liveUnits)
        }
    }

    /// What every segment holds then, without changing anything.
    ///
    /// - Throws: as ``apply(to:)``.
    func counts(after segments: borrowing [SegmentEntry]) throws(DiskError) -> [UInt32] {
        if let counts { return counts }
        var result: [UInt32] = []
        result.reserveCapacity(segments.count)
        for segment in segments.indices {
            let live = segments[segment].liveUnits
            let change = segment < changes.count ? changes[segment] : 0
            result.append(change == 0 ? live : try units(segment, live, change))
        }
        return result
    }

    private func units(
        _ segment: Int,
        _ live: UInt32,
        _ change: Int32
    ) throws(DiskError) -> UInt32 {
        let units = Int(live) + Int(change)
        let most = geometry.pagesPerSegment * Int(Geometry.unitsPerBlock)
        guard !isImpossible, (0...most).contains(units) else {
            throw DiskError(
                .corrupt,
                "checkpoint",
                offset: geometry.offset(segment: UInt32(segment), page: 0),
                "segment \(segment) has \(live) live units, which the map contradicts"
            )
        }
        return UInt32(units)
    }
}
