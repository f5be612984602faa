import FootingSystem

/// What there is to know of a snapshot.
public struct SnapshotInformation: Sendable, Equatable {
    /// Its name, unique on its disk.
    public let name: String
    /// Its number, never used again on its disk.
    public let identifier: UInt64
    /// When it was made, in seconds since 1970.
    public let createdUnixSeconds: UInt64
    /// The disk's size when it was made.
    public let sizeBytes: UInt64
    /// Whether its tree is not written yet; it is durable all the same.
    public internal(set) var isPending = false
    /// Bytes that it refers to, shared ones included; nil while it is pending.
    public internal(set) var referencedBytes: UInt64?
    /// Bytes in segments that nothing else needs; nil while it is pending.
    ///
    /// Neither another snapshot nor the disk nor the log: deleting it frees them, but for the few
    /// pages that the deletion itself writes.
    public internal(set) var exclusiveBytes: UInt64?
    /// Who reads it now.
    public internal(set) var readerCount = 0

    init(_ pending: PendingSnapshot, sizeBytes: UInt64) {
        name = pending.name
        identifier = pending.identifier
        createdUnixSeconds = pending.createdUnixSeconds
        self.sizeBytes = sizeBytes
        isPending = true
    }

    init(_ record: SnapshotRecord) {
        name = record.name
        identifier = record.identifier
        createdUnixSeconds = record.createdUnixSeconds
        sizeBytes = record.sizeBytes
        referencedBytes = record.unitCount * Geometry.unitSizeBytes
    }

    /// The snapshots of a container that nobody has open, oldest first; changes nothing.
    ///
    /// - Parameters:
    ///   - path: a file or a block device.
    ///   - key: what opens it if it is encrypted.
    /// - Throws: kind `busy` if a process serves it.
    public static func list(
        path: String,
        key: DiskKey? = nil
    ) throws(DiskError) -> [SnapshotInformation] {
        let store = try FileStore(path: path, access: .unchanging)
        do throws(DiskError) {
            return try list(store, key)
        } catch {
            throw error.at(path)
        }
    }

    private static func list(
        _ store: FileStore,
        _ key: DiskKey?
    ) throws(DiskError) -> [SnapshotInformation] {
        let found = try OpenedContainer(
            store: store,
            clock: SystemClock(),
            verifies: true,
            key: key
        )
        let geometry = found.superblock.geometry
        let heads = [
            found.superblock.user, found.superblock.collector, found.replay.user,
            found.replay.collector,
        ]
        let streams = Set(heads.flatMap { [$0.segment, $0.next] })
        let exclusive = found.snapshots.exclusiveCounts(found.segments) { segment in
            found.lastLSN[segment] > 0 || streams.contains(UInt32(segment))
        }
        let pending = found.changes.frozen.compactMap { $0.snapshot }
        return found.snapshots.records.map { SnapshotInformation($0, exclusive, geometry) }
            + pending.map { SnapshotInformation($0, sizeBytes: geometry.sizeBytes) }
    }

    /// - Parameter exclusive: by identifier, the segments that only it needs.
    init(_ record: SnapshotRecord, _ exclusive: [UInt64: Int], _ geometry: Geometry) {
        self.init(record)
        let count = UInt64(exclusive[record.identifier] ?? 0)
        exclusiveBytes = count * geometry.segmentSizeBytes
    }
}

extension SnapshotState {
    /// How many segments each snapshot alone needs, by its identifier.
    ///
    /// - Parameter isElseNeeded: whether the log keeps a segment.
    func exclusiveCounts(
        _ segments: borrowing [SegmentEntry],
        isElseNeeded: (Int) -> Bool
    ) -> [UInt64: Int] {
        var counts: [UInt64: Int] = [:]
        if pins.isEmpty { return counts }
        for segment in segments.indices where segments[segment].liveUnits == 0 {
            guard let owner = pins.soleOwner(segment), !isElseNeeded(segment) else { continue }
            counts[owner, default: 0] += 1
        }
        return counts
    }
}

extension Engine {
    /// All snapshots, oldest first; reads nothing.
    ///
    /// - Parameter countsSpace: whether to count what each alone keeps, which takes the longer the
    ///   more segments there are.
    func snapshots(countsSpace: Bool = true) -> [SnapshotInformation] {
        let geometry = geometry
        return state.withLock { state in
            var exclusive: [UInt64: Int] = [:]
            if countsSpace {
                let streams = segmentsOfStreams(state)
                let lsn = state.superblock.lsn
                let lastLSN = state.lastLSN
                exclusive = state.snapshots.exclusiveCounts(state.segments) { segment in
                    lastLSN[segment] > lsn || streams.contains(UInt32(segment))
                }
            }
            var result: [SnapshotInformation] = []
            for record in state.snapshots.records
            where !state.snapshots.isGoing(record.identifier) {
                var information = SnapshotInformation(record, exclusive, geometry)
                information.readerCount = state.snapshots.readers[record.identifier] ?? 0
                result.append(information)
            }
            let pending = state.pendingSnapshots
            return result
                + pending.map { SnapshotInformation($0, sizeBytes: geometry.sizeBytes) }
        }
    }

    /// Opens a snapshot for reading, which keeps it from being deleted.
    func openSnapshot(_ name: String) throws(DiskError) -> DiskSnapshot {
        while true {
            let record = try settledSnapshot(name, "open snapshot")
            if let snapshot = openSnapshot(record) { return snapshot }
        }
    }

    /// - Returns: nil if it is gone.
    private func openSnapshot(_ record: SnapshotRecord) -> DiskSnapshot? {
        let isThere = state.withLock { state in
            guard !state.snapshots.isGoing(record.identifier),
                state.snapshots.records.contains(record)
            else { return false }
            state.snapshots.readers[record.identifier, default: 0] += 1
            return true
        }
        return isThere ? DiskSnapshot(self, record, isCounted: true) : nil
    }

    /// One reader less.
    func closeSnapshot(_ identifier: UInt64) {
        state.withLock { state in
            let count = (state.snapshots.readers[identifier] ?? 1) - 1
            state.snapshots.readers[identifier] = count > 0 ? count : nil
        }
    }
}
