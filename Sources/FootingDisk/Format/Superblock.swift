import FootingAcceleration
import FootingSystem

/// The root of everything: which checkpoint is current, and where the log goes on.
///
/// ```
///    0  8  magic "FOOTDISK"             88  4  root page: CRC-32C
///    8  4  CRC-32C of bytes 12-4095     92  4  levels of the map
///   12  4  format version (1)           96  8  LSN that the checkpoint includes
///   16 16  UUID                        104  4  CRC of that commit
///   32  8  features that must be known 108  4  epoch
///   40  8  features that may be ignored112  1  closed cleanly
///   48  8  generation                  113  1  region of the segment table
///   56  8  size of the disk, bytes     116  4  CRC-32C of the segment table's region
///   64  8  size of a segment, bytes    120 24  user stream: sequence, segment, page, next
///   72  4  number of segments          144 24  collector stream
///   76  4  size of a block, bytes      168  8  created, seconds since 1970
///   80  8  root page: map entry word      176  8  LSN that was durable when it was opened
///                                      184 24  snapshots: table's first page (map entry),
///                                              count, last identifier
///                                      248 16  encrypted: tag of the root page
///                                      264 16  encrypted: tag of the snapshots' first page
///                                      280 16  encrypted: HMAC of the segment table's region
///                                      296 16  encrypted: HMAC of this page, these bytes and
///                                              the CRC taken as zeros
///                                      312  8  where the segments begin, if resized
///                                      320  8  where the segment table begins, if resized
///                                      328 12  where scrubbing goes on: snapshot, block / 64
///                                      340  4  room beyond the data in percent, if resized
///                                      344  1  compression of what is written
///                                      345 31  what scrubbing is at, and found
///                                     2048 2048  damages that it found, 32 bytes each
/// ```
///
/// There are two copies. Both hold the same generation after every checkpoint, so that one that
/// rots is replaced by the other, and a torn write of one leaves the other.
struct Superblock: Equatable, Sendable {
    static let magic: UInt64 = 0x4b53_4944_544f_4f46
    static let version: UInt32 = 1
    /// Features whose absence from a program makes the container unreadable.
    static let knownFeatures: UInt64 =
        compressedFeature | encryptedFeature | snapshotsFeature | resizedFeature
    /// Some block may be stored in fewer units than eight, and others between units.
    static let compressedFeature: UInt64 = 1 << 0
    /// Blocks and pages are encrypted, and everything else is proved.
    static let encryptedFeature: UInt64 = 1 << 1
    /// The log may say that a snapshot is made, and segments may be kept for one.
    static let snapshotsFeature: UInt64 = 1 << 2

    /// Segments and their table are where the superblock says.
    static let resizedFeature: UInt64 = 1 << 3

    /// Where a stream of the log goes on.
    struct Head: Equatable, Sendable {
        var sequence: UInt64
        var segment: UInt32
        var page: Int
        var next: UInt32
    }

    var identifier: Identifier
    var generation: UInt64
    var geometry: Geometry
    var root: MapEntry
    var lsn: UInt64
    var lsnChecksum: UInt32
    var epoch: UInt32
    var isClean: Bool
    var tableRegion: Int
    var tableChecksum: UInt32
    var user: Head
    var collector: Head
    var createdUnixSeconds: UInt64
    /// What recovery found when the disk was opened: a later one must find at least that.
    var durableLSN: UInt64 = 0
    /// What a program must know to read the container.
    var features: UInt64 = 0
    /// Where the table of the snapshots is.
    var snapshots = SnapshotRoot()
    /// What proves the segment table, on encrypted disks.
    var tableTag = AuthenticationTag.none
    /// Room beyond the data that the container was made with, in percent; 0 until it is resized.
    var roomPercent: UInt32 = 0
    /// Where scrubbing goes on, and what it found.
    var scrub = ScrubNotes()
    /// How writes are compressed; see ``setCompression(_:)``.
    private(set) var compression = CompressionPolicy.none

    /// The part of the UUID that every structure repeats.
    var volume: UInt64 { identifier.low }

    /// Changes how writes are compressed from when this superblock is durable.
    ///
    /// What was compressed once may still be there, so the feature stays.
    mutating func setCompression(_ policy: CompressionPolicy) {
        compression = policy
        if policy != .none { features |= Self.compressedFeature }
    }

