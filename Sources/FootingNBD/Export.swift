public import FootingSystem

/// A disk that the server offers.
///
/// Calls come from many threads at once. Ranges lie within ``sizeBytes`` and are multiples of
/// ``minimumBlockBytes``: the server refuses everything else before it gets here. What a method
/// throws is answered to the client as the nearest error that the protocol knows.
public protocol Export: AnyObject, Sendable {
    /// The name by which a client asks for it; a client may also ask for "", the default.
    var name: String { get }
    /// A line about it for people, shown by `LIST`.
    var summary: String { get }
    /// Its size; a multiple of ``minimumBlockBytes``.
    ///
    /// A connection goes by what it was when it began: a disk that is being used may only grow.
    var sizeBytes: UInt64 { get }
    /// Whether writes are refused.
    var isReadOnly: Bool { get }
    /// Requests must be multiples of it; a power of two from 1 to 64 KiB.
    var minimumBlockBytes: UInt32 { get }
    /// Requests that are multiples of it need no read-modify-write; a power of two.
    var preferredBlockBytes: UInt32 { get }

    /// Reads; may wait for a device.
    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(Errno)

    /// Reads what can be had without waiting.
    ///
    /// - Returns: false if it would have to wait; nothing is promised about the buffer then.
    func readWithoutWaiting(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Bool

    /// Reads of the calling thread that wait for a device while the thread goes on.
    ///
    /// - Returns: nil where other threads have to wait for them.
    func makeReadQueue() -> (any ExportReadQueue)?

    /// Writes as ``write(at:_:)`` does, if it does not have to wait for readers.
    ///
    /// - Returns: false if it would have to; the write may have been made in part then.
    func writeWithoutWaiting(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(Errno)
        -> Bool

    /// Writes: visible to every reader afterwards, durable after a flush.
    ///
    /// The bytes are the caller's again when it returns. It may wait, which is how a disk
    /// throttles.
    func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(Errno)

    /// A place for a large write's bytes to arrive at without a copy, as one atomic write.
    ///
    /// - Returns: nil where ``write(at:_:)`` is to be used.
    func stage(at offset: UInt64, count: Int) -> (any StagedPayload)?

    /// Makes a range read as zeros.
    ///
    /// - Parameters:
    ///   - range: at most 4 GiB.
    ///   - keepsSpace: `NBD_CMD_FLAG_NO_HOLE`: later writes there must not run out of space.
    func writeZeroes(_ range: Range<UInt64>, keepsSpace: Bool) throws(Errno)

    /// Whether ``writeZeroes(_:keepsSpace:)`` is faster than writing the zeros.
    func zeroingIsFast(keepsSpace: Bool) -> Bool

    /// Gives up a range; its content does not matter any more.
    func trim(_ range: Range<UInt64>) throws(Errno)

    /// Makes everything durable that was acknowledged, on any connection, before the call.
    ///
    /// - Parameter completion: called exactly once, on any thread, the caller's included; `nil` for
    ///   success. It never waits.
    func flush(_ completion: @escaping @Sendable (Errno?) -> Void)

    /// Makes everything durable as ``flush(_:)`` does.
    ///
    /// - Parameter mayWait: whether the calling thread has nothing better to do than to do it
    ///   itself; the completion may then be called before this returns.
    func flush(mayWait: Bool, _ completion: @escaping @Sendable (Errno?) -> Void)

    /// What kinds of blocks a range is made of.
    ///
    /// - Returns: 1 to `limit` runs from the start of the range on; the last may go beyond its end.
    func extents(_ range: Range<UInt64>, limit: Int) throws(Errno) -> [Extent]

    /// Loads a range into the cache, as far as that makes sense.
    func cache(_ range: Range<UInt64>) throws(Errno)
}

extension Export {
    /// Other threads wait.
    public func makeReadQueue() -> (any ExportReadQueue)? { nil }
    /// Readers are not waited for.
    public func writeWithoutWaiting(
        at offset: UInt64,
        _ bytes: UnsafeRawBufferPointer
    ) throws(Errno) -> Bool {
        unsafe try write(at: offset, bytes)
        return true
    }
    /// Another thread does it.
    public func flush(mayWait: Bool, _ completion: @escaping @Sendable (Errno?) -> Void) {
        flush(completion)
    }
    /// 512: what every client can do.
    public var minimumBlockBytes: UInt32 { 512 }
    /// 4096: the page of the client's kernel.
    public var preferredBlockBytes: UInt32 { 4096 }
    /// Nothing more than the name.
    public var summary: String { "" }
    /// Every write is copied.
    public func stage(at offset: UInt64, count: Int) -> (any StagedPayload)? { nil }
}

/// Reads of one thread that wait for a device while the thread goes on.
///
/// Writers may have to wait for reads under way: the thread calls ``settle()`` before it waits for
/// anything else.
public protocol ExportReadQueue: AnyObject {
    /// Whether no read is under way or has ended untold.
    var isEmpty: Bool { get }

    /// Begins a read of up to 1 MiB.
    ///
    /// - Parameters:
    ///   - offset: where.
    ///   - buffer: where it goes; not to be touched until ``next()`` has returned the token.
    ///   - owner: what has the buffer, kept as long as a device may write to it.
    ///   - token: what it is known by.
    /// - Returns: whether it is under way; false if it is done.
    func start(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer,
        owner: AnyObject,
        token: UInt64
    ) throws(Errno) -> Bool

    /// Whether reads now wait one after the other: without a queue they do better.
    var isBroken: Bool { get }

    /// Sends off what was started, without waiting.
    func submit()

    /// Sends off what was started, and waits until a read has ended or a descriptor is readable.
    func wait(for descriptors: [Int32])

    /// Waits for all reads; ``next()`` tells of them afterwards.
    func settle()

    /// A read that has ended.
    func next() -> (token: UInt64, error: Errno?)?
}

/// Where the bytes of a large write arrive.
public protocol StagedPayload: AnyObject {
    /// The place for all of them.
    var bytes: UnsafeMutableRawBufferPointer { get }

    /// Tells how many bytes from the beginning are in place.
    func didFill(_ filledCount: Int)

    /// Makes the write take effect; nothing has happened before, and nothing does without it.
    func commit() throws(Errno)
}

/// A run of blocks of one kind.
public struct Extent: Sendable, Equatable {
    /// What `base:allocation` tells of blocks; see "Base metadata context" of the protocol.
    public enum Kind: Sendable, Equatable {
        /// Written.
        case data
        /// Never written or given up: takes no space and reads as zeros.
        case hole
        /// Takes space and reads as zeros.
        case zeroes
    }

    /// Length of the run.
    public var lengthBytes: UInt64
    /// What is there.
    public var kind: Kind

    /// A run of a kind.
    public init(lengthBytes: UInt64, kind: Kind) {
        self.lengthBytes = lengthBytes
        self.kind = kind
    }
}
