import FootingAcceleration

/// Where everything is in a container.
///
/// ```
///  0          superblock A (4 KiB)
///  64 KiB     superblock B (4 KiB): away from A, so that one bad spot cannot take both
///  128 KiB    segment table, region 0
///             segment table, region 1
///  aligned    segment 0, segment 1, ... segment N-1
///  behind     in a container that grew, and has no room for them in front: the tables
/// ```
///
/// The segments hold everything else: commits of the log, which are the data, and pages of the map.
public struct Geometry: Sendable, Equatable {
    /// Bytes of a logical block, a map page and a commit header.
    public static let blockSizeBytes = 4096
    /// Bytes of the unit in which locations are counted, and what is stored.
    static let unitSizeBytes: UInt64 = 512
    /// Units of a block that is stored as it is.
    static let unitsPerBlock: UInt64 = 8
    /// Bytes of a page before its entries.
    static let pageHeaderSizeBytes = 64
    /// Bytes of an entry of the map, and of a descriptor: word and checksum.
    static let entrySizeBytes = 12
    /// The same on encrypted disks: with the tag behind them.
    static let sealedEntrySizeBytes = entrySizeBytes + AuthenticationTag.byteCount
    /// Entries of a map page, and descriptors of a commit, on disks that are not encrypted.
    static let entriesPerPageMax = (blockSizeBytes - pageHeaderSizeBytes) / entrySizeBytes
    /// Entries of a map page on encrypted disks.
    private static let sealedEntriesPerPage =
        (blockSizeBytes - pageHeaderSizeBytes) / sealedEntrySizeBytes
    /// Descriptors of a commit on encrypted disks: its header page has a tag of its own.
    private static let sealedDescriptorsPerCommit =
        (blockSizeBytes - pageHeaderSizeBytes - AuthenticationTag.byteCount)
        / sealedEntrySizeBytes
    /// Largest disk: 64 TiB.
    public static let sizeBytesMax: UInt64 = 64 << 40
    /// Largest container, 512 TiB: what a location can point to.
    static let containerSizeBytesMax: UInt64 = 512 << 40
    /// Most segments: their table is in memory.
    static let segmentCountMax: UInt32 = 1 << 24
    /// Largest LSN, sequence or generation that is believed: what counts on from there never
    /// overflows.
    static let counterMax: UInt64 = 1 << 62
    /// Offsets of the two superblocks.
    static let superblockOffsets: [UInt64] = [0, 64 << 10]
    /// Offsets of the two copies of an encrypted disk's key slots.
    static let keySlotsOffsets: [UInt64] = [4 << 10, 68 << 10]
    /// Offset of the first segment table.
    static let tableOffset: UInt64 = 128 << 10
    /// Bytes of an entry of the segment table.
    static let tableEntrySizeBytes: UInt64 = 16

    /// What the client sees, in bytes; a multiple of 512.
    public let sizeBytes: UInt64
    /// Bytes of a segment; a power of two, 64 KiB to 64 MiB.
    public let segmentSizeBytes: UInt64
    /// How many segments there are.
    public let segmentCount: UInt32
    /// Whether blocks and pages are encrypted: their entries are then larger.
    public let isEncrypted: Bool
    /// Where the segments begin: a multiple of the segment size, for erase blocks and stripes.
    package let segmentsOffset: UInt64
    /// Where region 0 of the segment table begins.
    let tablesOffset: UInt64

    /// Describes an existing container.
    public init(
        sizeBytes: UInt64,
        segmentSizeBytes: UInt64,
        segmentCount: UInt32,
        isEncrypted: Bool = false
    ) {
        self.isEncrypted = isEncrypted
        self.sizeBytes = sizeBytes
        self.segmentSizeBytes = segmentSizeBytes
        self.segmentCount = segmentCount
        let tablesEnd = Self.tableOffset + 2 * Self.tableRegionSize(segmentCount)
        // A size that cannot be is refused by whoever reads it; here it must only not trap.
        let alignment = (1...64 << 20).contains(segmentSizeBytes) ? segmentSizeBytes : 1
        segmentsOffset = (tablesEnd + alignment - 1) / alignment * alignment
        tablesOffset = Self.tableOffset
    }

