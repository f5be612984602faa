import FootingSystem

// What clients change.
extension Engine {
    /// Writes bytes; acknowledged when this returns, durable after the next flush.
    ///
    /// Any multiple of 512 bytes at any sector. Up to 1 MiB is atomic: after a crash all of it is
    /// there or none; longer writes are so in pieces of 1 MiB.
    ///
    /// - Parameter waits: whether to wait for room.
    /// - Returns: false if it would have had to wait; pieces of a longer write may be there then.
    @discardableResult
    func write(
        at offset: UInt64,
        _ bytes: UnsafeRawBufferPointer,
        waits: Bool = true
    ) throws(DiskError) -> Bool {
        try checkBounds("write", offset, bytes.count)
        let pieceMax = (atomicBlockCount - 1) * 4096
        var done = 0
        while done < bytes.count {
            let count = min(pieceMax, bytes.count - done)
            let piece = unsafe UnsafeRawBufferPointer(rebasing: bytes[done..<done + count])
            guard try unsafe writePiece(at: offset + UInt64(done), piece, waits) else {
                return false
            }
            done += count
        }
        let blocks = bytes.count / 4096
        if blocks >= options.stagedBlockCountMin { encryptAhead(blocks: blocks) }
        return true
    }

    private func writePiece(
        at offset: UInt64,
        _ bytes: UnsafeRawBufferPointer,
        _ waits: Bool
    ) throws(DiskError) -> Bool {
        if offset % 4096 == 0 && bytes.count % 4096 == 0 {
            return try unsafe writeBlocks(at: offset / 4096, bytes, ifStill: nil, waits) == .done
        }
        // Blocks of which only a part is written: read, merge, and write them whole.
        let first = offset / 4096
        let end = (offset + UInt64(bytes.count) + 4095) / 4096
        let buffer = try options.buffers.buffer(for: "write", count: Int(end - first) * 4096)
        let inner = Int(offset - first * 4096)
        let edges = first == end - 1 ? [first] : [first, end - 1]
        while true {
            let before = edgeVersion(edges)
            for edge in edges {
                let slice = unsafe buffer.slice(
                    Int(edge - first) * 4096..<Int(edge - first + 1) * 4096
                )
                try unsafe readBlock(edge, into: slice)
            }
            unsafe buffer.copy(from: bytes, at: inner)
            let whole = unsafe UnsafeRawBufferPointer(
                buffer.slice(0..<Int(end - first) * 4096)
            )
            switch try unsafe writeBlocks(at: first, whole, ifStill: before, waits) {
            case .done: return true
            case .hasToWait: return false
            case .edgesChanged: continue
            }
        }
    }

    /// What tells whether someone else wrote a block meanwhile: the overlays' entries, and the
    /// checkpoint they are relative to.
    struct EdgeVersion {
        var generation: UInt64
        var entries: [(block: UInt64, entry: MapEntry?, replacementCount: UInt64?)]
    }

    private func edgeVersion(_ edges: [UInt64]) -> EdgeVersion {
        state.withLock { state in
            var version = EdgeVersion(generation: state.superblock.generation, entries: [])
            for edge in edges {
                let entry = overlayEntry(edge, state)
                version.entries.append((edge, entry, replacementCount(entry, state)))
            }
            return version
        }
    }

    /// What a block's entry does not show where it can be replaced in its place: an encrypted
    /// disk's blocks have no checksum before they are written.
    private func replacementCount(
        _ entry: MapEntry?,
        _ state: borrowing EngineState
    ) -> UInt64? {
        guard let entry, entry.isMapped else { return nil }
        return memory(of: entry.location, state).map { $0.batch.replacementCount($0.slot) }
    }

    private func isCurrent(_ version: EdgeVersion, _ state: borrowing EngineState) -> Bool {
        guard version.generation == state.superblock.generation else { return false }
        for (block, old, oldCount) in version.entries {
            let entry = overlayEntry(block, state)
            if entry != old || replacementCount(entry, state) != oldCount { return false }
        }
        return true
    }

