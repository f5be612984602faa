import FootingSystem

// Deleting snapshots, and going back to one: both are done by a checkpoint.
extension Engine {
    /// Deletes a snapshot: what only it needs is free when this returns.
    ///
    /// - Throws: kind `busy` while somebody reads it; kind `invalid` if there is none.
    func deleteSnapshot(_ name: String) throws(DiskError) {
        let record = try settledSnapshot(name, "delete snapshot")
        let (counts, pages) = try counts(of: record, "delete snapshot")
        let deletion = SnapshotNeeds(
            identifier: record.identifier,
            counts: counts,
            pages: pages.locations
        )
        try state.withLock { (state) throws(DiskError) in
            try requireWritable(state)
            let readerCount = state.snapshots.readers[record.identifier] ?? 0
            if readerCount > 0 {
                throw DiskError(
                    .busy,
                    "delete snapshot",
                    "'\(name)' is being read by \(readerCount) clients; disconnect them first"
                )
            }
            guard state.snapshots.rollback?.record.identifier != record.identifier else {
                throw DiskError(.busy, "delete snapshot", "the disk is going back to '\(name)'")
            }
            // Somebody else was first: to this caller it is not there, as a moment later.
            guard state.snapshots.isThere(record) else {
                throw Self.noSnapshot(name, "delete snapshot")
            }
            state.snapshots.deletions.append(deletion)
        }
        try awaitChange { !$0.snapshots.isGoing(record.identifier) }
        let failure = state.withLock { state in
            let isThere = state.snapshots.records.contains { $0.identifier == record.identifier }
            return isThere ? state.snapshots.deletionFailure : nil
        }
        if let failure { throw failure }
    }

    /// Makes the disk what it was: everything written since is gone, unless a snapshot has it.
    ///
    /// What is written meanwhile stands on top of it: the caller sees to it that nobody writes.
    ///
    /// - Throws: kind `invalid` if there is no such snapshot, or the disk had another size then.
    func rollBack(to name: String) throws(DiskError) {
        let record = try settledSnapshot(name, "roll back")
        guard record.sizeBytes == geometry.sizeBytes else {
            throw DiskError(
                .invalid,
                "roll back",
                "'\(name)' is of \(record.sizeBytes) bytes and the disk of \(geometry.sizeBytes); "
                    + "clone it instead"
            )
        }
        let counts = try counts(of: record, "roll back").counts
        try state.withLock { (state) throws(DiskError) in
            try requireWritable(state)
            guard state.snapshots.rollback == nil else {
                throw DiskError(.busy, "roll back", "another rollback is under way")
            }
            guard state.snapshots.isThere(record) else {
                throw Self.noSnapshot(name, "roll back")
            }
            state.snapshots.rollbackFailure = nil
            state.snapshots.rollback = SnapshotRollback(record: record, counts: counts)
        }
        try awaitChange { $0.snapshots.rollback == nil }
        if let failure = state.withLock({ $0.snapshots.rollbackFailure }) { throw failure }
    }

    /// A snapshot by its name, its tree written.
    func settledSnapshot(
        _ name: String,
        _ operation: String
    ) throws(DiskError) -> SnapshotRecord {
        let pending = state.withLock { state in
            state.pendingSnapshots.first { $0.name == name }
        }
        if let pending {
            try checkpointUntil { state in
                !state.pendingSnapshots.contains { $0.identifier == pending.identifier }
            }
        }
        let record = state.withLock { state in
            state.snapshots.records.first {
                $0.name == name && !state.snapshots.isGoing($0.identifier)
            }
        }
        guard let record else { throw Self.noSnapshot(name, operation) }
        return record
    }

    /// What a snapshot refers to.
    ///
    /// Its pages may be others' as soon as somebody deletes it.
    ///
    /// - Throws: as if it had not been there, where it is gone by now.
    private func counts(
        of record: SnapshotRecord,
        _ operation: String
    ) throws(DiskError) -> (counts: [UInt32], pages: SnapshotTable.Pages) {
        do throws(DiskError) {
            return try SnapshotTable.counts(
                of: record,
                volume: volume,
                store,
                geometry,
                cipher
            )
        } catch {
            if state.withLock({ $0.snapshots.isThere(record) }) { throw error }
            throw Self.noSnapshot(record.name, operation)
        }
    }

    static func noSnapshot(_ name: String, _ operation: String) -> DiskError {
        DiskError(
            .invalid,
            operation,
            "there is no snapshot '\(name)'; 'footing disk snapshot list' shows them"
        )
    }

    /// Waits for a checkpoint to make a change, or to give it up.
    ///
    /// A change that could not be made is not made later either: whoever is told so can rely on it.
    private func awaitChange(
        _ isDone: (borrowing EngineState) -> Bool
    ) throws(DiskError) {
        do throws(DiskError) { try checkpointUntil(isDone) } catch {
            let isMade = state.withLock { state in
                if isDone(state) { return true }
                state.giveUpSnapshotChanges(error)
                return false
            }
            if !isMade { throw error }
        }
    }
}

extension SnapshotState {
    /// Whether the next checkpoint deletes it.
    func isGoing(_ identifier: UInt64) -> Bool {
        deletions.contains { $0.identifier == identifier }
    }

    /// Whether a snapshot is there, and stays.
    func isThere(_ record: SnapshotRecord) -> Bool {
        !isGoing(record.identifier) && records.contains(record)
    }

    /// Goes back to no snapshot that a checkpoint deleted meanwhile: its segments are others' now.
    ///
    /// Nor to one of another size: the disk may have got that meanwhile.
    mutating func giveUpLostRollback(sizeBytes: UInt64) {
        guard let record = rollback?.record else { return }
        if record.sizeBytes != sizeBytes {
            rollbackFailure = DiskError(
                .invalid,
                "roll back",
                "'\(record.name)' is of another size than the disk is now; clone it instead"
            )
        } else if isGoing(record.identifier) || !records.contains(record) {
            rollbackFailure = Engine.noSnapshot(record.name, "roll back")
        } else {
            return
        }
        rollback = nil
    }
}
