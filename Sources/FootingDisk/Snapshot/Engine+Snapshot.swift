import FootingSystem

// Making snapshots: a descriptor in the log, and the changes so far set aside.
extension Engine {
    /// Makes a snapshot of the disk as it is now; durable when this returns.
    ///
    /// The log says that it is there, and the next checkpoint writes its tree: how long it takes
    /// does not depend on the disk's size.
    ///
    /// - Throws: kind `invalid` if the name is taken or impossible; kind `noSpace` if nothing could
    ///   be written after it.
    func createSnapshot(_ name: String) throws(DiskError) -> SnapshotInformation {
        let pending = try beginSnapshot(name)
        do throws(DiskError) { try flushAndWait() } catch {
            throw DiskError(
                error.kind,
                "create snapshot",
                offset: error.offset,
                "it is in the log and not durable; it may be there later (\(error.detail))",
                cause: error.cause
            )
        }
        return SnapshotInformation(pending, sizeBytes: geometry.sizeBytes)
    }

    /// The same, durable with the next flush.
    func beginSnapshot(_ name: String) throws(DiskError) -> PendingSnapshot {
        try SnapshotName.require(name)
        try enableSnapshots()
        let time = clock.unixSeconds
        return try admitSnapshot { (state) throws(DiskError) -> PendingSnapshot in
            let snapshots = state.snapshots
            let names = snapshots.records.map { $0.name } + state.pendingSnapshots.map { $0.name }
            if names.contains(name) {
                throw DiskError(.invalid, "create snapshot", "there is one named '\(name)' already")
            }
            guard names.count < SnapshotLimits.countMax,
                snapshots.lastIdentifier + 1 < SnapshotRecord.identifierMax
            else {
                throw DiskError(
                    .invalid,
                    "create snapshot",
                    "there are \(names.count) already, the most there can be; delete one"
                )
            }
            state.snapshots.lastIdentifier += 1
            let pending = PendingSnapshot(
                identifier: state.snapshots.lastIdentifier,
                name: name,
                createdUnixSeconds: time
            )
            append(pending, &state)
            return pending
        }
    }

    /// Puts a snapshot into the log, and sets the changes up to there aside.
    private func append(_ snapshot: PendingSnapshot, _ state: inout EngineState) {
        // What the collector copied belongs to it as well. Clients' commit comes before, as always:
        // the collector's may say that a segment is free because of what is newer in theirs.
        seal(.user, continues: false, &state)
        seal(.collector, continues: false, &state)
        let batch = open(.user, &state)
        for descriptor in snapshot.descriptors { batch.append(descriptor) }
        seal(.user, continues: false, &state)
        state.setAside(snapshot)
        callMaintenance(&state)
    }

    /// Whether a snapshot can be made at once.
    func hasRoomForSnapshot(_ state: borrowing EngineState) -> Bool {
        let pendingCount = state.pendingSnapshots.count
        guard pendingCount < SnapshotLimits.pendingCountMax, state.user.free.count >= 2 else {
            return false
        }
        let pages = snapshotPageCount(state, pendingCount: pendingCount + 1)
        // Its own tree, and the one after it; never more than the collector sees to.
        let more = min(pages / geometry.pagesPerSegment + 2, segmentsSpare - 1)
        return state.ready.count > segmentsReserved(state) + more
    }