    /// Writes whole blocks, unless the edges have changed.
    private func writeBlocks(
        at first: UInt64,
        _ bytes: UnsafeRawBufferPointer,
        ifStill version: EdgeVersion?,
        _ waits: Bool
    ) throws(DiskError) -> Admission {
        try unsafe withEncoded(first, bytes) { (blocks) throws(DiskError) in
            try writeBlocks(blocks, ifStill: version, waits)
        }
    }

    /// The same, with the blocks as they are to be stored.
    func writeBlocks(
        _ blocks: EncodedBlocks,
        ifStill version: EdgeVersion?,
        _ waits: Bool = true
    ) throws(DiskError) -> Admission {
        try admit(blocks: blocks.count, waits: waits) { state in
            if let version, !isCurrent(version, state) { return false }
            appendUser(blocks, &state)
            for index in 0..<blocks.count { state.statistics.count(blocks.form(index)) }
            return true
        }
    }

    /// Makes blocks read as zeros and lets go of their space; only whole blocks within the range.
    func trim(_ range: Range<UInt64>) throws(DiskError) {
        try checkBounds("trim", range.lowerBound, range.count)
        while true {
            let geometry = geometry
            let first = (range.lowerBound + 4095) / 4096
            // The disk's last block may be partly beyond its end.
            let isTail = range.upperBound == geometry.sizeBytes
            let end = isTail ? geometry.blockCount : range.upperBound / 4096
            if first >= end { return }
            if try trimBlocks(first..<end, endOf: isTail ? geometry : nil) { return }
        }
    }

    /// - Parameter geometry: the disk's, if its last block is among them, which may be there in
    ///   part only.
    /// - Returns: false if the disk has another size by now: the rest of that block belongs to it.
    private func trimBlocks(
        _ blocks: Range<UInt64>,
        endOf geometry: Geometry?
    ) throws(DiskError) -> Bool {
        var start = blocks.lowerBound
        while start < blocks.upperBound {
            // A descriptor counts blocks in 32 bits.
            let end = min(blocks.upperBound, start + 1 << 31)
            let result = try admit(blocks: 1, isTrim: true) { state in
                if let geometry, state.superblock.geometry.sizeBytes != geometry.sizeBytes {
                    return false
                }
                appendTrim(start..<end, &state)
                state.isStuck = false
                return true
            }
            if result != .done { return false }
            start = end
        }
        return true
    }

    /// Makes a range read as zeros.
    ///
    /// - Parameter keepsSpace: whether the blocks are to stay allocated, as real zeros.
    func writeZeroes(_ range: Range<UInt64>, keepsSpace: Bool) throws(DiskError) {
        try checkBounds("write zeroes", range.lowerBound, range.count)
        while try !writeZeroes(range, keepsSpace: keepsSpace, geometry) {}
    }

    /// - Returns: false if the disk has another size by now.
    private func writeZeroes(
        _ range: Range<UInt64>,
        keepsSpace: Bool,
        _ geometry: Geometry
    ) throws(DiskError) -> Bool {
        let first = (range.lowerBound + 4095) / 4096 * 4096
        let isTail = range.upperBound == geometry.sizeBytes
        let end = isTail ? range.upperBound : range.upperBound / 4096 * 4096
        if first > end || (first == end && !isTail) {
            try writeRealZeroes(range)
            return true
        }
        try writeRealZeroes(range.lowerBound..<min(first, range.upperBound))
        if first < end {
            if keepsSpace {
                try writeRealZeroes(first..<end)
            } else {
                let blocks = first / 4096..<(end + 4095) / 4096
                let isDone = try trimBlocks(blocks, endOf: isTail ? geometry : nil)
                if !isDone { return false }
            }
        }
        try writeRealZeroes(max(end, first)..<max(end, first, range.upperBound))
        return true
    }

    private func writeRealZeroes(_ range: Range<UInt64>) throws(DiskError) {
        if range.isEmpty { return }
        let zeros = try options.buffers.buffer(
            for: "write zeroes",
            count: min(range.count, 1 << 20)
        )
        var offset = range.lowerBound
        while offset < range.upperBound {
            let count = min(zeros.count, Int(range.upperBound - offset))
            try unsafe write(at: offset, UnsafeRawBufferPointer(zeros.slice(0..<count)))
            offset += UInt64(count)
        }
    }
}

