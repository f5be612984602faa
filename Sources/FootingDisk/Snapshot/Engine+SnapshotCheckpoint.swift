import FootingSystem

// What a checkpoint does for snapshots.
extension Engine {
    /// What the snapshots are after a checkpoint.
    struct SnapshotChange {
        var records: [SnapshotRecord]
        var tablePages: [Location]
        var pins: [UInt32]
        var deletions: Set<UInt64>
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
        let (before, entries) = state.withLock { ($0.snapshots, $0.segments) }
        let going = Set(start.deletions.map { $0.identifier })
        if start.snapshot == nil && going.isEmpty { return nil }
        var pins = before.pins
        if pins.isEmpty { pins = [UInt32](repeating: 0, count: entries.count) }
        var records = before.records.filter { !going.contains($0.identifier) }
        for deletion in start.deletions {
            for (segment, count) in deletion.counts.enumerated() { pins[segment] -= count }
            for page in deletion.pages { pins.unpin(page, geometry) }
        }
        if let snapshot = start.snapshot {
            var after = entries
            try ledger.apply(to: &after)
            let counts = after.map { $0.liveUnits }
            let pages = try SnapshotTable.write(
                counts: counts,
                of: snapshot.identifier,
                volume: volume,
                generation: next.generation,
                geometry,
                to: output
            )
            for (segment, count) in counts.enumerated() { pins[segment] += count }
            for page in pages.locations { pins.pin(page, geometry) }
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
        for page in before.tablePages { pins.unpin(page, geometry) }
        for page in table.locations { pins.pin(page, geometry) }
        next.snapshots.table = table.first
        next.snapshots.count = UInt32(records.count)
        let last = start.snapshot?.identifier ?? 0
        next.snapshots.lastIdentifier = max(next.snapshots.lastIdentifier, last)
        return SnapshotChange(
            records: records,
            tablePages: table.locations,
            pins: records.isEmpty ? [] : pins,
            deletions: going
        )
    }

    /// A rollback that could not be made is not made later either.
    func giveUpRollback(_ error: DiskError) {
        state.withLock { state in
            guard state.snapshots.rollback != nil else { return }
            state.snapshots.rollback = nil
            state.snapshots.rollbackFailure = error
            for index in state.frozen.indices { state.frozen[index].rollback = nil }
        }
        state.wakeAll(on: Condition.progress)
    }
}

extension EngineState {
    /// Takes over what a checkpoint made of the snapshots.
    mutating func finish(_ change: Engine.SnapshotChange?, isRollback: Bool) {
        if isRollback {
            snapshots.rollback = nil
            snapshots.rollbackFailure = nil
        }
        guard let change else { return }
        snapshots.records = change.records
        snapshots.tablePages = change.tablePages
        snapshots.pins = change.pins
        snapshots.deletions.removeAll { change.deletions.contains($0.identifier) }
    }
}