    /// Describes one in which something is not where it would be in a new one.
    init(
        sizeBytes: UInt64,
        segmentSizeBytes: UInt64,
        segmentCount: UInt32,
        isEncrypted: Bool,
        segmentsOffset: UInt64,
        tablesOffset: UInt64
    ) {
        self.isEncrypted = isEncrypted
        self.sizeBytes = sizeBytes
        self.segmentSizeBytes = segmentSizeBytes
        self.segmentCount = segmentCount
        self.segmentsOffset = segmentsOffset
        self.tablesOffset = tablesOffset
    }

    /// Plans a new container.
    ///
    /// - Parameters:
    ///   - sizeBytes: what the client sees; a multiple of 512, at most 64 TiB.
    ///   - sparePercent: room beyond the data, which the collector needs: with 33 the log is at
    ///     most
    ///     75 % full and a random overwrite costs about twice its bytes; with 11 it is 90 % full
    ///     and costs about six times.
    ///   - snapshotReservePercent: room for what snapshots keep, in percent of the data.
    ///   - segmentSizeBytes: nil chooses by size.
    ///   - isEncrypted: whether it is to be encrypted: its map is larger then.
    public init(
        sizeBytes: UInt64,
        sparePercent: Int,
        snapshotReservePercent: Int = 0,
        segmentSizeBytes: UInt64?,
        isEncrypted: Bool = false
    ) {
        precondition(sizeBytes > 0 && sizeBytes <= Self.sizeBytesMax, "size out of range")
        precondition(sizeBytes % 512 == 0, "size not in sectors")
        let segment = segmentSizeBytes ?? Self.segmentSize(forDiskOf: sizeBytes)
        precondition(segment >= 64 << 10 && segment <= 64 << 20, "segment size out of range")
        precondition(segment & (segment - 1) == 0, "segment size not a power of two")
        var plan = Geometry(
            sizeBytes: sizeBytes,
            segmentSizeBytes: segment,
            segmentCount: 0,
            isEncrypted: isEncrypted
        )
        let perSegment = plan.payloadPerSegment
        let percent = UInt64(100 + sparePercent + snapshotReservePercent)
        let data = plan.blockCount * percent / 100 / perSegment + 1
        // The map's own pages live in segments too, half of them outdated on average.
        let map = plan.mapPageCount * 2 / UInt64(plan.pagesPerSegment) + 2
        let reserve = UInt64(plan.reservedForCollector + plan.reservedForMap)
        plan = Geometry(
            sizeBytes: sizeBytes,
            segmentSizeBytes: segment,
            segmentCount: UInt32(clamping: data + map + reserve + UInt64(Self.headSegments) + 4),
            isEncrypted: isEncrypted
        )
        self = plan
    }

    /// Segments the two log streams hold at all times (current and next), and the map's.
    static let headSegments: UInt32 = 5

    /// Larger segments on larger disks keep the segment table, which stays in memory, small.
    ///
    /// 2 MiB is the smallest in which a write of 1 MiB is atomic.
    public static func segmentSize(forDiskOf sizeBytes: UInt64) -> UInt64 {
        switch sizeBytes {
        case ..<(1 << 30): 2 << 20
        case ...(32 << 30): 4 << 20
        case ...(4 << 40): 8 << 20
        default: 64 << 20
        }
    }
}

// MARK: - What follows from it

extension Geometry {
    /// Logical blocks; the last one may be partly beyond the disk's end.
    public var blockCount: UInt64 { (sizeBytes + 4095) / 4096 }

    /// 4 KiB pages of a segment.
    var pagesPerSegment: Int { Int(segmentSizeBytes / 4096) }

    /// Blocks of payload in a segment full of full commits.
    var payloadPerSegment: UInt64 {
        let pages = pagesPerSegment
        let commits = (pages + descriptorsPerCommit) / (descriptorsPerCommit + 1)
        return UInt64(pages - commits)
    }

    /// Entries of a map page.
    var entriesPerPage: Int {
        isEncrypted ? Self.sealedEntriesPerPage : Self.entriesPerPageMax
    }

    /// Descriptors of a commit.
    var descriptorsPerCommit: Int {
        isEncrypted ? Self.sealedDescriptorsPerCommit : Self.entriesPerPageMax
    }

