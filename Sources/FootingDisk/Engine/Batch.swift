import FootingSystem

/// A commit in memory: open for writes, then sealed, then written, then used again.
///
/// Its place in the log is known from the start, so that the map can point to its blocks at once.
/// All of it is guarded by the engine's lock, but for the bytes of a sealed batch, which no longer
/// change.
final class Batch {
    /// Bytes of a commit at its largest.
    static let sizeBytesMax = (1 + Geometry.entriesPerPage) * 4096

    /// The header page and the payload behind it.
    let buffer: AlignedBuffer
    let stream: CommitHeader.Stream
    /// Whether it lies in one huge page, which a device sees as one piece.
    let isHuge: Bool

    /// Counts the batches of its stream.
    private(set) var serial: UInt64 = 0
    private(set) var segment: UInt32 = 0
    private(set) var page = 0
    private(set) var base = Location(units: 0)
    private(set) var capacity = 0
    private(set) var descriptorCount = 0
    private(set) var payloadCount = 0
    private(set) var offset: UInt64 = 0
    /// Set when it is sealed.
    var lsn: UInt64 = 0
    /// Set when it is sealed: the write goes on in the next commit of the stream.
    var continues = false
    /// When its first write came, for the bound on unflushed time.
    private(set) var openedNanoseconds: UInt64 = 0
    private var descriptorOfPayload: [UInt16]

    /// - Throws: `ENOMEM` where there is no memory for it.
    init(
        stream: CommitHeader.Stream,
        isHuge: Bool,
        buffers: any BufferSource
    ) throws(Errno) {
        self.stream = stream
        self.isHuge = isHuge
        buffer = try buffers.buffer(count: Self.sizeBytesMax, isHuge: isHuge)
        descriptorOfPayload = Array(repeating: 0, count: Geometry.entriesPerPage)
    }

    /// Starts a commit at a place in the log.
    func begin(
        serial: UInt64,
        geometry: Geometry,
        segment: UInt32,
        page: Int,
        nanoseconds: UInt64
    ) {
        self.serial = serial
        self.segment = segment
        self.page = page
        base = geometry.location(segment: segment, page: page + 1)
        offset = geometry.offset(segment: segment, page: page)
        capacity = min(Geometry.entriesPerPage, geometry.pagesPerSegment - page - 1)
        precondition(capacity > 0, "no room for a commit")
        descriptorCount = 0
        payloadCount = 0
        lsn = 0
        continues = false
        openedNanoseconds = nanoseconds
    }

    var isEmpty: Bool { descriptorCount == 0 }

    /// Whether another block fits.
    var hasRoomForBlock: Bool {
        payloadCount < capacity && descriptorCount < Geometry.entriesPerPage
    }

    /// Whether another descriptor without payload fits.
    var hasRoomForDescriptor: Bool { descriptorCount < Geometry.entriesPerPage }

    /// Header page and payload in bytes.
    var sizeBytes: Int { (1 + payloadCount) * 4096 }

    /// The payload slot that a location stands for; nil if it is not in this batch.
    func slot(of location: Location) -> Int? {
        guard location.units >= base.units else { return nil }
        let slot = Int((location.units - base.units) / Geometry.unitsPerBlock)
        return slot < payloadCount ? slot : nil
    }

    /// A block of the payload.
    func block(_ slot: Int) -> UnsafeMutableRawBufferPointer {
        precondition(slot < payloadCount, "no such block")
        return unsafe buffer.slice((1 + slot) * 4096..<(2 + slot) * 4096)
    }

    /// Adds a block.
    ///
    /// - Returns: where it will be.
    func append(_ block: UInt64, _ bytes: UnsafeRawBufferPointer, checksum: UInt32) -> MapEntry {
        precondition(hasRoomForBlock && bytes.count == 4096, "a block that does not fit")
        unsafe buffer.copy(from: bytes, at: (1 + payloadCount) * 4096)
        let location = base.advanced(byBlocks: payloadCount)
        descriptorOfPayload[payloadCount] = UInt16(descriptorCount)
        payloadCount += 1
        append(Descriptor(kind: .data, block: block, value: checksum))
        return MapEntry(location: location, checksum: checksum)
    }

    /// Takes over descriptors and payload that were put in place before ``begin``.
    func adoptContent(_ count: Int) {
        precondition(descriptorCount == 0 && count <= capacity, "content that does not fit")
        descriptorCount = count
        payloadCount = count
        for slot in 0..<count { descriptorOfPayload[slot] = UInt16(slot) }
    }

    /// Calls back for each block that the commit brings, with what the map is to say of it.
    func forEachBlock(_ body: (UInt64, MapEntry, UnsafeRawBufferPointer) -> Void) {
        for slot in 0..<payloadCount {
            guard let descriptor = Descriptor.load(Int(descriptorOfPayload[slot]), from: buffer),
                descriptor.kind == .data
            else { continue }
            let entry = MapEntry(
                location: base.advanced(byBlocks: slot),
                checksum: descriptor.value
            )
            unsafe body(descriptor.block, entry, UnsafeRawBufferPointer(block(slot)))
        }
    }

    /// The map entry of an adopted block.
    func entry(_ slot: Int) -> MapEntry {
        guard let descriptor = Descriptor.load(slot, from: buffer) else {
            preconditionFailure("no descriptor")
        }
        return MapEntry(
            location: base.advanced(byBlocks: slot),
            checksum: descriptor.value
        )
    }

    /// Replaces a block that is not on its way yet.
    func replace(
        _ slot: Int,
        _ block: UInt64,
        _ bytes: UnsafeRawBufferPointer,
        checksum: UInt32
    ) -> MapEntry {
        precondition(lsn == 0, "the batch is sealed")
        let index = Int(descriptorOfPayload[slot])
        precondition(Descriptor.load(index, from: buffer)?.block == block, "another block's place")
        unsafe self.block(slot).copyMemory(from: bytes)
        Descriptor.store(
            Descriptor(kind: .data, block: block, value: checksum),
            index,
            in: buffer
        )
        return MapEntry(location: base.advanced(byBlocks: slot), checksum: checksum)
    }

    /// Adds a descriptor without payload.
    func append(_ descriptor: Descriptor) {
        precondition(hasRoomForDescriptor && lsn == 0, "a descriptor that does not fit")
        Descriptor.store(descriptor, descriptorCount, in: buffer)
        descriptorCount += 1
    }

    /// Turns the descriptors of blocks that were overwritten meanwhile into void ones.
    ///
    /// - Parameter isCurrent: whether the map still points to this copy of a block.
    func voidSuperseded(_ isCurrent: (UInt64, Location) -> Bool) {
        for slot in 0..<payloadCount {
            let index = Int(descriptorOfPayload[slot])
            guard let descriptor = Descriptor.load(index, from: buffer),
                !isCurrent(descriptor.block, base.advanced(byBlocks: slot))
            else { continue }
            Descriptor.store(
                Descriptor(kind: .void, block: descriptor.block, value: 0),
                index,
                in: buffer
            )
        }
    }
}
