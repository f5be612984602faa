import FootingSystem

/// A place in the log, between two commits.
struct LogPosition: Sendable {
    /// The commit before it, and its checksum.
    var lsn: UInt64
    var checksum: UInt32
    /// Where the streams go on.
    var user: Superblock.Head
    var collector: Superblock.Head
}

/// Changes of the map up to a place in the log, which a checkpoint is to write out.
struct FrozenChanges: Sendable {
    var overlay: Overlay
    var position: LogPosition
    /// What becomes of the tree that they lead to; nil: nothing but that it is the current one.
    var snapshot: PendingSnapshot?
    /// They are dropped, and another tree is the current one.
    var rollback: SnapshotRollback?
    /// What the container becomes with them.
    var geometry: Geometry?

    /// At most so many leaves of the map change.
    var pathCount: Int { overlay.pathCount }
}

extension Overlay {
    /// At most so many leaves of the map change, beside those in the middle of large trims.
    var pathCount: Int { deltas.count + trims.ranges.count * 2 }
}

/// What a snapshot needs: one that comes, or is to go.
struct SnapshotNeeds: Sendable {
    let identifier: UInt64
    /// What it refers to, by segment, and the pages in which that stands.
    let counts: [UInt32]
    let pages: [Location]
}

/// A snapshot that the disk is to be again.
struct SnapshotRollback: Sendable {
    let record: SnapshotRecord
    let counts: [UInt32]
}

/// What a running disk knows of its snapshots.
struct SnapshotState: Sendable {
    /// Those in the table, oldest first.
    var records: [SnapshotRecord] = []
    /// The table's pages.
    var tablePages: [Location] = []
    /// What they need of each segment: one of which any is needed is neither freed nor emptied.
    var pins = SegmentPins()
    /// The identifier given last.
    var lastIdentifier: UInt64 = 0
    /// Who reads which.
    var readers: [UInt64: Int] = [:]
    /// What the next checkpoint is to do.
    var deletions: [SnapshotNeeds] = []
    /// Why the last deletion did not happen.
    var deletionFailure: DiskError?
    var rollback: SnapshotRollback?
    /// Why the last rollback did not happen.
    var rollbackFailure: DiskError?
    /// Somebody waits for room for one; there is none to be won.
    var isSpaceWanted = false
    var isShort = false
    /// The feature is to be noted in the superblock.
    var isFeatureWanted = false

    /// Whether a checkpoint is to do something for them.
    var isCheckpointWanted: Bool { !deletions.isEmpty || rollback != nil }

    func isPinned(_ segment: Int) -> Bool { pins[segment] > 0 }

    /// Gives no identifier again that the log gave.
    mutating func noteIdentifiers(of changes: ReplayedChanges) {
        for pending in changes.frozen.compactMap({ $0.snapshot }) {
            lastIdentifier = max(lastIdentifier, pending.identifier)
        }
    }

    /// Bytes in segments that snapshots need.
    func pinnedBytes(_ geometry: Geometry) -> UInt64 {
        UInt64(pins.pinnedCount) * geometry.segmentSizeBytes
    }
}

extension SnapshotState {
    /// Reads the snapshots of a container.
    ///
    /// - Parameter segments: the segment table.
    init(
        _ store: any BlockStore,
        _ superblock: Superblock,
        _ segments: [SegmentEntry],
        _ cipher: VolumeCipher?
    ) throws(DiskError) {
        let geometry = superblock.geometry
        lastIdentifier = superblock.snapshots.lastIdentifier
        guard superblock.snapshots.count > 0 else { return }
        let table = try SnapshotTable.records(superblock, store, cipher)
        records = table.records
        tablePages = table.pages.locations
        pins.add(table: tablePages, geometry)
        for record in records {
            let (counts, pages) = try SnapshotTable.counts(
                of: record,
                volume: superblock.volume,
                store,
                geometry,
                cipher
            )
            let identifier = record.identifier
            pins.add(
                SnapshotNeeds(identifier: identifier, counts: counts, pages: pages.locations),
                geometry
            )
        }
        for segment in segments.indices where isPinned(segment) && segments[segment].state == .free
        {
            throw DiskError(
                .corrupt,
                "open",
                offset: geometry.offset(segment: UInt32(segment), page: 0),
                "segment \(segment) is free in the table, and a snapshot needs it"
            )
        }
    }
}

/// The changes since a checkpoint, as a log tells them: each snapshot's on their own.
struct ReplayedChanges: Sendable {
    /// Those that lead to a snapshot, oldest first.
    private(set) var frozen: [FrozenChanges] = []
    /// Those after them.
    private(set) var overlay: Overlay
    private var user: Superblock.Head
    private var collector: Superblock.Head
    private let geometry: Geometry
    private let hasFeature: Bool
    private let limits: ReplayLimits

    init(_ superblock: Superblock, limits: ReplayLimits) {
        user = superblock.user
        collector = superblock.collector
        geometry = superblock.geometry
        overlay = Overlay(blocksPerLeaf: superblock.geometry.entriesPerPage)
        hasFeature = superblock.features & Superblock.snapshotsFeature != 0
        self.limits = limits
    }

    /// - Parameter header: the header page of the commit.
    mutating func apply(
        _ commit: CommitHeader,
        _ header: borrowing AlignedBuffer
    ) throws(DiskError) {
        OpenedContainer.apply(commit, header, geometry, &overlay)
        try limits.requirePossible(frozen.map { $0.overlay } + [overlay])
        let head = Superblock.Head(
            sequence: commit.sequence,
            segment: commit.segment,
            page: commit.page + commit.pageCount,
            next: commit.nextSegment
        )
        if commit.stream == .user { user = head } else { collector = head }
        guard let snapshot = try PendingSnapshot(commit, header) else { return }
        guard hasFeature, frozen.count < SnapshotLimits.pendingCountMax else {
            throw LogReplay.impossible("too many snapshots")
        }
        let position = LogPosition(
            lsn: commit.lsn,
            checksum: CommitHeader.checksum(of: header),
            user: user,
            collector: collector
        )
        frozen.append(
            FrozenChanges(overlay: overlay, position: position, snapshot: snapshot)
        )
        overlay = Overlay(blocksPerLeaf: geometry.entriesPerPage)
    }

    /// What there would be without the rule that a snapshot's changes are its own: for tests that
    /// show that it matters.
    func unsplit() -> ReplayedChanges {
        var all = self
        guard var last = frozen.last else { return all }
        for (block, entry) in overlay.deltas.entries() { last.overlay.set(block, entry) }
        all.frozen[frozen.count - 1] = last
        return all
    }
}
