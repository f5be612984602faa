import FootingAcceleration
import FootingSystem

/// A commit of the log: one header page, then the payload, block after block in units of 512 bytes,
/// and zeros up to a whole page.
///
/// ```
///   0  4  magic "FTCM"                       40  8  durable LSN when this was sealed
///   4  4  CRC-32C of bytes 8 to 4095         48  4  next segment of this stream
///   8  8  volume (low half of the UUID)      52  2  descriptors (1 to 336, or 143)
///  16  8  LSN                                54  2  payload pages
///  24  8  sequence of the segment            56  1  stream   57  1  flags
///  32  4  CRC of the commit before           58  2  page in the segment
///  36  4  epoch                              60  4  segment
///  64  n x 12  descriptors                   or, encrypted, 64 16 tag   80 n x 28 descriptors
/// ```
///
/// LSN and the CRC of the commit before make one chain of the commits of both streams. The position
/// (segment, page, sequence) is there so that a misdirected write, or the remains of the segment's
/// former life, are not taken for a commit. The durable LSN tells a torn tail from damage: a commit
/// that was durable once may not be missing.
struct CommitHeader: Equatable, Sendable {
    static let magic: UInt32 = 0x4d43_5446
    private static let flagsOffset = 57
    private static let continuesFlag: UInt8 = 1
    private static let sealedFlag: UInt8 = 2
    /// Where the header's own tag is, on encrypted disks.
    static let tagOffset = Geometry.pageHeaderSizeBytes

    /// How the descriptors of a page lie, which it says itself.
    static func layout(_ page: borrowing AlignedBuffer) -> EntryLayout {
        page.get(UInt8.self, at: flagsOffset) & sealedFlag != 0 ? .sealedCommit : .plain
    }

    /// Who writes: clients, or the collector, whose data is colder.
    enum Stream: UInt8, Sendable {
        case user = 0
        case collector = 1
    }

    var lsn: UInt64
    var sequence: UInt64
    var previousChecksum: UInt32
    var epoch: UInt32
    var durableLSN: UInt64
    var nextSegment: UInt32
    var descriptorCount: Int
    var payloadCount: Int
    var stream: Stream
    /// The write goes on in the next commit: recovery takes all of them or none.
    var continues: Bool
    var page: Int
    var segment: UInt32

    /// Header page and payload.
    var pageCount: Int { 1 + payloadCount }

    /// Fills in a header page whose descriptors are already there.
    ///
    /// - Returns: the checksum that goes into the next commit.
    func seal(_ buffer: borrowing AlignedBuffer, volume: UInt64) -> UInt32 {
        store(in: buffer, volume: volume, .plain)
        let checksum = buffer.checksum(8..<4096)
        buffer.set(checksum, at: 4)
        return checksum
    }

    /// Fills in all but the checksum; what is behind the descriptors is made zeros.
    func store(in buffer: borrowing AlignedBuffer, volume: UInt64, _ layout: EntryLayout) {
        precondition(descriptorCount > 0)
        precondition(layout.offset(descriptorCount) <= Geometry.blockSizeBytes)
        precondition(payloadCount <= descriptorCount)
        buffer.set(Self.magic, at: 0)
        buffer.set(volume, at: 8)
        buffer.set(lsn, at: 16)
        buffer.set(sequence, at: 24)
        buffer.set(previousChecksum, at: 32)
        buffer.set(epoch, at: 36)
        buffer.set(durableLSN, at: 40)
        buffer.set(nextSegment, at: 48)
        buffer.set(UInt16(descriptorCount), at: 52)
        buffer.set(UInt16(payloadCount), at: 54)
        buffer.set(stream.rawValue, at: 56)
        let sealed = layout.hasTags ? Self.sealedFlag : 0
        buffer.set((continues ? Self.continuesFlag : 0) | sealed, at: Self.flagsOffset)
        buffer.set(UInt16(page), at: 58)
        buffer.set(segment, at: 60)
        buffer.clear(layout.offset(descriptorCount)..<4096)
    }

