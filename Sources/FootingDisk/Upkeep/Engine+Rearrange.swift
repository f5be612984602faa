import FootingSystem

// Writing anew, one block behind the other, what lies all over the log and is read as a whole.
extension Engine {
    /// Notes a read of blocks that lie in so many places.
    func noteScattered(_ blocks: Range<UInt64>, runCount: Int) {
        let upkeep = options.upkeep
        guard upkeep.rearranges, blocks.count >= upkeep.scatteredBlockCountMin,
            ScatteredRanges.isScattered(blockCount: blocks.count, runCount: runCount)
        else { return }
        let now = clock.nanoseconds
        scattered.withLock { $0.note(blocks, now: now) }
    }

    /// Whether clients leave the disk alone, and have for long enough.
    func isAtRest(_ state: inout EngineState) -> Bool {
        let count =
            state.statistics.blocksRead &+ state.statistics.blocksWritten &+ state.trimmedBlocks
        let rest = state.rest.look(
            count: count,
            now: clock.nanoseconds,
            countPerSecondMax: options.upkeep.restBlocksPerSecondMax
        )
        return rest >= options.upkeep.restNanoseconds
    }

    /// What is to be done while clients leave the disk alone.
    func upkeepTask(_ state: inout EngineState) -> MaintenanceTask {
        let upkeep = options.upkeep
        guard upkeep.rearranges || upkeep.returnsTrimmedSpace, isAtRest(&state) else {
            return .none
        }
        if upkeep.returnsTrimmedSpace, let task = returnTask(&state) { return task }
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
        var isDone = false
        do throws(DiskError) {
            let items = try movable(blocks.lowerBound..<end)
            isDone = items.isEmpty ? true : try rearrange(items)
        } catch {
            // Nobody asked for it: without space or memory it is left, as is what lies behind a
            // page of the map that cannot be read, of which its readers and the scrubber tell.
            let isMinor = error.kind == .noSpace || error.kind == .noMemory
            guard isMinor || error.operation == "read map page",
                state.withLock({ $0.failure == nil })
            else { throw error }
        }
        if !isDone { scattered.withLock { $0.giveBack(blocks) } }
    }

    /// The blocks of a range that may be moved; none if they are read well as they lie.
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
        guard found.count >= min(options.upkeep.scatteredBlockCountMin, blocks.count),
            ScatteredRanges.isScattered(blockCount: found.count, runCount: requestCount(found))
        else { return [] }
        return found
    }

    /// Requests that reading blocks takes: those with little between them are read as one.
    private func requestCount(_ items: [Live]) -> Int {
        let gapMax = UInt64(BlockFetch.bridgedBlockCountMax) * Geometry.unitsPerBlock
        var count = 0
        var end: UInt64?
        for entry in items.map(\.entry).sorted(by: { $0.location.units < $1.location.units }) {
            if let end, entry.location.units <= end + gapMax {} else { count += 1 }
            end = entry.end.units
        }
        return count
    }

    /// Writes blocks anew, as long as clients rest and there is room.
    ///
    /// - Returns: whether all of them are.
    private func rearrange(_ items: [Live]) throws(DiskError) -> Bool {
        let plainBytes = cipher == nil ? 0 : Self.movedBlockCount * 4096
        return try unsafe withUnsafeTemporaryAllocation(
            byteCount: max(plainBytes, 1),
            alignment: 16
        ) { (plain) throws(DiskError) -> Bool in
            try window.withLock { (window) throws(DiskError) -> Bool in
                window.reset()
                var start = 0
                while start < items.count {
                    // Clients may have used up meanwhile what there was.
                    let goesOn = state.withLock { state in
                        isAtRest(&state) && state.ready.count > segmentsReserved(state)
                    }
                    guard goesOn else { return false }
                    let group = items[start..<min(start + Self.movedBlockCount, items.count)]
                    try unsafe rearrange(group, &window, plain)
                    start = group.endIndex
                }
                return true
            }
        }
    }

    private func rearrange(
        _ group: ArraySlice<Live>,
        _ window: inout SegmentWindow,
        _ plain: UnsafeMutableRawBufferPointer
    ) throws(DiskError) {
        var numbers: [UInt64] = []
        var blocks: [EncodedBlock] = unsafe []
        for (index, item) in group.enumerated() {
            // What is damaged stays where it is; its readers and the scrubber tell of it.
            guard let bytes = unsafe stored(item, index, &window),
                let block = try unsafe reveal(item, bytes, plain, index)
            else { continue }
            numbers.append(item.block)
            unsafe blocks.append(block)
        }
        let before = state.withLock { $0.statistics.blocksMoved }
        try unsafe append(numbers, blocks)
        // Only this thread moves any.
        state.withLock { state in
            state.statistics.rearrangedBlocks += state.statistics.blocksMoved - before
        }
    }

    /// Reads a block's stored bytes, which are verified where there is no cipher to do it.
    ///
    /// - Returns: nil if they cannot be read, or are not what was written.
    private func stored(
        _ item: Live,
        _ index: Int,
        _ window: inout SegmentWindow
    ) -> UnsafeRawBufferPointer? {
        let offset = item.entry.location.offset / 4096 * 4096
        let end = (item.entry.end.offset + 4095) / 4096 * 4096
        let pages = unsafe window.scratch(index, count: Int(end - offset))
        do throws(Errno) {
            try unsafe store.readDirectly(at: offset, into: pages)
        } catch {
            return nil
        }
        let from = Int(item.entry.location.offset - offset)
        let bytes = unsafe UnsafeRawBufferPointer(
            rebasing: pages[from..<from + item.form.byteCount]
        )
        let isVerified = options.verifiesChecksums && cipher == nil
        guard unsafe !isVerified || Checksum.crc32c(bytes) == item.form.checksum else {
            return nil
        }
        return unsafe bytes
    }
}
