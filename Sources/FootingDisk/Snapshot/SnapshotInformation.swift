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
    /// Bytes that deleting it gives back at least: segments that nothing else needs; nil while it
    /// is pending.
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
        let pins = found.snapshots.pins
        var result: [SnapshotInformation] = []
        for record in found.snapshots.records {
            var information = SnapshotInformation(record)
            let counts = try SnapshotTable.counts(
                of: record,
                volume: found.superblock.volume,
                store,
                geometry,
                found.cipher
            ).counts
            var bytes: UInt64 = 0
            for segment in counts.indices where counts[segment] > 0 {
                let isElseNeeded =
                    found.segments[segment].liveUnits > 0 || found.lastLSN[segment] > 0
                if counts[segment] == pins[segment], !isElseNeeded {
                    bytes += geometry.segmentSizeBytes
                }
            }
            information.exclusiveBytes = bytes
            result.append(information)
        }
        let pending = found.changes.frozen.compactMap { $0.snapshot }
        return result
            + pending.map { SnapshotInformation($0, sizeBytes: geometry.sizeBytes) }
    }

    /// What deleting a snapshot frees at once.
    ///
    /// - Parameters:
    ///   - counts: what it refers to, by segment.
    ///   - pins: what all of them do.
    ///   - isElseNeeded: whether something else keeps a segment.
    static func exclusiveBytes(
        _ counts: [UInt32],
        of pins: [UInt32],
        _ geometry: Geometry,
        isElseNeeded: (Int) -> Bool
    ) -> UInt64 {
        guard counts.count == pins.count else { return 0 }
        let count = counts.indices.count { segment in
            counts[segment] > 0 && counts[segment] == pins[segment] && !isElseNeeded(segment)
        }
        return UInt64(count) * geometry.segmentSizeBytes
    }
}

extension Engine {
    /// All snapshots, oldest first.
    ///
    /// Reads what they refer to from the container: some kilobytes for each, more on large disks.
    func snapshots() throws(DiskError) -> [SnapshotInformation] {
        let (snapshots, pending, needed) = state.withLock { state in
            let needed = state.segments.indices.map { index in
                let entry = state.segments[index]
                return entry.liveUnits > 0 || state.lastLSN[index] > state.superblock.lsn
            }
            return (state.snapshots, state.pendingSnapshots, needed)
        }
        var result: [SnapshotInformation] = []
        for record in snapshots.records where !snapshots.isGoing(record.identifier) {
            // One that is deleted meanwhile is read while others use its place: it is left out.
            guard let reader = openSnapshot(record) else { continue }
            var information = SnapshotInformation(record)
            let counts = try SnapshotTable.counts(
                of: record,
                volume: volume,
                store,
                geometry,
                cipher
            ).counts
            information.exclusiveBytes = SnapshotInformation.exclusiveBytes(
                counts,
                of: snapshots.pins,
                geometry
            ) { needed[$0] }
            information.readerCount = snapshots.readers[record.identifier] ?? 0
            result.append(information)
            withExtendedLifetime(reader) {}
        }
        let size = geometry.sizeBytes
        return result + pending.map { SnapshotInformation($0, sizeBytes: size) }
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
