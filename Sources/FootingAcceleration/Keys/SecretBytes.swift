public import FootingSystem
internal import Glibc

/// Bytes that must not be seen: kept out of swap and core dumps, and wiped when they go.
///
/// They lie on pages of their own, locked (`mlock(2)`) and left out of dumps (`MADV_DONTDUMP`). A
/// process that forks inherits the bytes but not the lock: see ``lock()``.
@safe
public struct SecretBytes: ~Copyable, @unchecked Sendable {
    // Sendable: a unique owner, like an array's storage; who has the value may touch the bytes.

    /// How many there are.
    public let count: Int

    /// Why the memory could not be locked, as `ENOMEM` beyond `RLIMIT_MEMLOCK`; nil if it is.
    ///
    /// The bytes may then be written to swap. Whether to go on is for the caller to say, aloud.
    public let lockFailure: Errno?

    /// Why dumps of the process will hold the bytes; nil if they will not.
    public let dumpFailure: Errno?

    /// Whole pages.
    private let pages: UnsafeMutableRawBufferPointer

    /// The most that one can hold.
    public static let countMaximum = 1 << 24

    /// Takes zeroed memory.
    ///
    /// - Throws: `ENOMEM` where the kernel has none.
    public init(count: Int) throws(Errno) {
        precondition((0...Self.countMaximum).contains(count), "no size for a secret: \(count)")
        let size = max(4096, (count + 4095) & ~4095)
        let flags = MAP_PRIVATE | MAP_ANONYMOUS
        let address = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, flags, -1, 0)
        guard let address = unsafe address, unsafe address != MAP_FAILED else {
            throw Errno.current
        }
        unsafe self.init(
            count: count,
            owning: UnsafeMutableRawBufferPointer(start: address, count: size)
        )
    }

    /// Takes over mapped pages.
    init(count: Int, owning pages: UnsafeMutableRawBufferPointer) {
        precondition(count <= pages.count, "fewer pages than bytes")
        self.count = count
        unsafe self.pages = pages
        let isLocked = unsafe mlock(pages.baseAddress, pages.count) == 0
        lockFailure = isLocked ? nil : Errno.current
        let isHidden = unsafe madvise(pages.baseAddress, pages.count, MADV_DONTDUMP) == 0
        dumpFailure = isHidden ? nil : Errno.current
    }

    /// Copies bytes in; the caller wipes where they came from.
    public init(copying source: UnsafeRawBufferPointer) throws(Errno) {
        try self.init(count: source.count)
        unsafe pages.copyMemory(from: source)
    }

    /// Draws random bytes.
    ///
    /// - Parameter generator: a cryptographic one, as `SystemRandomNumberGenerator`.
    public init(
        randomCount count: Int,
        using generator: inout some RandomNumberGenerator
    ) throws(Errno) {
        try self.init(count: count)
        for index in 0..<count {
            unsafe pages[index] = UInt8(truncatingIfNeeded: generator.next())
        }
    }

    deinit {
        unsafe Self.wipe(pages)
        // Unmapping ends the lock too.
        unsafe munmap(pages.baseAddress, pages.count)
    }

    /// Locks the pages again: a process that forked has the bytes, but not the lock.
    ///
    /// - Returns: why that cannot be; nil if they are locked.
    public borrowing func lock() -> Errno? {
        unsafe mlock(pages.baseAddress, pages.count) == 0 ? nil : Errno.current
    }

    /// Shows the bytes to the body; it must not keep them, nor copy them to ordinary memory.
    public borrowing func withBytes<Result: ~Copyable, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe body(UnsafeRawBufferPointer(rebasing: pages[..<count]))
    }

    /// Lets the body write the bytes.
    public mutating func withMutableBytes<Result: ~Copyable, Failure: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe body(UnsafeMutableRawBufferPointer(rebasing: pages[..<count]))
    }

    /// Another owner of the same bytes, with memory of its own.
    public borrowing func copy() throws(Errno) -> SecretBytes {
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: pages[..<count])
        return try unsafe SecretBytes(copying: bytes)
    }

    /// Writes zeros, also where the compiler sees that nobody reads them (`explicit_bzero(3)`).
    static func wipe(_ bytes: UnsafeMutableRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        unsafe explicit_bzero(start, bytes.count)
    }
}

extension SecretBytes {
    /// Whether two hold the same bytes, found out in a time that does not tell where they differ.
    public static func areEqual(
        _ first: borrowing SecretBytes,
        _ second: borrowing SecretBytes
    ) -> Bool {
        guard first.count == second.count else { return false }
        var difference: UInt8 = 0
        for index in 0..<first.count {
            unsafe difference |= first.pages[index] ^ second.pages[index]
        }
        return difference == 0
    }
}
