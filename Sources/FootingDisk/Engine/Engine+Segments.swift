import FootingSystem

// Which segments are free, and who may take the last ones.
extension Engine {
    /// Segments that the next checkpoint may need for map pages.
    func segmentsForMap(_ state: borrowing EngineState) -> Int {
        var pages = snapshotPageCount(state, pendingCount: state.pendingSnapshots.count)
        var paths = state.touches.count
        for changes in state.frozen {
            paths += changes.pathCount
            // The tree of a snapshot stays, beside the next one.
            guard changes.snapshot != nil else { continue }
            pages += pageCount(forPaths: paths)
            paths = 0
        }
        pages += pageCount(forPaths: paths + state.active.pathCount)
        return pages / geometry.pagesPerSegment + 2
    }

    /// Pages of the map that so many changed leaves take with them.
    private func pageCount(forPaths count: Int) -> Int {
        // Every changed block may have a leaf of its own; above, the paths meet.
        let paths = UInt64(count)
        var pages: UInt64 = 0
        var level = geometry.blockCount
        for _ in 0..<geometry.levels {
            level = geometry.pageCount(forEntries: level)
            pages += min(paths, level)
        }
        return Int(pages)
    }

    /// Whether a snapshot needs something of a segment.
    func isPinned(_ segment: Int, _ state: borrowing EngineState) -> Bool {
        state.snapshots.isPinned(segment) && options.leavesOut != .pins
    }

    /// Where the streams go on, and where a recovery would start.
    func segmentsOfStreams(_ state: borrowing EngineState) -> Set<UInt32> {
        var segments: Set<UInt32> = [
            state.user.head.segment, state.user.head.next,
            state.collector.head.segment, state.collector.head.next,
            // Also if the log went on from there meanwhile: another stream that used them could
            // not be told from this one.
            state.superblock.user.segment, state.superblock.user.next,
            state.superblock.collector.segment, state.superblock.collector.next,
        ]
        if let mapHead = state.mapHead { segments.insert(mapHead.segment) }
        return segments
    }

    /// Free segments below which clients wait.
    func segmentsReserved(_ state: borrowing EngineState) -> Int {
        geometry.reservedForCollector + segmentsForMap(state)
    }

    /// Free segments below which the collector works.
    func segmentsWanted(_ state: borrowing EngineState) -> Int {
        segmentsReserved(state) + segmentsSpare
    }

    /// Free segments that the collector keeps beyond the reserve.
    var segmentsSpare: Int { max(4, Int(geometry.segmentCount) / 50) }

    /// Takes a free segment; the caller has made sure that there is one.
    ///
    /// Its live count stays: it is what the last checkpoint's tree refers to, and those references,
    /// which the overlays have replaced, are taken off again by the next checkpoint.
    func takeSegment(
        _ use: SegmentEntry.State,
        _ state: inout EngineState
    ) -> UInt32 {
        precondition(!state.ready.isEmpty, "no free segment")
        let segment = state.ready.removeFirst()
        state.noteSegmentTaken(segment)
        precondition(state.segments[Int(segment)].state == .free, "segment in use")
        state.segments[Int(segment)].state = use
        state.segments[Int(segment)].sequence = state.nextSequence
        state.segments[Int(segment)].pagesWritten = 0
        state.lastLSN[Int(segment)] = 0
        cipher?.note(segment, state.nextSequence)
        state.nextSequence += 1
        return segment
    }

