import FootingAcceleration
import FootingSystem

/// A page of the snapshots' table, or of what one of them refers to.
///
/// ```
///   0  4  magic "FTSN"                    32  1  kind: 1 records, 2 counts
///   4  4  CRC-32C of bytes 8 to 4095      36  4  number among the pages, from 0
///   8  8  volume (low half of the UUID)   40  8  the next page: map entry word; 0: none
///  16  8  generation of the checkpoint    48  4  the next page: CRC-32C
///  24  8  snapshot; 0 for records         52  4  entries in this page
///  64     records of 512 bytes, or counts of 4 bytes
/// ```
///
/// Pages form a chain, written from its end on; its first page is named, with its checksum, by the
/// superblock or by the snapshot's record. A record:
///
/// ```
///   0  8  identifier                      40  8  root page: map entry word
///   8  8  created, seconds since 1970     48  4  root page: CRC-32C
///  16  8  size of the disk, bytes         52  4  bytes of the name
///  24  8  LSN that it includes            56  8  first page of counts: map entry word
///  32  8  units that it refers to         64  4  first page of counts: CRC-32C
///  72 255  name
/// ```
///
/// On encrypted disks all but the first 64 bytes is encrypted; 4080 16 is the tag of the next page,
/// and in a record 328 16 that of the root page, 344 16 that of the first page of counts.
///
/// The counts are the units that its tree refers to, one number for each segment.
enum SnapshotTable {
    enum Kind: UInt8, Sendable {
        case records = 1
        case counts = 2
    }

    static let magic: UInt32 = 0x4e53_5446
    private static let headerSizeBytes = 64
    private static let recordSizeBytes = 512
    static let recordsPerPage = (4096 - headerSizeBytes) / recordSizeBytes
    private static let countSizeBytes = 4
    /// Where the tag of the next page is, on encrypted disks.
    private static let nextTagOffset = 4096 - AuthenticationTag.byteCount
    private static let rootTagOffset = 328
    private static let countsTagOffset = 344

    /// Counts in a page.
    static func countsPerPage(_ geometry: Geometry) -> Int {
        ((geometry.isEncrypted ? nextTagOffset : 4096) - headerSizeBytes) / countSizeBytes
    }

    /// Pages that the records of so many snapshots take.
    static func recordPageCount(_ count: Int) -> Int {
        (count + recordsPerPage - 1) / recordsPerPage
    }

    /// Pages that the counts of a snapshot take.
    static func countPageCount(_ geometry: Geometry) -> Int {
        let perPage = countsPerPage(geometry)
        return (Int(geometry.segmentCount) + perPage - 1) / perPage
    }

    /// What the pages of a chain have in common.
    struct Chain: Sendable {
        let kind: Kind
        let identifier: UInt64
        let volume: UInt64
        let generation: UInt64

        /// The same, to be read: whatever checkpoint wrote it.
        init(_ kind: Kind, _ identifier: UInt64, volume: UInt64, generation: UInt64 = 0) {
            self.kind = kind
            self.identifier = identifier
            self.volume = volume
            self.generation = generation
        }
    }

    /// A chain that was written or read.
    struct Pages: Sendable {
        var first = MapEntry.unmapped
        var locations: [Location] = []
    }

    // MARK: - Writing

    /// Writes a chain of so many entries from its end on.
    ///
    /// - Parameter fill: puts the entries of a range into a page.
    private static func write(
        _ chain: Chain,
        entries count: Int,
        perPage: Int,
        to output: any MapUpdate.Output,
        _ fill: (borrowing AlignedBuffer, Range<Int>) -> Void
    ) throws(DiskError) -> Pages {
        var pages = Pages()
        let pageCount = (count + perPage - 1) / perPage
        let page = AlignedBuffer(count: 4096)
        for number in (0..<pageCount).reversed() {
            let range = number * perPage..<min(count, (number + 1) * perPage)
            page.clear(0..<4096)
            page.set(magic, at: 0)
            page.set(chain.volume, at: 8)
            page.set(chain.generation, at: 16)
            page.set(chain.identifier, at: 24)
            page.set(chain.kind.rawValue, at: 32)
            page.set(UInt32(number), at: 36)
            page.set(pages.first.word, at: 40)
            page.set(pages.first.checksum, at: 48)
            page.set(UInt32(range.count), at: 52)
            if pages.first.tag != .none { page.set(pages.first.tag, at: nextTagOffset) }
            fill(page, range)
            let checksum = page.checksum(8..<4096)
            page.set(checksum, at: 4)
            pages.first = try output.append(page, checksum)
            pages.locations.append(pages.first.location)
        }
        return pages
    }

