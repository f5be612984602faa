internal import CFooting
import Glibc

/// Requests that the kernel works on side by side while their thread does something else:
/// io_uring(7).
///
/// By liburing, which knows the kernel's side of the shared memory. One thread at a time uses it.
/// Whoever prepares a request keeps its memory until its completion was taken.
@safe
public struct Ring: ~Copyable, @unchecked Sendable {
    // Sendable: a unique owner of what the pointers refer to.
    private let ring: OpaquePointer
    /// Vectors of prepared reads with several parts: the kernel copies them when it gets the read.
    private var vectors: [UnsafeMutablePointer<iovec>] = unsafe []

    /// What ended.
    public struct Completion: Sendable, Equatable {
        /// What the request was given.
        public let tag: UInt64
        /// What the call would have returned, or a negative error number.
        public let result: Int32
    }

    /// Makes a ring.
    ///
    /// - Parameters:
    ///   - entryCount: requests that can be prepared at a time.
    ///   - isForThisThread: no other thread will ever use it, which costs the kernel less (6.1).
    /// - Throws: `ENOSYS` where the kernel has none or one from before 5.11, `EPERM` where it is
    ///   forbidden (`kernel.io_uring_disabled`, seccomp), `ENOMEM` at the limit of locked memory.
    public init(entryCount: UInt32, isForThisThread: Bool) throws(Errno) {
        var created: OpaquePointer?
        _ = try checked(unsafe footing_ring_create(entryCount, isForThisThread ? 1 : 0, &created))
        guard let created = unsafe created else { throw .noMemory }
        unsafe ring = created
    }

    deinit {
        unsafe footing_ring_destroy(ring)
        unsafe vectors.forEach { unsafe $0.deallocate() }
    }

    /// Sets the file that is read and written, which must stay open as long as the ring lives.
    public mutating func setFile(_ number: Int32) {
        unsafe footing_ring_set_file(ring, number)
    }

    /// Prepares a read, of several parts one behind the other if there are more than one.
    ///
    /// - Returns: false if as many as there is room for are prepared: ``submit()`` first.
    public mutating func prepareRead(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer,
        _ more: [UnsafeMutableRawBufferPointer] = unsafe [],
        tag: UInt64
    ) -> Bool {
        var first = unsafe iovec(iov_base: buffer.baseAddress, iov_len: buffer.count)
        if unsafe more.isEmpty {
            return unsafe footing_ring_read(ring, &first, 1, offset, tag) == 0
        }
        let count = unsafe more.count + 1
        let vector = UnsafeMutablePointer<iovec>.allocate(capacity: count)
        unsafe vector.initialize(to: first)
        for index in unsafe more.indices {
            let part = unsafe iovec(iov_base: more[index].baseAddress, iov_len: more[index].count)
            unsafe (vector + index + 1).initialize(to: part)
        }
        unsafe vectors.append(vector)
        return unsafe footing_ring_read(ring, vector, UInt32(count), offset, tag) == 0
    }

    /// Prepares a write.
    ///
    /// - Returns: false if as many as there is room for are prepared: ``submit()`` first.
    public mutating func prepareWrite(
        at offset: UInt64,
        from buffer: UnsafeRawBufferPointer,
        tag: UInt64
    ) -> Bool {
        let count = UInt32(buffer.count)
        return unsafe footing_ring_write(ring, buffer.baseAddress, count, offset, tag) == 0
    }

    /// Prepares one look at a descriptor: it completes when there is something to read.
    ///
    /// - Returns: false if there is no room.
    public mutating func preparePoll(_ descriptor: Int32, tag: UInt64) -> Bool {
        unsafe footing_ring_poll(ring, descriptor, tag) == 0
    }

    /// Prepares a request that does nothing, to see whether requests are answered at all.
    ///
    /// - Returns: false if there is no room.
    public mutating func prepareNothing(tag: UInt64) -> Bool {
        unsafe footing_ring_nothing(ring, tag) == 0
    }

    /// Hands over what is prepared, and lets the kernel post what has ended; does not wait.
    public mutating func submit() throws(Errno) {
        try enter(0, nanoseconds: 0)
    }

    /// Hands over what is prepared and waits for a completion.
    ///
    /// It may return without one: when the time is over, or a signal came.
    ///
    /// - Parameter nanoseconds: the longest wait, about; nil is for ever.
    public mutating func submitAndWait(nanoseconds: UInt64? = nil) throws(Errno) {
        do throws(Errno) {
            try enter(1, nanoseconds: nanoseconds ?? 0)
        } catch {
            if error.rawValue != ETIME, error != .interrupted { throw error }
        }
    }

    /// Lets the kernel post what has ended, and hands nothing over.
    ///
    /// - Parameter waits: whether to wait for a completion; after a signal there may be none.
    public mutating func collect(waits: Bool) throws(Errno) {
        do throws(Errno) {
            _ = try checked(unsafe footing_ring_wait(ring, waits ? 1 : 0))
        } catch {
            if error != .interrupted { throw error }
        }
    }

    private mutating func enter(_ count: UInt32, nanoseconds: UInt64) throws(Errno) {
        _ = try checked(unsafe footing_ring_submit(ring, count, nanoseconds))
        // It may take less than all of it.
        if unsubmittedCount > 0 { return }
        unsafe vectors.forEach { unsafe $0.deallocate() }
        unsafe vectors.removeAll(keepingCapacity: true)
    }

    /// How many prepared requests the kernel has not taken: the last ones.
    public var unsubmittedCount: Int { Int(unsafe footing_ring_unsubmitted(ring)) }

    /// Takes the next completion, if there is one.
    public mutating func next() -> Completion? {
        var tag: UInt64 = 0
        var result: Int32 = 0
        guard unsafe footing_ring_next(ring, &tag, &result) == 1 else { return nil }
        return Completion(tag: tag, result: result)
    }
}
