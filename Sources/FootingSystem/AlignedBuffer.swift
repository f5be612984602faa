import Glibc

/// Page-aligned memory straight from the kernel, zeroed, given back when its owner goes away.
///
/// Untouched pages cost nothing. Direct I/O needs the alignment; `munmap` really returns the
/// memory, which `free` does not promise.
@safe
public struct AlignedBuffer: ~Copyable, @unchecked Sendable {
    // Sendable: a unique owner, like an array's storage; who has the value may touch the bytes.

    /// Smaller ones come from the C library's heap: a mapping costs more than what it is used for.
    private static let mappedSizeMin = 64 << 10

    /// The bytes; valid as long as this value lives.
    public let bytes: UnsafeMutableRawBufferPointer

    /// Maps `count` bytes, rounded up to whole 4 KiB pages.
    ///
    /// The process ends if the kernel refuses, as it does where an array gets no memory: for small
    /// buffers, and for programs that have nobody to tell. What a running server makes comes from
    /// ``init(refusable:isHuge:)``.
    ///
    /// - Parameters:
    ///   - count: bytes.
    ///   - isHuge: as in ``init(refusable:isHuge:)``.
    public init(count: Int, isHuge: Bool = false) {
        do throws(Errno) {
            try self.init(refusable: count, isHuge: isHuge)
        } catch {
            preconditionFailure("no memory for \(count) bytes: \(error)")
        }
    }

    /// Maps `count` bytes, rounded up to whole 4 KiB pages, or says that there are none.
    ///
    /// - Parameters:
    ///   - count: bytes.
    ///   - isHuge: rounds up to 2 MiB and asks for huge pages: a device then sees one piece of
    ///     memory instead of hundreds. The first touch takes 2 MiB.
    /// - Throws: `ENOMEM` where the kernel refuses: a limit of the address space (`RLIMIT_AS`), or
    ///   strict accounting (`vm.overcommit_memory`).
    public init(refusable count: Int, isHuge: Bool = false) throws(Errno) {
        precondition(count > 0, "empty buffer")
        let unit = isHuge ? Self.hugePageBytes : 4096
        let size = (count + unit - 1) & ~(unit - 1)
        if size < Self.mappedSizeMin {
            guard let address = unsafe aligned_alloc(4096, size) else {
                throw .noMemory
            }
            unsafe memset(address, 0, size)
            unsafe bytes = UnsafeMutableRawBufferPointer(start: address, count: size)
            return
        }
        let start = try unsafe Self.map(size, alignment: unit)
        if isHuge { unsafe madvise(start, size, MADV_HUGEPAGE) }
        unsafe bytes = UnsafeMutableRawBufferPointer(start: start, count: size)
    }

    private static let hugePageBytes = 2 << 20

    /// Maps memory at a multiple of `alignment`: maps more, and gives the ends back.
    private static func map(
        _ size: Int,
        alignment: Int
    ) throws(Errno) -> UnsafeMutableRawPointer {
        let slack = alignment - 4096
        let flags = MAP_PRIVATE | MAP_ANONYMOUS
        let address = unsafe mmap(nil, size + slack, PROT_READ | PROT_WRITE, flags, -1, 0)
        guard let address = unsafe address, unsafe address != MAP_FAILED else {
            throw Errno.current
        }
        let start = unsafe address.alignedUp(toMultipleOf: alignment)
        let head = unsafe start - address
        if head > 0 { unsafe munmap(address, head) }
        if slack > head { unsafe munmap(start + size, slack - head) }
        return unsafe start
    }

    deinit {
        if unsafe bytes.count < Self.mappedSizeMin {
            unsafe free(bytes.baseAddress)
        } else {
            unsafe munmap(bytes.baseAddress, bytes.count)
        }
    }

    /// Gives the pages of a mapped buffer back to the kernel; it reads as zeros afterwards.
    ///
    /// A small buffer has no pages of its own, and keeps its memory.
    public func discard() {
        if count < Self.mappedSizeMin { return clear(0..<count) }
        unsafe madvise(bytes.baseAddress, bytes.count, MADV_DONTNEED)
    }
}

// MARK: - Checked access

extension AlignedBuffer {
    /// Size in bytes, whole pages.
    public var count: Int { unsafe bytes.count }

    /// The little-endian integer at a byte offset, which need not be aligned.
    @inlinable
    public func get<Number: FixedWidthInteger & BitwiseCopyable>(
        _ type: Number.Type,
        at offset: Int
    ) -> Number {
        precondition(
            offset >= 0 && offset + MemoryLayout<Number>.size <= count,
            "read outside of the buffer"
        )
        return Number(
            littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: offset, as: Number.self)
        )
    }

    /// Stores an integer little-endian at a byte offset, which need not be aligned.
    @inlinable
    public func set<Number: FixedWidthInteger & BitwiseCopyable>(_ value: Number, at offset: Int) {
        precondition(
            offset >= 0 && offset + MemoryLayout<Number>.size <= count,
            "write outside of the buffer"
        )
        unsafe bytes.storeBytes(of: value.littleEndian, toByteOffset: offset, as: Number.self)
    }

    /// A part of the bytes.
    public func slice(_ range: Range<Int>) -> UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[range])
    }

    /// CRC-32C of a part of the bytes.
    public func checksum(_ range: Range<Int>) -> UInt32 {
        unsafe Checksum.crc32c(UnsafeRawBufferPointer(slice(range)))
    }

    /// Fills a part with zeros.
    public func clear(_ range: Range<Int>) {
        unsafe slice(range).initializeMemory(as: UInt8.self, repeating: 0)
    }

    /// Copies bytes in at an offset.
    public func copy(from source: UnsafeRawBufferPointer, at offset: Int) {
        unsafe slice(offset..<offset + source.count).copyMemory(from: source)
    }
}
