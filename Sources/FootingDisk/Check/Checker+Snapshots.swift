// Every snapshot's tree, what it is said to refer to, and that nothing of it is free.
extension Checker {
    /// What the container says of its snapshots.
    struct Snapshots {
        var all: [(record: SnapshotRecord, counts: [UInt32]?)] = []
        /// Where that is written.
        var pages: PageSet
        /// The same page by page, with what it is.
        var places: [(what: String, page: Location)] = []
    }

    /// - Throws: kind `noMemory`.
    func loadSnapshots() throws(DiskError) -> Snapshots {
        var snapshots = Snapshots(pages: PageSet(geometry, unitsPerBit: unitsPerBit))
        guard superblock.snapshots.count > 0 else { return snapshots }
        let records: [SnapshotRecord]
        do throws(DiskError) {
            let table = try SnapshotTable.records(superblock, store, cipher)
            records = table.records
            claim(table.pages, "the table of snapshots", &snapshots)
        } catch {
            try addFailure(error)
            return snapshots
        }
        for record in records {
            do throws(DiskError) {
                let (counts, pages) = try SnapshotTable.counts(
                    of: record,
                    volume: superblock.volume,
                    store,
                    geometry,
                    cipher
                )
                snapshots.all.append((record, counts))
                claim(pages, "what snapshot '\(record.name)' refers to", &snapshots)
            } catch {
                try addFailure(error)
                snapshots.all.append((record, nil))
            }
        }
        return snapshots
    }

    private func addFailure(_ error: DiskError) throws(DiskError) {
        if error.kind == .noMemory { throw error }
        report.add(.error, "\(error)", at: error.offset ?? 0, "the disk cannot be opened")
    }

    private func claim(
        _ pages: SnapshotTable.Pages,
        _ what: String,
        _ snapshots: inout Snapshots
    ) {
        report.bytesVerified += UInt64(pages.locations.count) * 4096
        snapshots.places += pages.locations.map { (what, $0) }
        for location in pages.locations where !snapshots.pages.insert(location) {
            report.add(
                .error,
                "\(what) is where something else is",
                at: location.offset,
                "one of the two is lost"
            )
        }
    }

    /// Checks each snapshot as the disk itself is, but for what it shares with it.
    func checkSnapshots(
        _ snapshots: Snapshots,
        _ table: [SegmentEntry]?,
        _ progress: (CheckProgress) -> Void
    ) {
        if let table {
            for (what, page) in snapshots.places {
                let segment = Int(geometry.segment(of: page))
                guard table[segment].state == .free else { continue }
                report.add(
                    .error,
                    "\(what) is in segment \(segment), which is free in the table",
                    at: page.offset,
                    "the disk cannot be opened"
                )
            }
        }
        isOfSnapshot = true
        for (record, counts) in snapshots.all {
            report.context = "snapshot '\(record.name)': "
            treeGeometry = geometry.holding(sizeBytes: record.sizeBytes)
            isUsed = snapshots.pages
            liveUnits = Array(repeating: 0, count: Int(geometry.segmentCount))
            checkTree(record.root, progress)
            report.snapshotCount += 1
            guard let counts else { continue }
            for (segment, count) in counts.enumerated() {
                compare(UInt32(segment), count, table?[segment])
            }
        }
        report.context = ""
    }

    /// Compares what a snapshot refers to in a segment with what it is said to.
    private func compare(_ segment: UInt32, _ count: UInt32, _ entry: SegmentEntry?) {
        let offset = geometry.offset(segment: segment, page: 0)
        let units = liveUnits[Int(segment)]
        if units != count {
            report.add(
                units > count ? .error : .warning,
                "it refers to \(units) units of segment \(segment), and is said to to \(count)",
                at: offset,
                units > count
                    ? "they may be overwritten; copy the disk and do not open it"
                    : "its space is not won back when it should be"
            )
        }
        if count > 0, let entry, entry.state == .free {
            report.add(
                .error,
                "segment \(segment) is free in the table and holds data of it",
                at: offset,
                "the data will be overwritten; copy the disk and do not open it"
            )
        }
    }
}
