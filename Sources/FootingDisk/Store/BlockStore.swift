public import FootingSystem

/// What a container lives on: a file, a block device, or a simulated disk.
///
/// The engine does no input or output but through these calls, so that the same code runs on real
/// hardware and on a disk that loses, tears and reorders what was not made durable.
///
/// - Offsets and lengths of writes are multiples of 4 KiB, and so is the memory's alignment.
/// - A write is visible to reads when the call returns, and durable after the next successful
///   ``synchronize()``. Until then any part of it, in units of 512 bytes, may survive a power
///   failure or not, in any order with other writes.
public protocol BlockStore: AnyObject, Sendable {
    /// What to call it in errors.
    var path: String { get }

    /// Bytes there are.
    var sizeBytes: UInt64 { get }

    /// How several reads at a time ask the device.
    var inputOutput: InputOutput { get }

    /// Reads exactly `buffer.count` bytes.
    ///
    /// - Throws: `EIO` also where the store ends too early.
    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(Errno)

    /// Reads as ``read(at:into:)`` does, past the host's cache: the engine has its own.
    ///
    /// Offset, length and memory are aligned to 4 KiB.
    func readDirectly(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno)

    /// Reads what the device has, and not what a cache of the host remembers of it.
    ///
    /// As far as the host lets it; the device may have a cache of its own. Offset, length and
    /// memory are aligned to 4 KiB.
    func readFromDevice(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno)

    /// Reads several ranges as ``readDirectly(at:into:)`` does, side by side where it can.
    ///
    /// Each has an error of its own.
    func readDirectly(_ reads: inout [DirectRead])

    /// Reads of one thread that goes on meanwhile; nil where the store can only let it wait.
    ///
    /// The thread that asks is the one that uses it.
    func makeReadQueue() -> (any DirectReadQueue)?

    /// Writes all bytes.
    func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(Errno)

    /// Writes several buffers, one behind the other, as one write of all of them would.
    func write(at offset: UInt64, _ buffers: [UnsafeRawBufferPointer]) throws(Errno)

    /// Writes several buffers as ``write(at:_:)`` does, and makes these bytes durable: a failure
    /// may have left any part of them, and nothing else is durable by it.
    func writeDurably(at offset: UInt64, _ buffers: [UnsafeRawBufferPointer]) throws(Errno)

    /// Makes all writes that returned before this call durable.
    ///
    /// After an error nothing is known about any of them, and every later call must fail as well:
    /// the kernel forgets what it could not write. Any thread may call.
    func synchronize() throws(Errno)

    /// Makes sure that a range has space behind it, without changing what it holds.
    func allocate(_ range: Range<UInt64>) throws(Errno)

    /// Makes zeros where a range with space behind it was never written, so that a later write
    /// there is an overwrite; what it reads as does not change. Need not be durable.
    ///
    /// Nobody else may write to the range meanwhile.
    ///
    /// - Returns: bytes that were written; none where the device made the zeros itself.
    func prepare(_ range: Range<UInt64>) throws(Errno) -> UInt64

    /// Makes the store have at least so many bytes; those it has stay, others read as zeros.
    ///
    /// Durable after the next successful ``synchronize()``.
    ///
    /// - Throws: `ENOSPC` where it cannot have so many.
    func grow(toBytes size: UInt64) throws(Errno)

    /// Lets others open the store; nothing is written any more.
    func unlock()

    /// Tells the store that a range's content is no longer needed; its content is then undefined.
    func discard(_ range: Range<UInt64>) throws(Errno)
}

extension BlockStore {
    /// One at a time for each thread.
    public var inputOutput: InputOutput { .plain }

    /// Without a cache there is no difference.
    public func readDirectly(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) {
        try unsafe read(at: offset, into: buffer)
    }

    /// What is read directly comes from there.
    public func readFromDevice(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) {
        try unsafe readDirectly(at: offset, into: buffer)
    }

    /// One after the other.
    public func readDirectly(_ reads: inout [DirectRead]) {
        for index in reads.indices {
            reads[index].perform { (offset, buffer) throws(Errno) in
                unsafe try readDirectly(at: offset, into: buffer)
            }
        }
    }

    /// It can only let a thread wait.
    public func makeReadQueue() -> (any DirectReadQueue)? { nil }

    /// One after the other.
    public func write(at offset: UInt64, _ buffers: [UnsafeRawBufferPointer]) throws(Errno) {
        var offset = offset
        for index in unsafe buffers.indices {
            let buffer = unsafe buffers[index]
            try unsafe write(at: offset, buffer)
            offset += UInt64(buffer.count)
        }
    }

    /// Its writes are all the same.
    public func prepare(_ range: Range<UInt64>) throws(Errno) -> UInt64 { 0 }

    /// It has the size that it has.
    public func grow(toBytes size: UInt64) throws(Errno) {
        if size > sizeBytes { throw .noSpace }
    }

    /// A write and a sync.
    public func writeDurably(
        at offset: UInt64,
        _ buffers: [UnsafeRawBufferPointer]
    ) throws(Errno) {
        unsafe try write(at: offset, buffers)
        try synchronize()
    }

    /// Nothing is locked.
    public func unlock() {}
}