    /// Whether growing the container beats cleaning it: while it is small for what it holds.
    ///
    /// Up to half as much again, so that the log is two thirds full: the fuller, the more has to be
    /// moved for each block that clients write (`footing-simulate --amplification`). But to no more
    /// than a third as much again as a full disk holds: what is beyond that is the room for
    /// snapshots, and one keeps segments as a whole, with what is outdated in them.
    func prefersGrowth(_ state: borrowing EngineState) -> Bool {
        guard !state.virgin.isEmpty, !state.hostIsFull else { return false }
        var liveUnits: UInt64 = 0
        var withSpace = 0
        // What snapshots need can neither be won back nor used.
        for (index, entry) in state.segments.enumerated() where !isPinned(index, state) {
            liveUnits += UInt64(entry.liveUnits)
            if entry.hasSpace { withSpace += 1 }
        }
        let perSegment = UInt64(geometry.pagesPerSegment) * Geometry.unitsPerBlock
        let live = Int(liveUnits / perSegment) + 1
        let full = max(live, Int(geometry.blockCount) / geometry.pagesPerSegment + 1)
        let hasSnapshots = !state.snapshots.pins.isEmpty
        let log = hasSnapshots ? live * 4 / 3 : min(live * 3 / 2, full * 4 / 3)
        // Besides what is free or waits for it: the streams, and the map's pages twice.
        return withSpace < log + segmentsWanted(state) + Self.releaseCount + 8
    }

    /// Gives the next unused segment space in the host's file.
    ///
    /// - Returns: false if there is none, or the host is full.
    func grow() throws(DiskError) -> Bool {
        let candidate = state.withLock { state in state.virgin.first }
        guard let candidate else { return false }
        let range = geometry.range(ofSegment: candidate)
        do throws(Errno) {
            try store.allocate(range)
        } catch {
            let problem = DiskError("reserve segment", offset: range.lowerBound, cause: error)
            guard problem.kind == .noSpace else { throw problem }
            let now = clock.nanoseconds
            state.withLock { state in
                state.hostIsFull = true
                state.hostFullNanoseconds = now
            }
            return false
        }
        state.withLock { state in
            state.virgin.removeFirst()
            // Its space may have been given back since it was prepared.
            state.preparation.done.remove(candidate)
            state.segments[Int(candidate)].hasSpace = true
            state.ready.append(candidate)
            state.isStuck = false
        }
        state.wakeAll(on: Condition.progress)
        return true
    }

    /// Gives back to the host the free segments that are not needed soon.
    func returnSurplus() {
        _ = returnSurplus { state in
            let used = state.segments.count - state.virgin.count - state.ready.count
            return self.segmentsWanted(state) * 2 + used / 4
        }
    }

    /// Gives back to the host the free segments beyond a number.
    ///
    /// - Returns: bytes that were given back.
    func returnSurplus(keeping count: (borrowing EngineState) -> Int) -> UInt64 {
        let surplus = state.withLock { takeSurplus(&$0, keeping: count) }
        discard(surplus)
        state.withLock { state in state.virgin.append(contentsOf: surplus) }
        return UInt64(surplus.count) * geometry.segmentSizeBytes
    }

    /// Takes the free segments beyond a number, which are to be given back to the host.
    func takeSurplus(
        _ state: inout EngineState,
        keeping count: (borrowing EngineState) -> Int
    ) -> [UInt32] {
        let keep = count(state)
        guard state.ready.count > keep else { return [] }
        let surplus = Array(state.ready[keep...])
        state.ready.removeSubrange(keep...)
        for segment in surplus { state.segments[Int(segment)].hasSpace = false }
        return surplus
    }

    /// Gives free segments back to the host.
    func discard(_ segments: [UInt32]) {
        for piece in discardPieces(segments) {
            // A refusal costs the host space, nothing else.
            try? store.discard(piece)
        }
    }

    /// Bytes that the host is told of in one go: a device may take long for more.
    private static let discardBytesMax: UInt64 = 256 << 20

    /// The ranges of segments, neighbours together, none of which is too long.
    func discardPieces(_ segments: [UInt32]) -> [Range<UInt64>] {
        let sorted = segments.sorted()
        let countMax = max(Int(Self.discardBytesMax / geometry.segmentSizeBytes), 1)
        var pieces: [Range<UInt64>] = []
        var start = 0
        while start < sorted.count {
            var end = start + 1
            while end < sorted.count, end - start < countMax, sorted[end] == sorted[end - 1] + 1 {
                end += 1
            }
            let first = geometry.range(ofSegment: sorted[start])
            let last = geometry.range(ofSegment: sorted[end - 1])
            pieces.append(first.lowerBound..<last.upperBound)
            start = end
        }
        return pieces
    }
}
