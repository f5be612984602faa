import FootingAcceleration
import FootingSystem

/// A check in progress, of a container whose superblock is known.
final class Checker {
    let store: any BlockStore
    let superblock: Superblock
    let geometry: Geometry
    var report: CheckReport
    /// The changes since the checkpoint: those of each snapshot that is not in the table yet, and
    /// the last.
    var overlays = [Overlay()]
    /// Pages, or units where blocks are compressed, that something in the tree refers to.
    var isUsed: PageSet
    /// Pages of the map below which everything was verified.
    var isVerified: PageSet
    /// The disk as the tree that is being checked has it.
    var treeGeometry: Geometry
    var isOfSnapshot = false
    let unitsPerBit: Int
    /// Of an encrypted disk.
    let cipher: VolumeCipher?
    /// Why it got no memory: nobody can tell what is damaged then.
    var refusal: DiskError?
    private let coder = BlockCoder(accelerator: SoftwareAccelerator())
    /// By segment: units that the tree refers to.
    var liveUnits: [UInt32]
    /// By segment: whether a reader can come to something in it through the tree.
    var isReached: [Bool]
    var bytesTotal: UInt64 = 0
    var bytesReported: UInt64 = 0
    /// Where a block is decoded to.
    private let plain = AlignedBuffer(count: 4096)
    /// Where blocks are read into.
    let buffer: AlignedBuffer

    /// - Throws: kind `noMemory`.
    init(
        store: any BlockStore,
        superblock: Superblock,
        report: CheckReport,
        cipher: VolumeCipher? = nil
    ) throws(DiskError) {
        self.cipher = cipher
        buffer = try KernelBuffers().buffer(for: "check", count: Geometry.entriesPerPageMax * 4096)
        self.store = store
        self.superblock = superblock
        geometry = superblock.geometry
        treeGeometry = superblock.geometry
        let isCompressed = superblock.features & Superblock.compressedFeature != 0
        unitsPerBit = isCompressed ? 1 : Int(Geometry.unitsPerBlock)
        isUsed = PageSet(superblock.geometry, unitsPerBit: unitsPerBit)
        isVerified = PageSet(superblock.geometry)
        self.report = report
        liveUnits = Array(repeating: 0, count: Int(superblock.geometry.segmentCount))
        isReached = Array(repeating: false, count: Int(superblock.geometry.segmentCount))
    }

    func run(_ progress: (CheckProgress) -> Void) throws(DiskError) {
        if store.sizeBytes < geometry.containerSizeBytes {
            report.add(
                .error,
                "the container ends early, it should have \(geometry.containerSizeBytes) bytes",
                at: store.sizeBytes,
                "the disk cannot be opened, and what was there is lost"
            )
        }
        let table = try loadTable()
        if let cipher {
            // Without it nobody knows how anything was encrypted, and that was said.
            guard let table else { return }
            cipher.note(table)
        }
        try replayLog()
        if let table {
            bytesTotal = table.reduce(0) { $0 + UInt64($1.liveUnits) * 512 }
        }
        let snapshots = try loadSnapshots()
        isUsed = snapshots.pages
        checkTree(superblock.root, progress)
        checkOverlay(progress)
        if let table { compareCounts(table) }
        checkSnapshots(snapshots, table, progress)
        if let refusal { throw refusal }
        progress(CheckProgress(bytesDone: report.bytesVerified, bytesTotal: report.bytesVerified))
    }

    /// Reads a range; false, and a finding, if that is impossible.
    func read(
        _ what: String,
        at offset: UInt64,
        count: Int,
        into buffer: borrowing AlignedBuffer,
        _ consequence: String
    ) -> Bool {
        do throws(Errno) {
            guard offset + UInt64(count) <= store.sizeBytes else { throw .inputOutput }
            try unsafe store.read(at: offset, into: buffer.slice(0..<count))
            report.bytesVerified += UInt64(count)
            return true
        } catch {
            report.add(.error, "\(what) cannot be read (\(error))", at: offset, consequence)
            return false
        }
    }

