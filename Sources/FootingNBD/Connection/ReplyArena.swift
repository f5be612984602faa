internal import FootingSystem

/// The replies of one turn of a connection's own thread, in order, so that one call sends them.
///
/// Small ones and all headers lie in one piece of memory. What a device has read lies where it was
/// read to, and is sent from there.
struct ReplyArena: ~Copyable {
    /// The longest payload of one chunk, or of one simple reply that can still report an error.
    static let maximumDataBytes = 1 << 20
    /// Room for that and its header, and for small replies before it.
    private static let capacityBytes = maximumDataBytes + (64 << 10)
    /// Replies up to this size are copied rather than sent on their own.
    private static let smallBytes = 16 << 10

    /// Data that is sent between two bytes of the piece.
    private struct Insert {
        let position: Int
        let data: ReadBuffer
    }

    private let buffer: AlignedBuffer
    private(set) var count = 0
    private var inserts: [Insert] = []
    /// Where the disk reads to.
    let readBuffers: ReadBuffers

    /// - Throws: `ENOMEM` where there is no memory for it.
    init(_ buffers: any BufferSource, readBytesMax: Int) throws(Errno) {
        buffer = try buffers.buffer(count: Self.capacityBytes, isHuge: false)
        readBuffers = ReadBuffers(buffers, bytesMax: readBytesMax)
    }

    var isEmpty: Bool { count == 0 }
    var freeBytes: Int { Self.capacityBytes - count }

    /// Bytes that are to be sent.
    var totalBytes: Int { inserts.reduce(count) { $0 + $1.data.count } }

    /// What is to be sent, in order.
    var content: [UnsafeRawBufferPointer] {
        var parts: [UnsafeRawBufferPointer] = unsafe []
        unsafe parts.reserveCapacity(inserts.count * 2 + 1)
        var start = 0
        for insert in inserts {
            if insert.position > start {
                unsafe parts.append(.init(rebasing: buffer.bytes[start..<insert.position]))
            }
            unsafe parts.append(UnsafeRawBufferPointer(insert.data.bytes))
            start = insert.position
        }
        if count > start { unsafe parts.append(.init(rebasing: buffer.bytes[start..<count])) }
        return unsafe parts
    }

    mutating func removeAll() {
        count = 0
        for insert in inserts { readBuffers.giveBack(insert.data) }
        inserts.removeAll(keepingCapacity: true)
    }

    /// Gives the memory back; the arena must be empty.
    func discard() {
        precondition(isEmpty, "replies would be lost")
        buffer.discard()
        readBuffers.discard()
    }

    /// A read's reply, whose data the arena sends from where it is.
    mutating func append(_ frame: DataFrame, _ data: ReadBuffer) {
        precondition(data.count == frame.dataBytes, "another read's data")
        unsafe frame.storeHeader(tail(frame.headerBytes))
        count += frame.headerBytes
        inserts.append(Insert(position: count, data: data))
    }

    /// A simple reply.
    mutating func appendSimple(_ cookie: UInt64, _ error: WireError?) {
        let bytes = unsafe tail(Wire.simpleReplyBytes)
        unsafe bytes.store(bigEndian: Wire.simpleReplyMagic, at: 0)
        unsafe bytes.store(bigEndian: error?.rawValue ?? 0, at: 4)
        unsafe bytes.store(bigEndian: cookie, at: 8)
        count += Wire.simpleReplyBytes
    }

    /// Any message that fits.
    mutating func append(_ message: [UInt8]) {
        let bytes = unsafe tail(message.count)
        unsafe bytes.copyBytes(from: message)
        count += message.count
    }

    mutating func appendIfSmall(_ message: [UInt8]) -> Bool {
        guard message.count <= Self.smallBytes, message.count <= freeBytes else { return false }
        append(message)
        return true
    }

    /// Where the data of a read goes; ``commit(_:)`` makes it part of the content.
    func data(of frame: DataFrame) -> UnsafeMutableRawBufferPointer {
        let bytes = unsafe tail(frame.messageBytes)
        return unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[frame.headerBytes...])
    }

    mutating func commit(_ frame: DataFrame) {
        unsafe frame.storeHeader(tail(frame.messageBytes))
        count += frame.messageBytes
    }

    /// Where more data of a read goes whose header is there already.
    func moreData(_ byteCount: Int) -> UnsafeMutableRawBufferPointer {
        unsafe tail(byteCount)
    }

    mutating func commitMoreData(_ byteCount: Int) {
        precondition(byteCount <= freeBytes, "no room for a reply")
        count += byteCount
    }

    private func tail(_ byteCount: Int) -> UnsafeMutableRawBufferPointer {
        precondition(byteCount <= freeBytes, "no room for a reply")
        return unsafe UnsafeMutableRawBufferPointer(
            rebasing: buffer.bytes[count..<(count + byteCount)]
        )
    }
}

/// The bytes around the data of a read: a simple reply's header, or an `OFFSET_DATA` chunk's.
struct DataFrame: Sendable {
    var cookie: UInt64
    var isStructured: Bool
    var isLast: Bool
    var offset: UInt64
    var dataBytes: Int

    var headerBytes: Int {
        isStructured ? Wire.structuredReplyBytes + 8 : Wire.simpleReplyBytes
    }

    var messageBytes: Int { headerBytes + dataBytes }

    func storeHeader(_ bytes: UnsafeMutableRawBufferPointer) {
        guard isStructured else {
            unsafe bytes.store(bigEndian: Wire.simpleReplyMagic, at: 0)
            unsafe bytes.store(bigEndian: UInt32(0), at: 4)
            unsafe bytes.store(bigEndian: cookie, at: 8)
            return
        }
        unsafe bytes.store(bigEndian: Wire.structuredReplyMagic, at: 0)
        unsafe bytes.store(bigEndian: UInt16(isLast ? 1 : 0), at: 4)
        unsafe bytes.store(bigEndian: Chunk.offsetData.rawValue, at: 6)
        unsafe bytes.store(bigEndian: cookie, at: 8)
        unsafe bytes.store(bigEndian: UInt32(8 + dataBytes), at: 16)
        unsafe bytes.store(bigEndian: offset, at: 20)
    }
}
