import FootingSystem

// Writing anew, one block behind the other, what lies all over the log and is read as a whole.
extension Engine {
    /// Notes a read that took many requests.
    func noteScattered(_ blocks: Range<UInt64>, runCount: Int) {
        let upkeep = options.upkeep
        guard upkeep.rearranges, blocks.count >= upkeep.scatteredBlockCountMin,
            ScatteredRanges.isScattered(blockCount: blocks.count, runCount: runCount)
        else { return }
        let now = clock.nanoseconds
        scattered.withLock { $0.note(blocks, now: now) }
    }

    /// Whether clients leave the disk alone, and have for long enough.
    func isAtRest(_ now: UInt64, _ state: inout EngineState) -> Bool {
        let count =
            state.statistics.blocksRead &+ state.statistics.blocksWritten &+ state.trimCount
        let rest = state.rest.look(
            count: count,
            now: now,
            countPerSecondMax: options.upkeep.restBlocksPerSecondMax
        )
        return rest >= options.upkeep.restNanoseconds
    }

    /// What is to be done while clients leave the disk alone.
    func upkeepTask(_ now: UInt64, _ state: inout EngineState) -> MaintenanceTask {
        let upkeep = options.upkeep
        guard upkeep.rearranges || upkeep.returnsTrimmedSpace, isAtRest(now, &state) else {
            return .none
        }
        if upkeep.returnsTrimmedSpace, startReturn(&state) { return compactionTask(&state) }
        // It takes a segment at most, and wins none: the collector does that, with what is left.
        guard upkeep.rearranges, !state.hasPendingSnapshot, !state.hostIsFull,
            state.ready.count >= segmentsWanted(state)
        else { return .none }
        guard let blocks = scattered.withLock({ $0.take() }) else { return .none }
        return .rearrange(blocks)
    }

    /// Writes a range anew, if it is worth it still.
    func rearrange(_ blocks: Range<UInt64>) throws(DiskError) {
        let end = min(blocks.upperBound, geometry.blockCount)
        guard blocks.lowerBound < end else { return }
        do throws(DiskError) {
            let generation = state.withLock { $0.superblock.generation }
            let items = try movable(blocks.lowerBound..<end)
            try window.withLock { (window) throws(DiskError) in
                window.reset()
                try rearrange(items, &window, generation)
            }
        } catch {
            // What cannot be read stays where it is; its readers and the scrubber tell of it.
            guard error.operation == "rearrange" || error.operation == "read map page",
                error.kind != .noSpace, error.kind != .noMemory
            else { throw error }
        }
    }

    /// The blocks of a range that may be moved; none if they are in order.
    ///
    /// Not those that changed since the last checkpoint: they may change again. Nor those that a
    /// snapshot needs where they are: they would be there twice.
    private func movable(_ blocks: Range<UInt64>) throws(DiskError) -> [Live] {
        let root = state.withLock { $0.superblock.mapRoot }
        var found: [Live] = []
        for block in blocks {
            guard let entry = try reader.find(block, root: root)?.entry, entry.isMapped,
                entry.isValid(in: geometry), let form = entry.form
            else { continue }
            found.append(Live(block: block, form: form, entry: entry, units: 0..<form.units))
        }
        state.withLock { state in
            found.removeAll { item in
                let segment = Int(geometry.segment(of: item.entry.location))
                return overlayEntry(item.block, state) != nil || isPinned(segment, state)
                    || state.segments[segment].isQuarantined
            }
        }
        var runCount = 0
        var end: Location?
        for item in found {
            if item.entry.location != end { runCount += 1 }
            end = item.entry.end
        }
        guard found.count >= min(options.upkeep.scatteredBlockCountMin, blocks.count),
            ScatteredRanges.isScattered(blockCount: found.count, runCount: runCount)
        else { return [] }
        return found
    }

    private func rearrange(
        _ items: [Live],
        _ window: inout SegmentWindow,
        _ generation: UInt64
    ) throws(DiskError) {
        let plainBytes = cipher == nil ? 0 : Self.movedBlockCount * 4096
        try unsafe withUnsafeTemporaryAllocation(byteCount: max(plainBytes, 1), alignment: 16) {
            (plain) throws(DiskError) in
            var start = 0
            while start < items.count {
                // Clients may have used up meanwhile what there was.
                let hasRoom = state.withLock { $0.ready.count > segmentsReserved($0) }
                guard hasRoom else { return }
                let group = items[start..<min(start + Self.movedBlockCount, items.count)]
                var blocks: [EncodedBlock] = unsafe []
                for (index, item) in group.enumerated() {
                    let bytes = try unsafe stored(item, index, &window)
                    guard let block = try unsafe reveal(item, bytes, plain, index) else {
                        throw damage(item)
                    }
                    unsafe blocks.append(block)
                }
                try unsafe append(group.map(\.block), blocks, ifStill: generation)
                state.withLock { $0.statistics.rearrangedBlocks += UInt64(group.count) }
                start = group.endIndex
            }
        }
    }

    /// Reads a block's stored bytes, which are verified where there is no cipher to do it.
    private func stored(
        _ item: Live,
        _ index: Int,
        _ window: inout SegmentWindow
    ) throws(DiskError) -> UnsafeRawBufferPointer {
        let offset = item.entry.location.offset / 4096 * 4096
        let end = (item.entry.end.offset + 4095) / 4096 * 4096
        let pages = unsafe window.scratch(index, count: Int(end - offset))
        do throws(Errno) {
            try unsafe store.readDirectly(at: offset, into: pages)
        } catch {
            throw DiskError("rearrange", offset: offset, cause: error)
        }
        let from = Int(item.entry.location.offset - offset)
        let bytes = unsafe UnsafeRawBufferPointer(
            rebasing: pages[from..<from + item.form.byteCount]
        )
        if options.verifiesChecksums, cipher == nil,
            unsafe Checksum.crc32c(bytes) != item.form.checksum
        {
            throw damage(item)
        }
        return unsafe bytes
    }

    private func damage(_ item: Live) -> DiskError {
        let offset = item.entry.location.offset
        return DiskError(.corrupt, "rearrange", offset: offset, "a damaged block")
    }
}
