import FootingAcceleration
import FootingSystem

/// A snapshot's copy in a container of its own.
public enum SnapshotClone {
    /// Most memory that reading takes.
    private static let memoryBudgetBytes = 24 << 20

    /// Copies a snapshot to a new container, holes as holes; every block's checksum is verified on
    /// the way, and the copy has its own.
    ///
    /// The source may be in use. A snapshot that is deleted meanwhile is noticed by its checksums.
    ///
    /// - Parameters:
    ///   - path: the source.
    ///   - name: the snapshot.
    ///   - target: a file that is not there yet; it has a name with `.partial-` until it is
    ///     complete, and is removed if anything fails.
    ///   - key: what opens the source if it is encrypted.
    ///   - encryption: how the copy is encrypted, with a key of its own; nil: not at all.
    ///   - progress: called from time to time.
    /// - Returns: bytes that were copied.
    /// - Throws: kind `invalid` if there is no such snapshot, or the target is there.
    public static func run(
        path: String,
        snapshot name: String,
        to target: String,
        key: DiskKey? = nil,
        encryption: DiskEncryption? = nil,
        progress: (CheckProgress) -> Void = { _ in }
    ) throws(DiskError) -> UInt64 {
        let store = try FileStore(path: path, access: .readOnly)
        let (snapshot, record, superblock): (DiskSnapshot, SnapshotRecord, Superblock)
        do throws(DiskError) {
            (snapshot, record, superblock) = try open(store, name, key)
        } catch {
            throw error.at(path)
        }
        let geometry = superblock.geometry
        let own = try Self.geometry(
            of: record,
            in: geometry,
            isEncrypted: encryption != nil
        )
        var options = DiskOptions(sizeBytes: own.sizeBytes)
        options.compression = superblock.compression
        options.encryption = encryption
        return try NewDisk.make(path: target, own, options) { (disk) throws(DiskError) in
            try copy(snapshot, to: disk, progress)
        }
    }

    /// The layout of the copy: that of the source, with room for an encrypted disk's larger map.
    private static func geometry(
        of record: SnapshotRecord,
        in source: Geometry,
        isEncrypted: Bool
    ) throws(DiskError) -> Geometry {
        let plan = Geometry(
            sizeBytes: record.sizeBytes,
            sparePercent: DiskOptions.sparePercentMin,
            segmentSizeBytes: source.segmentSizeBytes,
            isEncrypted: isEncrypted
        )
        let least = isEncrypted == source.isEncrypted ? 0 : plan.segmentCount
        // Everything where it is in a new container: the source may have been resized.
        return Geometry(
            sizeBytes: record.sizeBytes,
            segmentSizeBytes: source.segmentSizeBytes,
            segmentCount: max(least, source.segmentCount),
            isEncrypted: isEncrypted
        )
    }

    /// Finds a snapshot in a container that may change meanwhile.
    private static func open(
        _ store: FileStore,
        _ name: String,
        _ key: DiskKey?
    ) throws(DiskError) -> (DiskSnapshot, SnapshotRecord, Superblock) {
        let accelerator = SoftwareAccelerator()
        let keys = try OpenedContainer.unlock(store, key, accelerator).cipher?.keys
        var attempts = 0
        while true {
            attempts += 1
            let superblock = try OpenedContainer.readSuperblock(store, keys).0
            let cipher = keys.map { VolumeCipher($0, superblock.geometry) }
            do throws(DiskError) {
                if let cipher {
                    let buffers = KernelBuffers()
                    let table = try OpenedContainer.readTable(store, superblock, buffers, cipher)
                    cipher.note(table.entries)
                }
                let records = try SnapshotTable.records(superblock, store, cipher).records
                guard let record = records.first(where: { $0.name == name }) else {
                    throw Engine.noSnapshot(name, "clone")
                }
                let engine = try Engine.reading(
                    store,
                    superblock,
                    cipher,
                    budgetBytes: memoryBudgetBytes
                )
                return (DiskSnapshot(engine, record, isCounted: false), record, superblock)
            } catch {
                // Another table may be the current one by now.
                guard error.kind == .corrupt, attempts < 8 else { throw error }
            }
        }
    }

    private static func copy(
        _ snapshot: DiskSnapshot,
        to disk: Disk,
        _ progress: (CheckProgress) -> Void
    ) throws(DiskError) -> UInt64 {
        let count = try unsafe snapshot.forEachPiece(progress) {
            (offset, bytes) throws(DiskError) in
            try unsafe disk.write(at: offset, bytes)
        }
        try disk.flush()
        return count
    }

    /// Opens a snapshot of a container that may be in use, for reading only.
    ///
    /// Nothing keeps it from being deleted meanwhile; that is noticed by its checksums.
    ///
    /// - Parameter key: what opens the container if it is encrypted.
    public static func open(
        path: String,
        snapshot name: String,
        key: DiskKey? = nil
    ) throws(DiskError) -> DiskSnapshot {
        let store = try FileStore(path: path, access: .readOnly)
        do throws(DiskError) { return try open(store, name, key).0 } catch { throw error.at(path) }
    }
}

extension Engine {
    /// An engine that reads trees which do not change, and nothing else.
    static func reading(
        _ store: any BlockStore,
        _ superblock: Superblock,
        _ cipher: VolumeCipher?,
        budgetBytes: Int
    ) throws(DiskError) -> Engine {
        let options = EngineOptions().fitted(to: superblock.geometry)
        let plan = MemoryPlan(
            budgetBytes: budgetBytes,
            geometry: superblock.geometry,
            deltaCountMax: options.deltaCountMax
        )
        var state = try EngineState(
            OpenedContainer(reading: superblock, cipher),
            plan,
            options,
            nanoseconds: 0
        )
        state.isClosed = true
        return try Engine(
            store: store,
            options: options,
            clock: SystemClock(),
            drive: .callers,
            state: state,
            cipher: cipher
        )
    }
}
