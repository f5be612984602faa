import FootingSystem

// What a checkpoint does for snapshots.
extension Engine {
    /// What the snapshots are after a checkpoint.
    struct SnapshotChange {
        var records: [SnapshotRecord]
        var tablePages: [Location]
        /// A new one: what it refers to, and where that is written.
        var added: SnapshotNeeds?
        var deletions: [SnapshotNeeds]
    }

    /// Writes the table anew if a snapshot is made or deleted, and what a new one refers to.
    ///
    /// - Parameters:
    ///   - next: the superblock to be, which has the new tree already.
    ///   - output: where pages go.
    /// - Returns: nil if nothing changes.
    func writeSnapshots(
        _ start: CheckpointStart,
        _ next: inout Superblock,
        _ ledger: Ledger,
        to output: MapStream
    ) throws(DiskError) -> SnapshotChange? {
        let going = Set(start.deletions.map { $0.identifier })
        if start.snapshot == nil && going.isEmpty { return nil }
        var records = state.withLock { state in
            state.snapshots.records.filter { !going.contains($0.identifier) }
        }
        var added: SnapshotNeeds?
        if let snapshot = start.snapshot {
            let counts = try state.withLock { (state) throws(DiskError) in
                try ledger.counts(after: state.segments)
            }
            let pages = try SnapshotTable.write(
                counts: counts,
                of: snapshot.identifier,
                volume: volume,
                generation: next.generation,
                geometry,
                to: output
            )
            added = SnapshotNeeds(
                identifier: snapshot.identifier,
                counts: counts,
                pages: pages.locations
            )
            records.append(
                SnapshotRecord(
                    identifier: snapshot.identifier,
                    name: snapshot.name,
                    createdUnixSeconds: snapshot.createdUnixSeconds,
                    sizeBytes: geometry.sizeBytes,
                    lsn: next.lsn,
                    root: next.root,
                    counts: pages.first,
                    unitCount: counts.reduce(0) { $0 + UInt64($1) }
                )
            )
        }
        let table = try SnapshotTable.write(
            records,
            volume: volume,
            generation: next.generation,
            to: output
        )
        next.snapshots.table = table.first
        next.snapshots.count = UInt32(records.count)
        let last = start.snapshot?.identifier ?? 0
        next.snapshots.lastIdentifier = max(next.snapshots.lastIdentifier, last)
        return SnapshotChange(
            records: records,
            tablePages: table.locations,
            added: added,
            deletions: start.deletions
        )
    }

    /// What a failed checkpoint was to do besides is not done later either.
    func giveUp(_ goal: CheckpointGoal, _ error: DiskError) {
        state.withLock { state in
            state.checkpoints.fail(error)
            if state.resizeTarget != nil {
                state.resizeTarget = nil
                for index in state.frozen.indices { state.frozen[index].geometry = nil }
            }
            // Others may have come since, which were not tried.
            let tried = Set(goal.deletions.map { $0.identifier })
            state.giveUpDeletions(error) { tried.contains($0.identifier) }
            if state.frozen.first?.rollback != nil { state.giveUpRollback(error) }
        }
        state.wakeAll(on: Condition.progress)
    }

    /// Does nothing any more but the last checkpoint: who waits for another is told so.
    func beginClosing() {
        state.withLock { state in
            state.isClosed = true
            state.giveUpSnapshotChanges(
                DiskError(.closed, "change snapshots", "the disk was closed")
            )
        }
        state.wakeAll(on: Condition.progress)
    }
}

extension EngineState {
    /// Deletes no snapshot, and goes back to none.
    mutating func giveUpSnapshotChanges(_ error: DiskError) {
        giveUpDeletions(error) { _ in true }
        giveUpRollback(error)
    }

    fileprivate mutating func giveUpDeletions(
        _ error: DiskError,
        where isGivenUp: (SnapshotNeeds) -> Bool
    ) {
        guard snapshots.deletions.contains(where: isGivenUp) else { return }
        snapshots.deletions.removeAll(where: isGivenUp)
        snapshots.deletionFailure = error
    }

    fileprivate mutating func giveUpRollback(_ error: DiskError) {
        guard snapshots.rollback != nil else { return }
        snapshots.rollback = nil
        snapshots.rollbackFailure = error
        for index in frozen.indices { frozen[index].rollback = nil }
    }

    /// Takes over what a checkpoint made of the snapshots.
    mutating func finish(
        _ change: Engine.SnapshotChange?,
        isRollback: Bool,
        _ geometry: Geometry
    ) {
        if isRollback {
            snapshots.rollback = nil
            snapshots.rollbackFailure = nil
        }
        guard let change else { return }
        snapshots.pins.remove(table: snapshots.tablePages, geometry)
        for deletion in change.deletions { snapshots.pins.remove(deletion, geometry) }
        if let added = change.added { snapshots.pins.add(added, geometry) }
        snapshots.pins.add(table: change.tablePages, geometry)
        if change.records.isEmpty { snapshots.pins = SegmentPins() }
        snapshots.records = change.records
        snapshots.tablePages = change.tablePages
        let gone = Set(change.deletions.map { $0.identifier })
        snapshots.deletions.removeAll { gone.contains($0.identifier) }
    }
}
