import Glibc

/// Page-aligned memory straight from the kernel, zeroed, given back when its owner goes away.
///
/// Untouched pages cost nothing. Direct I/O needs the alignment; `munmap` really returns the
/// memory, which `free` does not promise.
@safe
public struct AlignedBuffer: ~Copyable, @unchecked Sendable {
    // Sendable: a unique owner, like an array's storage; who has the value may touch the bytes.

    /// The bytes; valid as long as this value lives.
    public let bytes: UnsafeMutableRawBufferPointer

    /// Maps `count` bytes, rounded up to whole 4 KiB pages.
    ///
    /// The process ends if the kernel refuses: sizes here are small and bounded, so a refusal means
    /// that the address space limit is below what the program needs at all.
    public init(count: Int) {
        precondition(count > 0, "empty buffer")
        let size = (count + 4095) & ~4095
        let address = unsafe mmap(
            nil,
            size,
            PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS,
            -1,
            0
        )
        guard let address = unsafe address, unsafe address != MAP_FAILED else {
            preconditionFailure("mmap of \(size) bytes: \(Errno.current)")
        }
        unsafe bytes = UnsafeMutableRawBufferPointer(start: address, count: size)
    }

    deinit {
        unsafe munmap(bytes.baseAddress, bytes.count)
    }

    /// Gives the pages back to the kernel; they read as zeros afterwards.
    public func discard() {
        unsafe madvise(bytes.baseAddress, bytes.count, MADV_DONTNEED)
    }
}
