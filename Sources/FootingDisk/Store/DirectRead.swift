public import FootingSystem

/// One read past the host's cache, of several that go out together.
///
/// Offset, lengths and memory are multiples of 4 KiB. The memory is the caller's, who keeps it
/// until the read has ended.
@safe
public struct DirectRead {
    /// Where it begins in the store.
    public let offset: UInt64
    /// Where its first bytes go.
    public let buffer: UnsafeMutableRawBufferPointer
    /// Where the following bytes go; usually nothing.
    public let more: [UnsafeMutableRawBufferPointer]
    /// Who has the memory, if it may have to outlive the read: see ``DirectReadQueue``.
    public let owner: AnyObject?
    /// What became of it, once it has ended; nil for success.
    public var error: Errno?
    /// Whether the kernel may still write to its memory, as it has stopped to answer.
    public var isLost = false

    /// A read of one or more parts that follow each other in the store.
    public init(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer,
        _ more: [UnsafeMutableRawBufferPointer] = unsafe [],
        owner: AnyObject? = nil
    ) {
        self.offset = offset
        self.owner = owner
        unsafe self.buffer = buffer
        unsafe self.more = more
    }

    /// Bytes in all.
    public var count: Int { unsafe more.reduce(buffer.count) { $0 + $1.count } }

    /// Reads it by reading each part.
    @safe
    package mutating func perform(
        _ read: (UInt64, UnsafeMutableRawBufferPointer) throws(Errno) -> Void
    ) {
        error = nil
        do throws(Errno) {
            unsafe try read(offset, buffer)
            var position = offset + UInt64(unsafe buffer.count)
            for index in unsafe more.indices {
                unsafe try read(position, more[index])
                position += UInt64(unsafe more[index].count)
            }
        } catch {
            self.error = error
        }
    }
}

/// Reads of one thread that the store works on side by side.
///
/// Everything is done by the thread that made it. Where the kernel stops to answer, a read may end
/// with an error while it still can write to its memory: then the memory's owner is kept for ever.
public protocol DirectReadQueue: AnyObject {
    /// Reads that have not been taken by ``next()`` yet.
    var pendingCount: Int { get }

    /// Adds a read; its memory must stay until ``next()`` has returned its tag.
    func add(_ read: DirectRead, tag: UInt64)

    /// Sends off what was added, without waiting.
    func submit()

    /// Sends off what was added, and waits until a read has ended, if any is under way.
    func waitForRead()

    /// Sends off what was added, and waits until a read has ended or a descriptor is readable.
    ///
    /// For a moment it waits for the reads alone, since a device is usually faster than that.
    func wait(for descriptors: [Int32])

    /// The next read that has ended, and its error.
    ///
    /// One that is lost has an error, and its memory must never be used again.
    func next() -> (tag: UInt64, error: Errno?, isLost: Bool)?

    /// Whether it has stopped to read side by side: a new queue may do so again.
    var isBroken: Bool { get }
}