    /// Notes that something is where an entry says.
    ///
    /// - Returns: false, and a finding, if something else is there already.
    func claim(_ entry: MapEntry, _ what: String) -> Bool {
        if isUsed.insert(entry) { return true }
        report.add(
            .error,
            "\(what) is where something else is",
            at: entry.location.offset,
            "one of the two is lost"
        )
        return false
    }

    /// Whether the stored bytes of a block, whose checksum is right, can be decoded.
    func isDecodable(_ entry: MapEntry, _ stored: UnsafeRawBufferPointer) -> Bool {
        guard let form = entry.form else { return false }
        if form.encoding == .plain { return true }
        do throws(AccelerationError) {
            try unsafe coder.decode(form, stored, into: plain.slice(0..<4096))
            return true
        } catch {
            note(error)
            return false
        }
    }

    /// Keeps in mind that there was no memory to decode something.
    func note(_ error: AccelerationError) {
        guard refusal == nil, case .unavailable(let reason) = error else { return }
        refusal = DiskError(.noMemory, "check", reason)
    }

    /// Tells how far it has come, every few megabytes.
    func tell(_ progress: (CheckProgress) -> Void) {
        guard report.bytesVerified - bytesReported >= 4 << 20 else { return }
        bytesReported = report.bytesVerified
        progress(
            CheckProgress(
                bytesDone: report.bytesVerified,
                bytesTotal: max(bytesTotal, report.bytesVerified)
            )
        )
    }

    // MARK: - Table and log

    private func loadTable() throws(DiskError) -> [SegmentEntry]? {
        let count = Int(geometry.tableRegionSizeBytes)
        let region = try KernelBuffers().buffer(for: "check", count: count)
        let offset = geometry.tableOffset(region: superblock.tableRegion)
        let consequence = "the disk cannot be opened"
        guard read("the segment table", at: offset, count: count, into: region, consequence)
        else { return nil }
        guard let table = try SegmentTable.load(region, superblock, provedBy: cipher?.keys) else {
            report.add(
                .error,
                "the segment table is not the one that the superblock names",
                at: offset,
                consequence
            )
            return nil
        }
        return table.entries
    }

    private func replayLog() throws(DiskError) {
        var changes = ReplayedChanges(superblock, limits: ReplayLimits())
        let geometry = geometry
        do throws(DiskError) {
            var log = try LogReplay(store, superblock, verifies: true, cipher: cipher)
            let result = try log.run { (commit, header) throws(DiskError) in
                cipher?.note(commit.segment, commit.sequence)
                try changes.apply(commit, header)
            }
            report.commitCount = result.commitCount
            report.bytesVerified += result.byteCount
            if result.discardedCount > 0 {
                report.add(
                    .note,
                    "\(result.discardedCount) commits of an incomplete write end the log",
                    at: geometry.offset(segment: result.user.segment, page: result.user.page),
                    "they were never flushed and are left out"
                )
            }
        } catch {
            if error.kind == .noMemory { throw error }
            report.add(
                .error,
                "the log: \(error)",
                at: error.offset
                    ?? geometry.offset(
                        segment: superblock.user.segment,
                        page: min(superblock.user.page, geometry.pagesPerSegment - 1)
                    ),
                "the disk cannot be opened; what was written since the last checkpoint is in doubt"
            )
        }
        overlays = changes.frozen.map { $0.overlay } + [changes.overlay]
    }

    private func compareCounts(_ table: [SegmentEntry]) {
        for (index, entry) in table.enumerated() {
            let offset = geometry.offset(segment: UInt32(index), page: 0)
            if entry.liveUnits != liveUnits[index] {
                report.add(
                    .warning,
                    "segment \(index) has \(liveUnits[index]) live units, and the table says "
                        + "\(entry.liveUnits)",
                    at: offset,
                    "its space is not won back when it should be"
                )
            }
            // What the log has newer copies of may be in a segment that was released since.
            if entry.state == .free, isReached[index] {
                report.add(
                    .error,
                    "segment \(index) is free in the table and holds data",
                    at: offset,
                    "the data will be overwritten; copy the disk and do not open it"
                )
            }
        }
    }
}
