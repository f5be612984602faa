import FootingSystem

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
        let start = freeze()
        try writeCommits(upTo: start.lsn)
        let ledger = Ledger(geometry: geometry)
        let output = MapStream(engine: self)
        let generation = start.generation + 1
        let root = try MapUpdate(
            reader: reader,
            output: output,
            accounting: ledger,
            generation: generation,
            overlay: start.overlay,
            touches: start.touches
        ).run(root: start.root)
        try output.finish()
        var next = start.superblock
        next.generation = generation
        next.root = root
        next.isClean = isClosing
        next.tableRegion = 1 - next.tableRegion
        let settled = state.withLock { state -> [SegmentEntry] in
            ledger.apply(to: &state.segments)
            return state.segments
        }
        do throws(DiskError) {
            next.tableChecksum = try writeTable(settled, next)
            try synchronizeStore("checkpoint")
            try writeSuperblock(next)
        } catch {
            // The counts were changed and the tree was not: nothing here can be trusted any more.
            fail(error)
            throw error
        }
        finishCheckpoint(next, pageCount: output.pageCount)
    }

    /// What a checkpoint starts from.
    private struct Start {
        var lsn: UInt64
        var generation: UInt64
        var overlay: Overlay
        var touches: [MapPage.Identity]
        var root: MapEntry
        var superblock: Superblock
    }

    /// Seals what is open, and sets the changes so far aside; later ones are for the next
    /// checkpoint.
    private func freeze() -> Start {
        state.withLock { state in
            seal(.user, continues: false, &state)
            seal(.collector, continues: false, &state)
            if state.frozen == nil {
                state.frozen = state.active
                state.active = Overlay()
                var superblock = state.superblock
                superblock.lsn = state.sealedLSN
                superblock.lsnChecksum = state.sealedChecksum
                superblock.user = state.user.head
                superblock.collector = state.collector.head
                state.frozenSuperblock = superblock
                state.logBytesSinceCheckpoint = 0
            }
            // A checkpoint that the host's lack of space stopped starts again where it began.
            guard let overlay = state.frozen, var superblock = state.frozenSuperblock else {
                preconditionFailure("frozen without a superblock")
            }
            superblock.epoch = state.superblock.epoch
            return Start(
                lsn: superblock.lsn,
                generation: state.superblock.generation,
                overlay: overlay,
                touches: state.touches,
                root: state.superblock.root,
                superblock: superblock
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
                self.state.wakeAll(on: Condition.committer)
                self.state.wait(&state, on: Condition.progress, nanoseconds: 100_000_000)
            }
        }
    }

    private func writeTable(
        _ entries: [SegmentEntry],
        _ superblock: Superblock
    ) throws(DiskError) -> UInt32 {
        let region = AlignedBuffer(count: Int(geometry.tableRegionSizeBytes))
        let nextSequence = state.withLock { $0.nextSequence }
        let checksum = SegmentTable.store(
            entries,
            nextSequence: nextSequence,
            volume: volume,
            generation: superblock.generation,
            in: region
        )
        let offset = geometry.tableOffset(region: superblock.tableRegion)
        do throws(Errno) {
            try unsafe store.write(
                at: offset,
                UnsafeRawBufferPointer(
                    region.slice(0..<Int(geometry.tableRegionSizeBytes))
                )
            )
        } catch {
            throw DiskError("write segment table", offset: offset, cause: error)
        }
        return checksum
    }

    /// Writes both copies, one after the other, each durable before anything else happens.
    func writeSuperblock(_ superblock: Superblock) throws(DiskError) {
        let page = AlignedBuffer(count: 4096)
        superblock.store(in: page)
        for offset in Geometry.superblockOffsets {
            do throws(Errno) {
                try unsafe store.write(at: offset, UnsafeRawBufferPointer(page.slice(0..<4096)))
            } catch {
                throw DiskError("write superblock", offset: offset, cause: error)
            }
            try synchronizeStore("write superblock")
        }
    }

    /// Makes the new tree the current one and frees what only the old one needed.
    private func finishCheckpoint(_ superblock: Superblock, pageCount: Int) {
        state.withLock { state in
            state.superblock = superblock
            state.frozen = nil
            state.frozenSuperblock = nil
            state.touches = []
            state.statistics.checkpoints += 1
            state.statistics.mapPagesWritten += UInt64(pageCount)
            waitForReaders(&state)
            freeDeadSegments(&state)
            state.evacuated = []
            state.touchedSegments = []
            state.mustCheckpoint = false
            state.isStuck = false
            state.checkpointRequested = false
        }
        state.wakeAll(on: Condition.progress)
        returnSurplus()
    }

    /// Waits for the readers that began before: they may still read what an older map points to.
    func waitForReaders(_ state: inout EngineState) {
        let old = state.readerParity
        state.readerParity = 1 - old
        while state.readers[old] > 0 {
            self.state.wait(&state, on: Condition.progress)
        }
    }

    /// Frees the segments that neither the tree nor the log after the checkpoint needs.
    private func freeDeadSegments(_ state: inout EngineState) {
        var inUse: Set<UInt32> = [
            state.user.head.segment, state.user.head.next,
            state.collector.head.segment, state.collector.head.next,
        ]
        if let mapHead = state.mapHead { inUse.insert(mapHead.segment) }
        for index in state.segments.indices {
            let entry = state.segments[index]
            let segment = UInt32(index)
            guard entry.state != .free, entry.liveUnits == 0, !entry.isQuarantined,
                state.lastLSN[index] <= state.superblock.lsn, !inUse.contains(segment)
            else { continue }
            state.segments[index].state = .free
            state.segments[index].pagesWritten = 0
            state.ready.append(segment)
        }
    }
}