    func store(in page: borrowing AlignedBuffer) {
        page.clear(0..<4096)
        page.set(Self.magic, at: 0)
        page.set(Self.version, at: 12)
        page.set(identifier.high.byteSwapped, at: 16)
        page.set(identifier.low.byteSwapped, at: 24)
        page.set(features, at: 32)
        page.set(generation, at: 48)
        page.set(geometry.sizeBytes, at: 56)
        page.set(geometry.segmentSizeBytes, at: 64)
        page.set(geometry.segmentCount, at: 72)
        page.set(UInt32(Geometry.blockSizeBytes), at: 76)
        page.set(root.word, at: 80)
        page.set(root.checksum, at: 88)
        page.set(UInt32(geometry.levels), at: 92)
        page.set(lsn, at: 96)
        page.set(lsnChecksum, at: 104)
        page.set(epoch, at: 108)
        page.set(UInt8(isClean ? 1 : 0), at: 112)
        page.set(UInt8(tableRegion), at: 113)
        page.set(tableChecksum, at: 116)
        Self.store(user, in: page, at: 120)
        Self.store(collector, in: page, at: 144)
        page.set(createdUnixSeconds, at: 168)
        page.set(durableLSN, at: 176)
        page.set(snapshots.table.word, at: 184)
        page.set(snapshots.table.checksum, at: 192)
        page.set(snapshots.count, at: 196)
        page.set(snapshots.lastIdentifier, at: 200)
        if geometry.isEncrypted {
            page.set(root.tag, at: 248)
            page.set(snapshots.table.tag, at: 264)
            page.set(tableTag, at: 280)
        }
        if features & Self.resizedFeature != 0 {
            page.set(geometry.segmentsOffset, at: 312)
            page.set(geometry.tablesOffset, at: 320)
        }
        scrub.store(in: page)
        page.set(roomPercent, at: 340)
        page.set(compression.number, at: 344)
        page.set(page.checksum(12..<4096), at: 8)
    }

    private static func store(_ head: Head, in page: borrowing AlignedBuffer, at offset: Int) {
        page.set(head.sequence, at: offset)
        page.set(head.segment, at: offset + 8)
        page.set(UInt32(head.page), at: offset + 12)
        page.set(head.next, at: offset + 16)
    }

    private static func head(_ page: borrowing AlignedBuffer, at offset: Int) -> Head {
        Head(
            sequence: page.get(UInt64.self, at: offset),
            segment: page.get(UInt32.self, at: offset + 8),
            page: Int(page.get(UInt32.self, at: offset + 12)),
            next: page.get(UInt32.self, at: offset + 16)
        )
    }
}

// MARK: - Reading

extension Superblock {
    /// Why a page is not a superblock that can be used.
    enum Refusal: Error, Equatable {
        /// Another magic: not a Footing container.
        case foreign
        /// The checksum is wrong.
        case damaged
        /// A newer format.
        case version(UInt32)
        /// Features this program does not know.
        case features(UInt64)
        /// The checksum is right and the content impossible.
        case impossible(String)
        /// Somebody without the key has written it.
        case forged
    }

    /// Reads and verifies a superblock.
    init(_ page: borrowing AlignedBuffer) throws(Refusal) {
        guard page.get(UInt64.self, at: 0) == Self.magic else { throw .foreign }
        guard page.get(UInt32.self, at: 8) == page.checksum(12..<4096) else { throw .damaged }
        let version = page.get(UInt32.self, at: 12)
        guard version == Self.version else { throw .version(version) }
        features = page.get(UInt64.self, at: 32)
        let unknown = features & ~Self.knownFeatures
        guard unknown == 0 else { throw .features(unknown) }
        identifier = Identifier(
            high: page.get(UInt64.self, at: 16).byteSwapped,
            low: page.get(UInt64.self, at: 24).byteSwapped
        )
        generation = page.get(UInt64.self, at: 48)
        geometry = Self.geometry(page, features)
        let hasTags = geometry.isEncrypted
        tableTag = hasTags ? page.tag(at: 280) : .none
        root = MapEntry(
            word: page.get(UInt64.self, at: 80),
            checksum: page.get(UInt32.self, at: 88),
            tag: hasTags ? page.tag(at: 248) : .none
        )
        lsn = page.get(UInt64.self, at: 96)
        lsnChecksum = page.get(UInt32.self, at: 104)
        epoch = page.get(UInt32.self, at: 108)
        isClean = page.get(UInt8.self, at: 112) == 1
        tableRegion = Int(page.get(UInt8.self, at: 113))
        tableChecksum = page.get(UInt32.self, at: 116)
        user = Self.head(page, at: 120)
        collector = Self.head(page, at: 144)
        createdUnixSeconds = page.get(UInt64.self, at: 168)
        durableLSN = page.get(UInt64.self, at: 176)
        snapshots = SnapshotRoot(
            table: MapEntry(
                word: page.get(UInt64.self, at: 184),
                checksum: page.get(UInt32.self, at: 192),
                tag: hasTags ? page.tag(at: 264) : .none
            ),
            count: page.get(UInt32.self, at: 196),
            lastIdentifier: page.get(UInt64.self, at: 200)
        )
        scrub = ScrubNotes(page)
        roomPercent = page.get(UInt32.self, at: 340)
        let number = page.get(UInt8.self, at: 344)
        guard let policy = CompressionPolicy(number: number) else {
            throw .impossible("compression \(number)")
        }
        compression = policy
        if policy != .none, features & Self.compressedFeature == 0 {
            throw .impossible("compression without the feature")
        }
        try validate(
            blockSizeBytes: page.get(UInt32.self, at: 76),
            levels: page.get(UInt32.self, at: 92)
        )
    }

