internal import FootingSystem

/// Received bytes that are not consumed yet.
struct ReceiveBuffer: ~Copyable {
    /// Holds some sixty requests of 4 KiB, and stays within a core's second-level cache.
    static let capacityBytes = 256 << 10

    private let buffer: AlignedBuffer
    private var start = 0
    private var end = 0

    /// - Throws: `ENOMEM` where there is no memory for it.
    init(_ buffers: any BufferSource) throws(Errno) {
        buffer = try buffers.buffer(count: Self.capacityBytes, isHuge: false)
    }

    var count: Int { end - start }

    /// What is there; valid until the next call that changes the buffer.
    var content: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(rebasing: buffer.bytes[start..<end])
    }

    mutating func consume(_ byteCount: Int) {
        precondition(byteCount <= count, "consumed more than was received")
        start += byteCount
        if start == end {
            start = 0
            end = 0
        }
    }

    /// Gives the memory back; the buffer must be empty.
    func discard() {
        precondition(count == 0, "requests would be lost")
        buffer.discard()
    }

    /// Receives what has arrived, after the bytes that are there.
    ///
    /// - Returns: the bytes received; 0 at the end of the stream.
    mutating func receive(from link: Link, waits: Bool) throws(Errno) -> Int {
        makeRoom()
        let rest = unsafe UnsafeMutableRawBufferPointer(
            rebasing: buffer.bytes[end..<Self.capacityBytes]
        )
        let byteCount = unsafe try link.socket.receive(into: rest, waits: waits)
        end += byteCount
        return byteCount
    }

    /// The same, without waiting, and no more than so many bytes.
    mutating func receive(atMost byteCountMax: Int, from link: Link) throws(Errno) -> Int {
        makeRoom()
        let stop = min(end + byteCountMax, Self.capacityBytes)
        let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[end..<stop])
        let byteCount = unsafe try link.socket.receive(into: rest, waits: false)
        end += byteCount
        return byteCount
    }

    private mutating func makeRoom() {
        // Room for another large read; moving less than that costs less than one more call.
        if Self.capacityBytes - end < Self.capacityBytes / 2, start > 0 {
            unsafe buffer.bytes.copyMemory(from: content)
            end -= start
            start = 0
        }
        precondition(end < Self.capacityBytes, "a request that does not fit was left unconsumed")
    }
}