    static func write(
        _ records: [SnapshotRecord],
        volume: UInt64,
        generation: UInt64,
        to output: any MapUpdate.Output
    ) throws(DiskError) -> Pages {
        try write(
            Chain(.records, 0, volume: volume, generation: generation),
            entries: records.count,
            perPage: recordsPerPage,
            to: output
        ) { page, range in
            for (slot, index) in range.enumerated() {
                store(records[index], in: page, at: headerSizeBytes + slot * recordSizeBytes)
            }
        }
    }

    static func write(
        counts: [UInt32],
        of identifier: UInt64,
        volume: UInt64,
        generation: UInt64,
        _ geometry: Geometry,
        to output: any MapUpdate.Output
    ) throws(DiskError) -> Pages {
        try write(
            Chain(.counts, identifier, volume: volume, generation: generation),
            entries: counts.count,
            perPage: countsPerPage(geometry),
            to: output
        ) { page, range in
            for (slot, index) in range.enumerated() {
                page.set(counts[index], at: headerSizeBytes + slot * 4)
            }
        }
    }

    private static func store(
        _ record: SnapshotRecord,
        in page: borrowing AlignedBuffer,
        at offset: Int
    ) {
        let name = Array(record.name.utf8)
        page.set(record.identifier, at: offset)
        page.set(record.createdUnixSeconds, at: offset + 8)
        page.set(record.sizeBytes, at: offset + 16)
        page.set(record.lsn, at: offset + 24)
        page.set(record.unitCount, at: offset + 32)
        page.set(record.root.word, at: offset + 40)
        page.set(record.root.checksum, at: offset + 48)
        page.set(UInt32(name.count), at: offset + 52)
        page.set(record.counts.word, at: offset + 56)
        page.set(record.counts.checksum, at: offset + 64)
        if record.counts.tag != .none {
            page.set(record.root.tag, at: offset + rootTagOffset)
            page.set(record.counts.tag, at: offset + countsTagOffset)
        }
        for (index, byte) in name.enumerated() { page.set(byte, at: offset + 72 + index) }
    }

    // MARK: - Reading

    /// Reads a chain, which must have so many entries, all of its pages but the last full.
    ///
    /// - Throws: kind `corrupt` if a page is not the one that is named.
    private static func read(
        _ chain: Chain,
        from first: MapEntry,
        entries counts: ClosedRange<Int>,
        perPage: Int,
        _ store: any BlockStore,
        _ geometry: Geometry,
        _ cipher: VolumeCipher?,
        _ take: (borrowing AlignedBuffer, Int) -> Bool
    ) throws(DiskError) -> Pages {
        if geometry.isEncrypted, cipher == nil { throw DiskError.withoutKey("read snapshots") }
        var pages = Pages(first: first)
        var next = first
        var total = 0
        let page = AlignedBuffer(count: 4096)
        while next.isMapped || total < counts.lowerBound {
            let offset = next.location.offset
            guard next.isMapped, next.isValidPage(in: geometry) else { throw damage(chain, offset) }
            do throws(Errno) {
                try unsafe store.readDirectly(at: offset, into: page.slice(0..<4096))
            } catch {
                throw DiskError("read snapshots", offset: offset, cause: error)
            }
            let count = Int(page.get(UInt32.self, at: 52))
            guard page.get(UInt32.self, at: 0) == magic,
                page.get(UInt32.self, at: 4) == next.checksum,
                page.checksum(8..<4096) == next.checksum,
                page.get(UInt64.self, at: 8) == chain.volume,
                page.get(UInt64.self, at: 24) == chain.identifier,
                page.get(UInt8.self, at: 32) == chain.kind.rawValue,
                page.get(UInt32.self, at: 36) == UInt32(pages.locations.count),
                (1...perPage).contains(count), total + count <= counts.upperBound,
                total % perPage == 0
            else { throw damage(chain, offset) }
            do throws(AccelerationError) { try cipher?.open(page: page, next) } catch {
                throw DiskError("read snapshots", at: next.location, error, damage(chain))
            }
            for slot in 0..<count {
                guard take(page, slot) else { throw damage(chain, offset) }
            }
            total += count
            pages.locations.append(next.location)
            next = MapEntry(
                word: page.get(UInt64.self, at: 40),
                checksum: page.get(UInt32.self, at: 48),
                tag: cipher == nil ? .none : page.tag(at: nextTagOffset)
            )
        }
        return pages
    }

