internal import Glibc

/// Where large pieces of memory come from: from anywhere, or from a chosen node.
///
/// Whoever keeps a cache takes slabs of 2 MiB and gives them back whole; the source decides where
/// they lie. A refusal is an answer, not a failure: a cache does without.
public protocol PageSource: Sendable {
    /// Maps zeroed memory.
    ///
    /// - Parameter byteCount: a multiple of 2 MiB; the start is one too.
    /// - Throws: `ENOMEM` where the kernel refuses.
    func map(byteCount: Int) throws(Errno) -> UnsafeMutableRawBufferPointer

    /// Gives back all of what one call of ``map(byteCount:)`` gave.
    func unmap(_ bytes: UnsafeMutableRawBufferPointer)
}

/// Memory from wherever the kernel takes it.
public struct AnyPages: PageSource {
    /// What a slab is a multiple of: the huge page of x86-64 and of Arm with 4 KiB pages.
    public static let unitBytes = 2 << 20

    private let isHuge: Bool

    /// Memory in huge pages where the kernel has some (`MADV_HUGEPAGE`), or in any.
    ///
    /// A slab is given back as a whole, so a huge page costs no more than 512 small ones; the first
    /// touch is one fault instead of as many.
    public init(isHuge: Bool = true) {
        self.isHuge = isHuge
    }

    /// Maps more than asked for, and gives the ends back, so that it starts at a multiple of 2 MiB.
    public func map(byteCount: Int) throws(Errno) -> UnsafeMutableRawBufferPointer {
        precondition(byteCount > 0 && byteCount % Self.unitBytes == 0, "whole slabs")
        let whole = byteCount + Self.unitBytes - 4096
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        let address = unsafe mmap(nil, whole, PROT_READ | PROT_WRITE, flags, -1, 0)
        guard let address = unsafe address, unsafe address != MAP_FAILED else {
            throw Errno.current
        }
        let start = unsafe address.alignedUp(toMultipleOf: Self.unitBytes)
        let head = unsafe start - address
        if head > 0 { unsafe munmap(address, head) }
        let tail = whole - head - byteCount
        if tail > 0 { unsafe munmap(start + byteCount, tail) }
        if isHuge { unsafe madvise(start, byteCount, MADV_HUGEPAGE) }
        return unsafe UnsafeMutableRawBufferPointer(start: start, count: byteCount)
    }

    /// Unmaps.
    public func unmap(_ bytes: UnsafeMutableRawBufferPointer) {
        let result = unsafe munmap(bytes.baseAddress, bytes.count)
        precondition(result == 0, "munmap of what was mapped")
    }
}