// MARK: - Admission

extension Engine {
    /// What became of a change.
    enum Admission {
        case done
        /// The change found that it no longer fits.
        case edgesChanged
        /// There was no room, and it was not to wait.
        case hasToWait
    }

    /// Runs a change under the lock as soon as there is room for it; it says whether it still fits.
    ///
    /// - Throws: kind `noSpace` if there is no room and none can be won.
    func admit(
        blocks: Int,
        isTrim: Bool = false,
        waits: Bool = true,
        _ change: (inout EngineState) -> Bool
    ) throws(DiskError) -> Admission {
        var hasWaited = false
        var waitNanoseconds: UInt64 = 0
        while true {
            let result = try state.withLock { (state) throws(DiskError) -> Admission? in
                while true {
                    try requireWritable(state)
                    if isMapFull(blocks, state) {
                        state.checkpointRequested = true
                    } else if hasRoom(forBlocks: blocks, isTrim: isTrim, state) {
                        if hasWaited {
                            let waited = clock.nanoseconds &- waitNanoseconds
                            state.statistics.throttledNanoseconds += waited
                        }
                        return change(&state) ? .done : .edgesChanged
                    }
                    if state.isStuck && state.user.free.count >= 3 { throw fullError(state) }
                    if state.isCommitBlocked && drive == .threads { throw fullError(state) }
                    if !waits { return .hasToWait }
                    if !hasWaited {
                        state.statistics.throttledWrites += 1
                        waitNanoseconds = clock.nanoseconds
                    }
                    hasWaited = true
                    if drive == .callers { return nil }
                    self.state.wakeAll(on: Condition.committer)
                    callMaintenance(&state)
                    self.state.wait(&state, on: Condition.progress)
                }
            }
            if let result { return result }
            try runSteps()
        }
    }

    /// Whether the changes of the map must be written out before more can come.
    func isMapFull(_ blocks: Int, _ state: borrowing EngineState) -> Bool {
        let deltas = state.active.deltas.count
        let trims = state.active.trims.ranges.count
        if deltas > 0 && deltas + blocks > 2 * state.memory.deltaCountMax { return true }
        if trims >= 2 * options.trimRangeCountMax { return true }
        // What was recovered may be more than a checkpoint usually takes: it must not grow from
        // life to life, or recovery would refuse it in the end.
        if state.frozen.isEmpty { return false }
        let frozen = state.frozen.reduce((deltas: 0, trims: 0)) { sum, changes in
            let overlay = changes.overlay
            return (sum.deltas + overlay.deltas.count, sum.trims + overlay.trims.ranges.count)
        }
        return deltas + frozen.deltas + blocks > 4 * state.memory.deltaCountMax
            || trims + frozen.trims >= 4 * options.trimRangeCountMax
    }

    func fullError(_ state: borrowing EngineState) -> DiskError {
        // Who waits for memory need not look for space.
        if let refusal = state.commitRefusal ?? state.stuckRefusal { return refusal }
        if state.hostIsFull {
            return DiskError(
                .noSpace,
                "write",
                "the host's file system is full and the disk cannot grow; free space there, or trim"
            )
        }
        let count = state.snapshots.records.count + state.pendingSnapshots.count
        if count > 0 {
            return DiskError(
                .noSpace,
                "write",
                "the container is full: snapshots keep "
                    + "\(state.snapshots.pinnedBytes(geometry) >> 20) MiB of its "
                    + "\(geometry.containerSizeBytes >> 20) MiB; delete one "
                    + "('footing disk snapshot delete') and go on, nothing that was flushed is lost"
            )
        }
        return DiskError(.noSpace, "write", "the container is full; trim, or make it larger")
    }

    /// Moves the engine on in place of its threads.
    private func runSteps() throws(DiskError) {
        let didCommit = try commitStep()
        let didMaintain = try maintenanceStep()
        if !didCommit && !didMaintain {
            let isStuck = state.withLock { state in state.isStuck || state.failure != nil }
            precondition(isStuck, "a writer waits and there is nothing to do")
        }
    }
}
