import FootingAcceleration
import FootingSystem

/// A commit in memory: open for writes, then sealed, then written, then used again.
///
/// Its place in the log is known from the start, so that the map can point to its blocks at once.
/// All of it is guarded by the engine's lock, but for the bytes of a sealed batch, which no longer
/// change.
final class Batch {
    /// Bytes of a commit at its largest.
    static let sizeBytesMax = (1 + Geometry.entriesPerPageMax) * 4096

    /// The header page and the payload behind it.
    let buffer: AlignedBuffer
    let stream: CommitHeader.Stream
    /// Whether it lies in one huge page, which a device sees as one piece.
    let isHuge: Bool

    /// Of an encrypted disk, when it is sealed.
    var header: CommitHeader?
    /// Of an encrypted disk, when it is encrypted: the checksum of the header page.
    var sealedChecksum: UInt32?
    /// How far the payload of an encrypted disk is; changed under the engine's lock alone.
    enum Sealing {
        case none
        /// One thread encrypts it, without the lock.
        case busy
        case done
    }

    var sealing = Sealing.none
    /// By slot of the payload, when it is encrypted.
    var seals: [(checksum: UInt32, tag: AuthenticationTag)] = []

    /// Counts the batches of its stream.
    private(set) var serial: UInt64 = 0
    private(set) var segment: UInt32 = 0
    private(set) var page = 0
    private(set) var base = Location(units: 0)
    /// Pages of payload that there is room for.
    private(set) var capacity = 0
    /// Descriptors that there is room for.
    private(set) var descriptorCountMax = 0
    private(set) var descriptorCount = 0
    /// Blocks of payload, void ones included.
    private(set) var blockCount = 0
    /// Units of payload.
    private(set) var unitCount = 0
    private(set) var offset: UInt64 = 0
    /// Set when it is sealed.
    var lsn: UInt64 = 0
    /// Set when it is sealed: the write goes on in the next commit of the stream.
    var continues = false
    /// When its first write came, for the bound on unflushed time.
    private(set) var openedNanoseconds: UInt64 = 0
    /// By slot of the payload: its descriptor, and the unit where it begins.
    private var descriptorOfPayload: [UInt16]
    private var unitOfPayload: [UInt16]
    /// By slot of the payload, over all commits: how often what is there was replaced in its place.
    private var replacementsOfPayload: [UInt64]

    /// - Throws: `ENOMEM` where there is no memory for it.
    init(
        stream: CommitHeader.Stream,
        isHuge: Bool,
        buffers: any BufferSource
    ) throws(Errno) {
        self.stream = stream
        self.isHuge = isHuge
        buffer = try buffers.buffer(count: Self.sizeBytesMax, isHuge: isHuge)
        descriptorOfPayload = Array(repeating: 0, count: Geometry.entriesPerPageMax)
        unitOfPayload = descriptorOfPayload
        replacementsOfPayload = Array(repeating: 0, count: Geometry.entriesPerPageMax)
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
        capacity = min(geometry.descriptorsPerCommit, geometry.pagesPerSegment - page - 1)
        descriptorCountMax = geometry.descriptorsPerCommit
        precondition(capacity > 0, "no room for a commit")
        descriptorCount = 0
        blockCount = 0
        unitCount = 0
        lsn = 0
        continues = false
        header = nil
        sealedChecksum = nil
        sealing = .none
        seals.removeAll(keepingCapacity: true)
        openedNanoseconds = nanoseconds
    }

    var isEmpty: Bool { descriptorCount == 0 }

    /// Pages of payload.
    var payloadCount: Int { (unitCount + Self.unitsPerPage - 1) / Self.unitsPerPage }

    private static let unitsPerPage = Int(Geometry.unitsPerBlock)

    /// Whether another block of so many units fits.
    func hasRoom(forUnits count: Int) -> Bool {
        unitCount + count <= capacity * Self.unitsPerPage
            && descriptorCount < descriptorCountMax
    }

    /// Whether another descriptor without payload fits.
    var hasRoomForDescriptor: Bool { descriptorCount < descriptorCountMax }

    /// Header page and payload in bytes.
    var sizeBytes: Int { (1 + payloadCount) * 4096 }

    /// The payload slot that a location stands for; nil if it is not in this batch.
    func slot(of location: Location) -> Int? {
        guard location.units >= base.units, location.units < base.units + UInt64(unitCount) else {
            return nil
        }
        let unit = UInt16(location.units - base.units)
        let slot = unitOfPayload[..<blockCount].partitioningIndex { $0 >= unit }
        return slot < blockCount && unitOfPayload[slot] == unit ? slot : nil
    }

    /// Where a block of the payload will be.
    func location(_ slot: Int) -> Location {
        base.advanced(byUnits: Int(unitOfPayload[slot]))
    }

    /// How often a block was replaced in its place, which its map entry may not show.
    func replacementCount(_ slot: Int) -> UInt64 { replacementsOfPayload[slot] }

    /// A block of the payload, as it is stored; nil if it is void.
    func stored(_ slot: Int) -> (form: BlockForm, bytes: UnsafeMutableRawBufferPointer)? {
        precondition(slot < blockCount, "no such block")
        guard let descriptor = Descriptor.load(Int(descriptorOfPayload[slot]), from: buffer),
            let form = descriptor.form
        else { return nil }
        return unsafe (form, bytes(Int(unitOfPayload[slot]), count: form.byteCount))
    }

    func bytes(_ unit: Int, count: Int) -> UnsafeMutableRawBufferPointer {
        let start = 4096 + unit * Int(Geometry.unitSizeBytes)
        return unsafe buffer.slice(start..<start + count)
    }