    private static func damage(_ chain: Chain) -> String {
        let what =
            chain.kind == .records
            ? "the table of snapshots" : "what snapshot \(chain.identifier) refers to"
        return "\(what) is not what was written there"
    }

    private static func damage(_ chain: Chain, _ offset: UInt64) -> DiskError {
        DiskError(.corrupt, "read snapshots", offset: offset, damage(chain))
    }

    /// Reads the records that a superblock names.
    static func records(
        _ superblock: Superblock,
        _ store: any BlockStore,
        _ cipher: VolumeCipher? = nil
    ) throws(DiskError) -> (records: [SnapshotRecord], pages: Pages) {
        let geometry = superblock.geometry
        let last = superblock.snapshots.lastIdentifier
        var records: [SnapshotRecord] = []
        let pages = try read(
            Chain(.records, 0, volume: superblock.volume),
            from: superblock.snapshots.table,
            entries: Int(superblock.snapshots.count)...Int(superblock.snapshots.count),
            perPage: recordsPerPage,
            store,
            geometry,
            cipher
        ) { page, slot in
            let offset = headerSizeBytes + slot * recordSizeBytes
            // In the order in which they were made: so none is there twice.
            guard let record = load(page, at: offset, hasTags: cipher != nil),
                record.isPossible(in: geometry),
                record.identifier > records.last?.identifier ?? 0, record.identifier <= last
            else { return false }
            records.append(record)
            return true
        }
        return (records, pages)
    }

    /// Reads what a snapshot refers to, by segment: nothing of those that came after it.
    static func counts(
        of record: SnapshotRecord,
        volume: UInt64,
        _ store: any BlockStore,
        _ geometry: Geometry,
        _ cipher: VolumeCipher? = nil
    ) throws(DiskError) -> (counts: [UInt32], pages: Pages) {
        var counts: [UInt32] = []
        counts.reserveCapacity(Int(geometry.segmentCount))
        let limit = UInt32(geometry.pagesPerSegment) * UInt32(Geometry.unitsPerBlock)
        let pages = try read(
            Chain(.counts, record.identifier, volume: volume),
            from: record.counts,
            entries: 1...Int(geometry.segmentCount),
            perPage: countsPerPage(geometry),
            store,
            geometry,
            cipher
        ) { page, slot in
            let count = page.get(UInt32.self, at: headerSizeBytes + slot * 4)
            guard count <= limit else { return false }
            counts.append(count)
            return true
        }
        let missing = Int(geometry.segmentCount) - counts.count
        counts += [UInt32](repeating: 0, count: missing)
        return (counts, pages)
    }

    private static func load(
        _ page: borrowing AlignedBuffer,
        at offset: Int,
        hasTags: Bool
    ) -> SnapshotRecord? {
        let nameCount = Int(page.get(UInt32.self, at: offset + 52))
        guard nameCount <= SnapshotLimits.nameBytesMax else { return nil }
        let bytes = (0..<nameCount).map { page.get(UInt8.self, at: offset + 72 + $0) }
        guard let name = String(validating: bytes, as: UTF8.self) else { return nil }
        return SnapshotRecord(
            identifier: page.get(UInt64.self, at: offset),
            name: name,
            createdUnixSeconds: page.get(UInt64.self, at: offset + 8),
            sizeBytes: page.get(UInt64.self, at: offset + 16),
            lsn: page.get(UInt64.self, at: offset + 24),
            root: MapEntry(
                word: page.get(UInt64.self, at: offset + 40),
                checksum: page.get(UInt32.self, at: offset + 48),
                tag: hasTags ? page.tag(at: offset + rootTagOffset) : .none
            ),
            counts: MapEntry(
                word: page.get(UInt64.self, at: offset + 56),
                checksum: page.get(UInt32.self, at: offset + 64),
                tag: hasTags ? page.tag(at: offset + countsTagOffset) : .none
            ),
            unitCount: page.get(UInt64.self, at: offset + 32)
        )
    }
}
