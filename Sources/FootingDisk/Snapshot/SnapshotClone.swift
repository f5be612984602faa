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
    ///   - progress: called from time to time.
    /// - Returns: bytes that were copied.
    /// - Throws: kind `invalid` if there is no such snapshot, or the target is there.
    public static func run(
        path: String,
        snapshot name: String,
        to target: String,
        progress: (CheckProgress) -> Void = { _ in }
    ) throws(DiskError) -> UInt64 {
        let store = try FileStore(path: path, access: .readOnly)
        let (snapshot, record): (DiskSnapshot, SnapshotRecord)
        do throws(DiskError) {
            (snapshot, record) = try open(store, name)
        } catch {
            throw error.at(path)
        }
        let superblock = try OpenedContainer.readSuperblock(store).0
        let geometry = superblock.geometry
        let own = Geometry(
            sizeBytes: record.sizeBytes,
            segmentSizeBytes: geometry.segmentSizeBytes,
            segmentCount: geometry.segmentCount
        )
        return try NewDisk.make(path: target, own, superblock.compression) {
            (disk) throws(DiskError) in
            try copy(snapshot, to: disk, progress)
        }
    }

    /// Finds a snapshot in a container that may change meanwhile.
    private static func open(
        _ store: FileStore,
        _ name: String
    ) throws(DiskError) -> (DiskSnapshot, SnapshotRecord) {
        var attempts = 0
        while true {
            attempts += 1
            let superblock = try OpenedContainer.readSuperblock(store).0
            do throws(DiskError) {
                let records = try SnapshotTable.records(superblock, store).records
                guard let record = records.first(where: { $0.name == name }) else {
                    throw Engine.noSnapshot(name, "clone")
                }
                let engine = try Engine.reading(
                    store,
                    superblock,
                    budgetBytes: memoryBudgetBytes
                )
                return (DiskSnapshot(engine, record, isCounted: false), record)
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
    public static func open(path: String, snapshot name: String) throws(DiskError) -> DiskSnapshot {
        let store = try FileStore(path: path, access: .readOnly)
        do throws(DiskError) { return try open(store, name).0 } catch { throw error.at(path) }
    }
}

extension Engine {
    /// An engine that reads trees which do not change, and nothing else.
    static func reading(
        _ store: any BlockStore,
        _ superblock: Superblock,
        budgetBytes: Int
    ) throws(DiskError) -> Engine {
        let options = EngineOptions().fitted(to: superblock.geometry)
        let plan = MemoryPlan(
            budgetBytes: budgetBytes,
            geometry: superblock.geometry,
            deltaCountMax: options.deltaCountMax
        )
        var state = try EngineState(
            OpenedContainer(reading: superblock),
            plan,
            options.buffers,
            nanoseconds: 0
        )
        state.isClosed = true
        return try Engine(
            store: store,
            options: options,
            clock: SystemClock(),
            drive: .callers,
            state: state
        )
    }
}