    /// Adds a block.
    ///
    /// - Parameter bytes: what is stored.
    /// - Returns: where it will be.
    func append(_ block: UInt64, _ form: BlockForm, _ bytes: UnsafeRawBufferPointer) -> MapEntry {
        precondition(hasRoom(forUnits: form.units), "a block that does not fit")
        precondition(bytes.count == form.byteCount, "another size than the form says")
        unsafe self.bytes(unitCount, count: form.byteCount).copyMemory(from: bytes)
        let slot = addSlot(descriptorCount, form.units)
        append(Descriptor(block, form))
        return MapEntry(location: location(slot), form)
    }

    private func addSlot(_ descriptor: Int, _ units: Int) -> Int {
        descriptorOfPayload[blockCount] = UInt16(descriptor)
        unitOfPayload[blockCount] = UInt16(unitCount)
        blockCount += 1
        unitCount += units
        return blockCount - 1
    }

    /// Takes over descriptors and payload that were put in place before ``begin``.
    func adoptContent(_ count: Int) {
        precondition(descriptorCount == 0, "content in a batch that has some")
        for index in 0..<count {
            guard let descriptor = Descriptor.load(index, from: buffer) else {
                preconditionFailure("no descriptor")
            }
            _ = addSlot(index, descriptor.units)
        }
        descriptorCount = count
        precondition(payloadCount <= capacity, "content that does not fit")
    }

    /// Pages of payload that so many blocks take whose descriptors were put in place.
    func pageCount(ofContent count: Int) -> Int {
        var units = 0
        for index in 0..<count { units += Descriptor.load(index, from: buffer)?.units ?? 0 }
        return (units + Self.unitsPerPage - 1) / Self.unitsPerPage
    }

    /// Makes the rest of the payload's last page zeros.
    func pad() {
        let end = 4096 + unitCount * Int(Geometry.unitSizeBytes)
        buffer.clear(end..<sizeBytes)
    }

    /// Calls back for each block that the commit brings, with what the map is to say of it, and its
    /// bytes as they are stored.
    func forEachBlock(_ body: (UInt64, MapEntry, UnsafeRawBufferPointer) -> Void) {
        for slot in 0..<blockCount {
            guard let descriptor = Descriptor.load(Int(descriptorOfPayload[slot]), from: buffer),
                let form = descriptor.form
            else { continue }
            let stored = unsafe bytes(Int(unitOfPayload[slot]), count: form.byteCount)
            var entry = MapEntry(location: location(slot), form)
            if !seals.isEmpty { entry = entry.sealed(seals[slot].checksum, seals[slot].tag) }
            unsafe body(descriptor.block, entry, UnsafeRawBufferPointer(stored))
        }
    }

    /// A block of the payload: its descriptor's place, and its first unit.
    func place(_ slot: Int) -> (descriptor: Int, unit: Int) {
        (Int(descriptorOfPayload[slot]), Int(unitOfPayload[slot]))
    }

    /// Calls back for each block with how it is stored.
    func forEachForm(_ body: (BlockForm) -> Void) {
        for index in 0..<descriptorCount {
            if let form = Descriptor.load(index, from: buffer)?.form { body(form) }
        }
    }

    /// The map entry of an adopted block.
    func entry(_ slot: Int) -> MapEntry {
        guard let form = Descriptor.load(slot, from: buffer)?.form else {
            preconditionFailure("no descriptor")
        }
        return MapEntry(location: location(slot), form)
    }

    /// Replaces a block that is not on its way yet: in its place, or behind the others if it takes
    /// another number of units.
    ///
    /// - Returns: nil if there is no room for that; then nothing has changed.
    func replace(
        _ slot: Int,
        _ block: UInt64,
        _ form: BlockForm,
        _ bytes: UnsafeRawBufferPointer
    ) -> MapEntry? {
        precondition(lsn == 0, "the batch is sealed")
        let index = Int(descriptorOfPayload[slot])
        guard let old = Descriptor.load(index, from: buffer), old.block == block,
            old.kind == .data
        else { preconditionFailure("another block's place") }
        if old.units == form.units {
            replacementsOfPayload[slot] += 1
            unsafe self.bytes(Int(unitOfPayload[slot]), count: form.byteCount)
                .copyMemory(from: bytes)
            Descriptor.store(Descriptor(block, form), index, in: buffer)
            return MapEntry(location: location(slot), form)
        }
        guard hasRoom(forUnits: form.units) else { return nil }
        Descriptor.store(Descriptor(void: block, units: old.units), index, in: buffer)
        return unsafe append(block, form, bytes)
    }

    /// Adds a descriptor without payload, or that of payload which is in place.
    func append(_ descriptor: Descriptor) {
        precondition(hasRoomForDescriptor && lsn == 0, "a descriptor that does not fit")
        Descriptor.store(descriptor, descriptorCount, in: buffer)
        descriptorCount += 1
    }

    /// Turns the descriptors of blocks that were overwritten meanwhile into void ones.
    ///
    /// - Parameter isCurrent: whether the map still points to this copy of a block.
    func voidSuperseded(_ isCurrent: (UInt64, Location) -> Bool) {
        for slot in 0..<blockCount {
            let index = Int(descriptorOfPayload[slot])
            guard let descriptor = Descriptor.load(index, from: buffer),
                !isCurrent(descriptor.block, location(slot))
            else { continue }
            Descriptor.store(
                Descriptor(void: descriptor.block, units: descriptor.units),
                index,
                in: buffer
            )
        }
    }
}