    /// Reads a header page; nil if it is none, or damaged, or says what cannot be.
    ///
    /// - Parameters:
    ///   - cipher: of an encrypted disk; the descriptors are decrypted in place.
    ///   - operation: what it is read for.
    /// - Throws: kind `noMemory`.
    static func read(
        _ buffer: borrowing AlignedBuffer,
        volume: UInt64,
        _ cipher: VolumeCipher?,
        for operation: String
    ) throws(DiskError) -> CommitHeader? {
        guard let cipher else { return CommitHeader(buffer, volume: volume) }
        guard let header = CommitHeader(buffer, volume: volume, hasTags: true) else { return nil }
        do throws(AccelerationError) {
            try cipher.open(header: header, in: buffer)
            return header
        } catch {
            if case .unavailable(let reason) = error {
                throw DiskError(.noMemory, operation, reason)
            }
            return nil
        }
    }

    /// Reads a header page; nil if it is none, or damaged, or says what cannot be.
    ///
    /// - Parameter hasTags: whether the disk is encrypted; the descriptors stay as they are.
    init?(_ buffer: borrowing AlignedBuffer, volume: UInt64, hasTags: Bool = false) {
        guard buffer.get(UInt32.self, at: 0) == Self.magic,
            buffer.get(UInt64.self, at: 8) == volume,
            buffer.get(UInt32.self, at: 4) == buffer.checksum(8..<4096),
            let stream = Stream(rawValue: buffer.get(UInt8.self, at: 56))
        else { return nil }
        lsn = buffer.get(UInt64.self, at: 16)
        sequence = buffer.get(UInt64.self, at: 24)
        previousChecksum = buffer.get(UInt32.self, at: 32)
        epoch = buffer.get(UInt32.self, at: 36)
        durableLSN = buffer.get(UInt64.self, at: 40)
        nextSegment = buffer.get(UInt32.self, at: 48)
        descriptorCount = Int(buffer.get(UInt16.self, at: 52))
        payloadCount = Int(buffer.get(UInt16.self, at: 54))
        self.stream = stream
        continues = buffer.get(UInt8.self, at: Self.flagsOffset) & Self.continuesFlag != 0
        page = Int(buffer.get(UInt16.self, at: 58))
        segment = buffer.get(UInt32.self, at: 60)
        let layout = Self.layout(buffer)
        guard layout.hasTags == hasTags, descriptorCount > 0,
            layout.offset(descriptorCount) <= Geometry.blockSizeBytes,
            payloadCount <= descriptorCount
        else { return nil }
    }

    init(
        lsn: UInt64,
        sequence: UInt64,
        previousChecksum: UInt32,
        epoch: UInt32,
        durableLSN: UInt64,
        nextSegment: UInt32,
        descriptorCount: Int,
        payloadCount: Int,
        stream: Stream,
        continues: Bool,
        page: Int,
        segment: UInt32
    ) {
        self.lsn = lsn
        self.sequence = sequence
        self.previousChecksum = previousChecksum
        self.epoch = epoch
        self.durableLSN = durableLSN
        self.nextSegment = nextSegment
        self.descriptorCount = descriptorCount
        self.payloadCount = payloadCount
        self.stream = stream
        self.continues = continues
        self.page = page
        self.segment = segment
    }

    /// The checksum of a header page, which the next commit repeats.
    static func checksum(of buffer: borrowing AlignedBuffer) -> UInt32 {
        buffer.get(UInt32.self, at: 4)
    }
}

/// What a commit does to one block, or to a range: 12 bytes, and on encrypted disks 28.
///
/// ```
///  0  8  bits 0-39 block, 40-47 kind, 48-55 encoding, 56-63 stored units (see ``BlockForm``)
///  8  4  data: CRC-32C of the stored bytes; trim: number of blocks; release: 0
/// 12 16  on encrypted disks: data: tag of AES-256-GCM; zero for others
/// ```
struct Descriptor: Equatable, Sendable {
    enum Kind: UInt8, Sendable {
        /// Superseded before it was written; its payload is to be skipped.
        case void = 0
        /// The next payload block is the block's content.
        case data = 1
        /// The blocks read as zeros from now on; no payload.
        case trim = 2
        /// The segment of this number is free: all that was live in it has newer copies before this
        /// in the log. A recovery could not tell otherwise, and might find no segment to work with.
        case release = 3
        /// A snapshot of the disk as it is after this commit: identifier, and how many bytes of
        /// text follow. See ``PendingSnapshot``.
        case snapshot = 4
        /// Nine bytes of text that belong to the descriptor before.
        case text = 5

