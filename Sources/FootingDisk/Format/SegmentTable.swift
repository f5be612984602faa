import FootingSystem

/// What is known of a segment: 16 bytes in the table.
///
/// ```
///  0  8  sequence: how manieth use of a segment this is; unique, grows
///  8  4  live units of 512 bytes: what the map of the checkpoint refers to
/// 12  1  state   13  1  flags (1: has space behind it, 2: quarantined)
/// 14  2  pages written
/// ```
struct SegmentEntry: Equatable, Sendable {
    enum State: UInt8, Sendable {
        /// Nothing in it is needed.
        case free = 0
        /// Commits of the log.
        case data = 1
        /// Pages of the map.
        case map = 2
    }

    // In this order it takes 16 bytes: there are up to 2^24, and a copy in a checkpoint.
    var sequence: UInt64 = 0
    var liveUnits: UInt32 = 0
    private var pages: UInt16 = 0
    var state: State = .free
    private var flags: UInt8 = 0

    private static let spaceFlag: UInt8 = 1
    private static let quarantineFlag: UInt8 = 2

    /// A free segment.
    init() {}

    init(
        sequence: UInt64,
        liveUnits: UInt32,
        state: State,
        hasSpace: Bool,
        isQuarantined: Bool,
        pagesWritten: Int
    ) {
        self.sequence = sequence
        self.liveUnits = liveUnits
        self.state = state
        pages = UInt16(pagesWritten)
        self.hasSpace = hasSpace
        self.isQuarantined = isQuarantined
    }

    var pagesWritten: Int {
        get { Int(pages) }
        set { pages = UInt16(newValue) }
    }

    /// Space was reserved for it in the host's file.
    var hasSpace: Bool {
        get { flags & Self.spaceFlag != 0 }
        set { set(Self.spaceFlag, newValue) }
    }

    /// Something in it cannot be read: it is left alone, so that nothing more is lost.
    var isQuarantined: Bool {
        get { flags & Self.quarantineFlag != 0 }
        set { set(Self.quarantineFlag, newValue) }
    }

    private mutating func set(_ flag: UInt8, _ value: Bool) {
        if value { flags |= flag } else { flags &= ~flag }
    }

    /// As they are stored.
    var storedFlags: UInt8 { flags }
}

/// The table of all segments as it is stored: a header page, then the entries.
///
/// ```
///  0  4  magic "FTST"                  16  8  generation of the checkpoint
///  4  4  CRC-32C of the whole region   24  4  number of entries
///        from byte 8                   32  8  next sequence
///  8  8  volume
/// ```
enum SegmentTable {
    static let magic: UInt32 = 0x5453_5446

    static func store(
        _ entries: [SegmentEntry],
        nextSequence: UInt64,
        volume: UInt64,
        generation: UInt64,
        in buffer: borrowing AlignedBuffer
    ) -> UInt32 {
        // The buffer may be larger.
        let count = Int(Geometry.tableRegionSize(UInt32(entries.count)))
        buffer.clear(0..<count)
        buffer.set(magic, at: 0)
        buffer.set(volume, at: 8)
        buffer.set(generation, at: 16)
        buffer.set(UInt32(entries.count), at: 24)
        buffer.set(nextSequence, at: 32)
        for (index, entry) in entries.enumerated() {
            let offset = 4096 + index * 16
            buffer.set(entry.sequence, at: offset)
            buffer.set(entry.liveUnits, at: offset + 8)
            buffer.set(entry.state.rawValue, at: offset + 12)
            buffer.set(entry.storedFlags, at: offset + 13)
            buffer.set(UInt16(entry.pagesWritten), at: offset + 14)
        }
        let checksum = buffer.checksum(8..<count)
        buffer.set(checksum, at: 4)
        return checksum
    }

    /// Reads a table; nil if it is not the one the superblock names, or nobody with the key wrote
    /// it.
    static func load(
        _ buffer: borrowing AlignedBuffer,
        _ superblock: Superblock,
        provedBy keys: VolumeKeys?
    ) throws(DiskError) -> (entries: [SegmentEntry], nextSequence: UInt64)? {
        let count = Int(superblock.geometry.tableRegionSizeBytes)
        if let keys, try keys.sum(buffer, 0..<count) != superblock.tableTag { return nil }
        return load(buffer, superblock)
    }

    /// Reads a table; nil if it is not the one the superblock names.
    static func load(
        _ buffer: borrowing AlignedBuffer,
        _ superblock: Superblock
    ) -> (entries: [SegmentEntry], nextSequence: UInt64)? {
        let count = Int(superblock.geometry.segmentCount)
        let end = Int(superblock.geometry.tableRegionSizeBytes)
        guard buffer.get(UInt32.self, at: 0) == magic,
            buffer.get(UInt32.self, at: 4) == superblock.tableChecksum,
            buffer.checksum(8..<end) == superblock.tableChecksum,
            buffer.get(UInt64.self, at: 8) == superblock.volume,
            buffer.get(UInt32.self, at: 24) == UInt32(count)
        else { return nil }
        let pageCount = superblock.geometry.pagesPerSegment
        let nextSequence = buffer.get(UInt64.self, at: 32)
        guard nextSequence <= Geometry.counterMax else { return nil }
        var entries: [SegmentEntry] = []
        entries.reserveCapacity(count)
        for index in 0..<count {
            let offset = 4096 + index * 16
            guard let state = SegmentEntry.State(rawValue: buffer.get(UInt8.self, at: offset + 12))
            else { return nil }
            let flags = buffer.get(UInt8.self, at: offset + 13)
            let entry = SegmentEntry(
                sequence: buffer.get(UInt64.self, at: offset),
                liveUnits: buffer.get(UInt32.self, at: offset + 8),
                state: state,
                hasSpace: flags & 1 != 0,
                isQuarantined: flags & 2 != 0,
                pagesWritten: Int(buffer.get(UInt16.self, at: offset + 14))
            )
            // A right checksum does not make a hostile table true.
            guard entry.sequence <= nextSequence, entry.pagesWritten <= pageCount,
                entry.liveUnits <= UInt32(pageCount) * UInt32(Geometry.unitsPerBlock)
            else { return nil }
            entries.append(entry)
        }
        return (entries, nextSequence)
    }
}

extension [SegmentEntry] {
    /// Adds free segments.
    mutating func grow(toCount count: Int) {
        let missing = count - self.count
        if missing > 0 { self += [SegmentEntry](repeating: SegmentEntry(), count: missing) }
    }
}