/// Counts what a new tree refers to, by segment, until it is valid.
final class Ledger: MapUpdate.Accounting {
    private let geometry: Geometry
    /// By segment, in units of blocks.
    private var changes: [Int32]

    init(geometry: Geometry) {
        self.geometry = geometry
        changes = Array(repeating: 0, count: Int(geometry.segmentCount))
    }

    func count(_ location: Location, _ change: Int) {
        guard geometry.contains(location) else { return }
        changes[Int(geometry.segment(of: location))] += Int32(change)
    }

    func apply(to segments: inout [SegmentEntry]) {
        for (segment, change) in changes.enumerated() where change != 0 {
            let units = Int(segments[segment].liveUnits) + Int(change) * 8
            precondition(units >= 0, "segment \(segment) lost more than it had")
            segments[segment].liveUnits = UInt32(units)
        }
    }
}

/// Appends map pages to segments of their own, a megabyte at a time.
final class MapStream: MapUpdate.Output {
    private static let bufferPageCount = 64

    private let engine: Engine
    private let buffer = AlignedBuffer(count: bufferPageCount * 4096)
    private var buffered = 0
    private var bufferOffset: UInt64 = 0
    private(set) var pageCount = 0

    init(engine: Engine) {
        self.engine = engine
    }

    func append(_ page: borrowing AlignedBuffer) throws(DiskError) -> Location {
        let geometry = engine.geometry
        let (location, isContiguous) = try engine.state.withLock {
            (state) throws(DiskError) -> (Location, Bool) in
            var head = state.mapHead
            let isContiguous = head.map { $0.page < geometry.pagesPerSegment } ?? false
            if !isContiguous {
                guard !state.ready.isEmpty else {
                    throw DiskError(.noSpace, "checkpoint", "no free segment for the map")
                }
                let segment = engine.takeSegment(.map, &state)
                head = Superblock.Head(
                    sequence: state.segments[Int(segment)].sequence,
                    segment: segment,
                    page: 0,
                    next: segment
                )
            }
            guard var head else { preconditionFailure("no segment for the map") }
            let location = geometry.location(segment: head.segment, page: head.page)
            head.page += 1
            state.segments[Int(head.segment)].pagesWritten = head.page
            state.mapHead = head
            return (location, isContiguous)
        }
        if !isContiguous || buffered == Self.bufferPageCount { try finish() }
        if buffered == 0 { bufferOffset = location.offset }
        unsafe buffer.copy(from: UnsafeRawBufferPointer(page.slice(0..<4096)), at: buffered * 4096)
        buffered += 1
        pageCount += 1
        return location
    }

    /// Writes what is buffered.
    func finish() throws(DiskError) {
        if buffered == 0 { return }
        defer { buffered = 0 }
        do throws(Errno) {
            try unsafe engine.store.write(
                at: bufferOffset,
                UnsafeRawBufferPointer(buffer.slice(0..<buffered * 4096))
            )
        } catch {
            throw DiskError("write map pages", offset: bufferOffset, cause: error)
        }
    }
}