        /// Whether a block of payload belongs to it.
        var hasPayload: Bool { self == .void || self == .data }
    }

    let kind: Kind
    let block: UInt64
    /// CRC-32C of the payload, or the number of blocks to trim.
    let value: UInt32
    /// How the payload is encoded; only data is.
    let encoding: BlockEncoding
    /// Units of payload: the next one's begins behind them.
    let units: Int
    /// What proves the payload, on encrypted disks.
    let tag: AuthenticationTag

    /// A block.
    init(_ block: UInt64, _ form: BlockForm, tag: AuthenticationTag = .none) {
        self.tag = tag
        kind = .data
        self.block = block
        value = form.checksum
        encoding = form.encoding
        units = form.units
    }

    /// Payload to be skipped.
    init(void block: UInt64, units: Int) {
        tag = .none
        kind = .void
        self.block = block
        value = 0
        encoding = .plain
        self.units = units
    }

    /// Anything without payload.
    init(kind: Kind, block: UInt64, value: UInt32) {
        precondition(kind != .void && kind != .data, "a descriptor that has payload")
        tag = .none
        self.kind = kind
        self.block = block
        self.value = value
        encoding = .plain
        units = 0
    }

    private init(
        word: UInt64,
        kind: Kind,
        encoding: BlockEncoding,
        value: UInt32,
        tag: AuthenticationTag
    ) {
        self.tag = tag
        self.kind = kind
        block = word & 0xff_ffff_ffff
        self.value = value
        self.encoding = encoding
        units = Int(word >> 56)
    }

    var hasPayload: Bool { kind.hasPayload }

    /// How the block is stored; nil for anything else than data.
    var form: BlockForm? {
        guard kind == .data else { return nil }
        return BlockForm(
            encoding: UInt64(encoding.rawValue),
            units: UInt64(units),
            checksum: value
        )
    }

    static func store(
        _ descriptor: Descriptor,
        _ slot: Int,
        in buffer: borrowing AlignedBuffer,
        _ layout: EntryLayout = .plain
    ) {
        let offset = layout.offset(slot)
        let word =
            descriptor.block | UInt64(descriptor.kind.rawValue) << 40
            | UInt64(descriptor.encoding.rawValue) << 48 | UInt64(descriptor.units) << 56
        buffer.set(word, at: offset)
        buffer.set(descriptor.value, at: offset + 8)
        if layout.hasTags { buffer.set(descriptor.tag, at: layout.tagOffset(slot)) }
    }

    /// Reads a descriptor; nil if its kind or encoding is unknown.
    static func load(_ slot: Int, from buffer: borrowing AlignedBuffer) -> Descriptor? {
        let layout = CommitHeader.layout(buffer)
        let offset = layout.offset(slot)
        guard offset + layout.stride <= Geometry.blockSizeBytes else { return nil }
        let word = buffer.get(UInt64.self, at: offset)
        let value = buffer.get(UInt32.self, at: offset + 8)
        guard let kind = Kind(rawValue: UInt8(truncatingIfNeeded: word >> 40)),
            let encoding = BlockEncoding(rawValue: UInt8(truncatingIfNeeded: word >> 48)),
            isPossible(kind, encoding, units: word >> 56)
        else { return nil }
        let tag = layout.hasTags ? buffer.tag(at: layout.tagOffset(slot)) : .none
        return Descriptor(word: word, kind: kind, encoding: encoding, value: value, tag: tag)
    }

    private static func isPossible(
        _ kind: Kind,
        _ encoding: BlockEncoding,
        units: UInt64
    ) -> Bool {
        switch kind {
        case .data:
            BlockForm(encoding: UInt64(encoding.rawValue), units: units, checksum: 0) != nil
        case .void: encoding == .plain && (1...Geometry.unitsPerBlock).contains(units)
        case .trim, .release, .snapshot, .text: encoding == .plain && units == 0
        }
    }
}