    /// Map pages that so many entries take.
    func pageCount(forEntries count: UInt64) -> UInt64 {
        (count + UInt64(entriesPerPage) - 1) / UInt64(entriesPerPage)
    }

    /// How many blocks one entry of a map page at a level stands for.
    func span(level: Int) -> UInt64 {
        var span: UInt64 = 1
        for _ in 0..<level { span *= UInt64(entriesPerPage) }
        return span
    }

    /// Levels of the map: 1 is a single leaf that is also the root.
    var levels: Int {
        var count = 1
        var pages = pageCount(forEntries: blockCount)
        while pages > 1 {
            pages = pageCount(forEntries: pages)
            count += 1
        }
        return count
    }

    /// Pages of a map in which every block is mapped.
    var mapPageCount: UInt64 {
        var total: UInt64 = 0
        var pages = blockCount
        repeat {
            pages = pageCount(forEntries: pages)
            total += pages
        } while pages > 1
        return total
    }

    /// Free segments that only the collector and the map may use: without them, a full log could
    /// not be cleaned.
    ///
    /// On encrypted disks both streams, and the map, go on in another segment after each opening.
    var reservedForCollector: Int { Self.collectorWork + (isEncrypted ? 6 : 3) }

    /// Segments that emptying one may take: its blocks can begin in one and reach into a third, and
    /// the changes of the map that it makes may need one more.
    static let collectorWork = 3

    /// Free segments that only the map may use: a checkpoint writes every page that changed, at
    /// most a path for each delta and at most the whole map.
    var reservedForMap: Int {
        let pages = min(mapPageCount, UInt64(2 * EngineLimits.deltaCountMax))
        return Int(pages) / pagesPerSegment + 2
    }

    /// Bytes of one region for the segment table: a header page and the entries.
    var tableRegionSizeBytes: UInt64 { Self.tableRegionSize(segmentCount) }

    static func tableRegionSize(_ segmentCount: UInt32) -> UInt64 {
        let entries = UInt64(segmentCount) * tableEntrySizeBytes
        return 4096 + (entries + 4095) / 4096 * 4096
    }

    /// Where region 0 or 1 of the segment table begins.
    func tableOffset(region: Int) -> UInt64 {
        tablesOffset + UInt64(region) * tableRegionSizeBytes
    }

    /// Where the segments end.
    var segmentsEnd: UInt64 { segmentsOffset + UInt64(segmentCount) * segmentSizeBytes }

    /// Bytes of the whole container.
    public var containerSizeBytes: UInt64 { max(segmentsEnd, tableOffset(region: 2)) }

    /// Byte offset of a page of a segment.
    func offset(segment: UInt32, page: Int) -> UInt64 {
        segmentsOffset + UInt64(segment) * segmentSizeBytes + UInt64(page) * 4096
    }

    /// The bytes of a segment.
    func range(ofSegment segment: UInt32) -> Range<UInt64> {
        let start = offset(segment: segment, page: 0)
        return start..<start + segmentSizeBytes
    }

    /// Location of a page of a segment.
    func location(segment: UInt32, page: Int) -> Location {
        Location(units: offset(segment: segment, page: page) / Self.unitSizeBytes)
    }

    /// The segment that holds a location.
    func segment(of location: Location) -> UInt32 {
        UInt32((location.offset - segmentsOffset) / segmentSizeBytes)
    }

    /// Whether a location lies in the segments.
    func contains(_ location: Location) -> Bool {
        location.offset >= segmentsOffset && location.offset < segmentsEnd
    }
}

/// A place in the container, in units of 512 bytes; 0, the superblock, stands for nowhere.
struct Location: Hashable, Sendable {
    /// Units of 512 bytes from the container's start; 40 bits.
    let units: UInt64

    /// Bytes from the container's start.
    var offset: UInt64 { units * Geometry.unitSizeBytes }

    /// The place a number of units further on.
    func advanced(byUnits count: Int) -> Location {
        Location(units: units + UInt64(count))
    }

    /// The place a number of blocks further on.
    func advanced(byBlocks count: Int) -> Location {
        Location(units: units + UInt64(count) * Geometry.unitsPerBlock)
    }
}