    private static func geometry(
        _ page: borrowing AlignedBuffer,
        _ features: UInt64
    ) -> Geometry {
        let created = Geometry(
            sizeBytes: page.get(UInt64.self, at: 56),
            segmentSizeBytes: page.get(UInt64.self, at: 64),
            segmentCount: page.get(UInt32.self, at: 72),
            isEncrypted: features & encryptedFeature != 0
        )
        if features & resizedFeature == 0 { return created }
        return Geometry(
            sizeBytes: created.sizeBytes,
            segmentSizeBytes: created.segmentSizeBytes,
            segmentCount: created.segmentCount,
            isEncrypted: created.isEncrypted,
            segmentsOffset: page.get(UInt64.self, at: 312),
            tablesOffset: page.get(UInt64.self, at: 320)
        )
    }

    /// A checksum protects against accidents, not against a hostile image: every number that is
    /// later used as a size or an index is checked here.
    private func validate(blockSizeBytes: UInt32, levels: UInt32) throws(Refusal) {
        let size = geometry.sizeBytes
        guard size > 0, size <= Geometry.sizeBytesMax, size % 512 == 0 else {
            throw .impossible("size of \(size) bytes")
        }
        let segment = geometry.segmentSizeBytes
        guard segment >= 64 << 10, segment <= 64 << 20, segment & (segment - 1) == 0 else {
            throw .impossible("segment size of \(segment) bytes")
        }
        guard geometry.segmentCount >= 8, geometry.segmentCount <= Geometry.segmentCountMax else {
            throw .impossible("\(geometry.segmentCount) segments")
        }
        // Before anything is added to them.
        let placeMax = Geometry.containerSizeBytesMax
        guard geometry.segmentsOffset <= placeMax, geometry.tablesOffset <= placeMax else {
            throw .impossible("segments from byte \(geometry.segmentsOffset)")
        }
        if let misplacement = geometry.misplacement { throw .impossible(misplacement) }
        guard geometry.containerSizeBytes <= placeMax else {
            throw .impossible("container of \(geometry.containerSizeBytes) bytes")
        }
        guard blockSizeBytes == Geometry.blockSizeBytes, levels == geometry.levels else {
            throw .impossible("blocks of \(blockSizeBytes) bytes in \(levels) levels")
        }
        guard tableRegion < 2 else { throw .impossible("segment table \(tableRegion)") }
        guard root.isValidPage(in: geometry) else { throw .impossible("root page") }
        guard snapshots.isPossible(in: geometry, features) else {
            throw .impossible("\(snapshots.count) snapshots")
        }
        guard generation <= Geometry.counterMax, lsn <= Geometry.counterMax, epoch < UInt32.max
        else { throw .impossible("generation \(generation), LSN \(lsn), epoch \(epoch)") }
        if geometry.isEncrypted, epoch > VolumeCipher.epochMax {
            throw .impossible("epoch \(epoch)")
        }
        for head in [user, collector] {
            guard head.segment < geometry.segmentCount, head.next < geometry.segmentCount,
                head.page >= 0, head.page <= geometry.pagesPerSegment,
                head.sequence <= Geometry.counterMax
            else { throw .impossible("head of the log") }
        }
    }
}

// MARK: - Proof

extension Superblock {
    private static let checksumRange = 8..<12
    private static let proofRange = 296..<312

    /// Stores it with what proves it to those who have the key.
    func store(in page: borrowing AlignedBuffer, _ keys: VolumeKeys?) throws(DiskError) {
        store(in: page)
        guard let keys else { return }
        page.clear(Self.checksumRange)
        page.set(try keys.sum(page, 0..<4096), at: Self.proofRange.lowerBound)
        page.set(page.checksum(12..<4096), at: Self.checksumRange.lowerBound)
    }

    /// Whether somebody with the key has written the page, which must be a superblock.
    static func isProved(
        _ page: borrowing AlignedBuffer,
        _ keys: VolumeKeys
    ) throws(DiskError) -> Bool {
        let found = page.tag(at: proofRange.lowerBound)
        page.clear(checksumRange)
        page.clear(proofRange)
        return try keys.sum(page, 0..<4096) == found
    }
}