    /// Runs a change as soon as there is room for a snapshot.
    private func admitSnapshot<Result>(
        _ change: (inout EngineState) throws(DiskError) -> Result
    ) throws(DiskError) -> Result {
        defer { state.withLock { $0.snapshots.isSpaceWanted = false } }
        state.withLock { $0.snapshots.isShort = false }
        while true {
            let result = try state.withLock { (state) throws(DiskError) -> Result? in
                while true {
                    try requireWritable(state)
                    if hasRoomForSnapshot(state) { return try change(&state) }
                    if state.isStuck || state.isCommitBlocked || state.snapshots.isShort {
                        throw fullError(state)
                    }
                    state.snapshots.isSpaceWanted = true
                    if drive == .callers { return nil }
                    self.state.wakeAll(on: Condition.committer)
                    callMaintenance(&state)
                    self.state.wait(&state, on: Condition.progress, nanoseconds: 100_000_000)
                }
            }
            if let result { return result }
            let didCommit = try commitStep()
            let didMaintain = try maintenanceStep()
            precondition(
                didCommit || didMaintain
                    || state.withLock { $0.snapshots.isShort || $0.isStuck || $0.failure != nil },
                "a snapshot waits and there is nothing to do"
            )
        }
    }

    /// Pages that the next checkpoint may write for snapshots: their table, and what those refer to
    /// whose trees are not written yet.
    func snapshotPageCount(_ state: borrowing EngineState, pendingCount: Int) -> Int {
        let count = state.snapshots.records.count + pendingCount
        if count == 0 { return 0 }
        return max(pendingCount, 1) * SnapshotTable.recordPageCount(count)
            + pendingCount * SnapshotTable.countPageCount(geometry)
    }

    /// Makes everything acknowledged so far durable.
    func flushAndWait() throws(DiskError) {
        let done = Locked<Result<Void, DiskError>?>(nil)
        flush { error in
            done.withLock { $0 = error.map { .failure($0) } ?? .success(()) }
            done.wakeAll()
        }
        let result = done.withLock { state -> Result<Void, DiskError> in
            while true {
                if let state { return state }
                done.wait(&state)
            }
        }
        try result.get()
    }

    // MARK: - The feature

    /// Makes sure that a program that does not know snapshots does not open the disk any more.
    ///
    /// Before the first one is in the log: it would take that for its end.
    private func enableSnapshots() throws(DiskError) {
        if drive == .callers {
            if !state.withLock({ $0.hasSnapshotsFeature }) { try noteSnapshotsFeature() }
            return
        }
        try state.withLock { (state) throws(DiskError) in
            while !state.hasSnapshotsFeature {
                try requireWritable(state)
                state.snapshots.isFeatureWanted = true
                callMaintenance(&state)
                self.state.wait(&state, on: Condition.progress, nanoseconds: 100_000_000)
            }
        }
    }

    /// Writes the superblock with the feature; on the thread that also makes checkpoints.
    func noteSnapshotsFeature() throws(DiskError) {
        var superblock = state.withLock { $0.superblock }
        superblock.features |= Superblock.snapshotsFeature
        superblock.generation += 1
        let page = try sealed(superblock)
        do throws(DiskError) { try writeSuperblock(page) } catch {
            // Which of the two is on the disk is not known.
            fail(error)
            throw error
        }
        state.withLock { state in
            state.superblock = superblock
            state.snapshots.isFeatureWanted = false
        }
        state.wakeAll(on: Condition.progress)
    }
}

extension EngineState {
    var hasSnapshotsFeature: Bool { superblock.features & Superblock.snapshotsFeature != 0 }

    /// Snapshots whose tree is not written yet.
    var pendingSnapshots: [PendingSnapshot] { frozen.compactMap { $0.snapshot } }

    /// Whether a snapshot still needs what the last tree refers to.
    var hasPendingSnapshot: Bool { frozen.contains { $0.snapshot != nil } }

    /// Sets the changes so far aside, for a checkpoint of their own; everything is sealed.
    mutating func setAside(_ snapshot: PendingSnapshot?) {
        let position = LogPosition(
            lsn: sealedLSN,
            checksum: sealedChecksum,
            user: user.head,
            collector: collector.head
        )
        frozen.append(FrozenChanges(overlay: active, position: position, snapshot: snapshot))
        active = Overlay(blocksPerLeaf: superblock.geometry.entriesPerPage)
        logBytesSinceCheckpoint = 0
    }
}
