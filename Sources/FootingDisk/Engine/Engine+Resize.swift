import FootingSystem

// Giving a disk another size, while it is used.
extension Engine {
    /// Makes the disk larger or smaller; when this returns that is durable.
    ///
    /// ```
    ///  container grows ─► table at its new place ─► sync ─► superblocks ─► new segments are used
    /// ```
    ///
    /// A crash leaves the one or the other: the superblock tells which. To make it smaller nobody
    /// may write beyond the new end meanwhile.
    ///
    /// - Throws: kind `invalid` if there is something beyond the new end, or no disk can have the
    ///   size; kind `noMemory` if the budget is less than what a disk of the size needs at least;
    ///   kind `noSpace` if the host has none for it. Nothing has changed then.
    func resize(toBytes size: UInt64) throws(DiskError) {
        try state.withLock { (state) throws(DiskError) in
            try requireWritable(state)
            guard state.resizeWanted == nil else {
                throw DiskError(.busy, "resize", "another change of its size is under way")
            }
            state.resizeWanted = try geometry.resized(
                toBytes: size,
                roomPercent: state.superblock.roomPercent
            )
            state.resizeFailure = nil
            callMaintenance(&state)
        }
        if drive == .callers { try performResize() }
        let failure = try state.withLock { (state) throws(DiskError) in
            while state.resizeWanted != nil {
                if !state.checkpoints.isRunning {
                    do throws(DiskError) { try requireWritable(state) } catch {
                        state.resizeWanted = nil
                        throw error
                    }
                }
                self.state.wait(&state, on: Condition.progress, nanoseconds: 100_000_000)
            }
            return state.resizeFailure
        }
        if let failure { throw failure }
        // More segments need more memory: others have less of the budget.
        refitMemory()
    }

    /// Does what is wanted, on the thread that makes checkpoints.
    ///
    /// - Throws: only what ended the engine.
    func performResize() throws(DiskError) {
        guard let target = state.withLock({ $0.resizeWanted }) else { return }
        var failure: DiskError?
        do throws(DiskError) { try resize(to: target) } catch { failure = error }
        let end = state.withLock { state in
            state.resizeWanted = nil
            state.resizeTarget = nil
            state.resizeFailure = failure
            return state.failure
        }
        state.wakeAll(on: Condition.progress)
        if let end { throw end }
    }

    private func resize(to target: Geometry) throws(DiskError) {
        let current = geometry
        if target == current { return }
        try requireMemory(for: target)
        if target.sizeBytes < current.sizeBytes, options.leavesOutOfFeatures != .end {
            try requireUnused(beyond: target)
        }
        try makeRoom(for: target, current)
        // Changes that were set aside before have checkpoints of their own first.
        while geometry != target {
            state.withLock { $0.resizeTarget = target }
            try checkpoint()
        }
    }

    /// What a disk of a size cannot do without, in bytes.
    func memoryFloorBytes(_ geometry: Geometry) -> Int {
        MemoryPlan(budgetBytes: 0, geometry: geometry, deltaCountMax: options.deltaCountMax)
            .floorBytes
    }

    /// Throws if the disk would need more memory than it may have.
    ///
    /// Smaller ones have as many segments, and were opened with what there is.
    private func requireMemory(for target: Geometry) throws(DiskError) {
        let floor = memoryFloorBytes(target)
        let budget = state.withLock { $0.memory.budgetBytes }
        if floor <= budget || target.segmentCount <= geometry.segmentCount { return }
        throw DiskError(
            .noMemory,
            "resize",
            "with \(target.segmentCount) segments it needs at least \(floor) bytes of memory and "
                + "may use \(budget) now; serve it with more ('--memory'), or import it into a new "
                + "disk, which has larger segments"
        )
    }

    /// Prepares everything that a checkpoint of the new size writes to.
    private func makeRoom(for target: Geometry, _ current: Geometry) throws(DiskError) {
        try checkpointMemory.fit(target, options.buffers)
        do throws(Errno) {
            try store.grow(toBytes: target.containerSizeBytes)
            if target.tablesOffset != current.tablesOffset {
                try store.allocate(target.tablesOffset..<target.tableOffset(region: 2))
            }
        } catch {
            if error == .noSpace, store.sizeBytes < target.containerSizeBytes {
                throw DiskError(
                    .noSpace,
                    "resize",
                    "the container needs \(target.containerSizeBytes) bytes and has "
                        + "\(store.sizeBytes); a block device must be made larger first"
                )
            }
            throw DiskError("resize", cause: error)
        }
    }

    /// Throws if something is stored beyond the end of a smaller disk.
    private func requireUnused(beyond target: Geometry) throws(DiskError) {
        // All that there is is in the tree then, unless somebody writes meanwhile.
        let sealed = state.withLock { state in
            seal(.user, continues: false, &state)
            seal(.collector, continues: false, &state)
            return state.sealedLSN
        }
        while state.withLock({ $0.superblock.lsn < sealed }) {
            if options.leavesOutOfFeatures == .lately { break }
            try checkpoint()
        }
        let root = state.withLock { $0.superblock.mapRoot }
        let last = try lastBlock(below: root)
        if let last, last >= target.blockCount {
            throw DiskError(
                .invalid,
                "resize",
                "there is data up to byte \(min((last + 1) * 4096, geometry.sizeBytes)); trim it, "
                    + "or keep the disk at least as large"
            )
        }
        // The last block may be used in part only: what is beyond must read as zeros if it ever
        // comes back.
        let end = Int(target.sizeBytes % 4096)
        if end == 0 || last != target.blockCount - 1 || options.leavesOutOfFeatures == .tail {
            return
        }
        let block = AlignedBuffer(count: 4096)
        try unsafe readBlock(target.blockCount - 1, into: block.bytes)
        if unsafe block.bytes[end...].contains(where: { $0 != 0 }) {
            throw DiskError(
                .invalid,
                "resize",
                "there is data in the last block, behind the new end; trim it or write zeros"
            )
        }
    }

    /// The last block that a tree has; nil if it has none.
    private func lastBlock(below root: MapRoot) throws(DiskError) -> UInt64? {
        var entry = root.entry
        if !entry.isMapped { return nil }
        var index: UInt64 = 0
        let page = AlignedBuffer(count: 4096)
        for level in (0..<root.levels).reversed() {
            try reader.load(entry, MapPage.Identity(level: level, index: index), into: page)
            let slots = 0..<layout.entriesPerPage
            guard let slot = slots.last(where: { MapPage.entry(page, $0).isMapped }) else {
                throw DiskError(
                    .corrupt,
                    "resize",
                    offset: entry.location.offset,
                    "a page of the map without an entry"
                )
            }
            entry = MapPage.entry(page, slot)
            index = index * UInt64(layout.entriesPerPage) + UInt64(slot)
        }
        return index
    }
}

extension EngineState {
    /// Takes over what a checkpoint made of the container.
    mutating func finishResize(_ geometry: Geometry) {
        let first = UInt32(segments.count)
        segments.grow(toCount: Int(geometry.segmentCount))
        lastLSN += [UInt64](repeating: 0, count: segments.count - lastLSN.count)
        virgin += Array(first..<geometry.segmentCount)
        resizeTarget = nil
    }
}
