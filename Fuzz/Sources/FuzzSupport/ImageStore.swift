public import FootingDisk
public import FootingSystem

/// A container in memory that remembers what was changed, and can undo it quickly.
public final class ImageStore: BlockStore, @unchecked Sendable {
    // Sendable: a fuzzer has one thread, and so has the engine that it drives.

    /// What it is called in errors.
    public let path = "image"
    private let buffer: AlignedBuffer
    private var original: [UInt8] = []
    private var changedPages: Set<Int> = []

    /// Zeros.
    public init(sizeBytes: UInt64) {
        buffer = AlignedBuffer(count: Int(sizeBytes))
    }

    /// Bytes there are.
    public var sizeBytes: UInt64 { UInt64(buffer.count) }

    /// Takes what is there now for the original.
    public func keep() {
        original = unsafe [UInt8](buffer.bytes)
        changedPages = []
    }

    /// Goes back to the original.
    public func restore() {
        for page in changedPages {
            unsafe original.withUnsafeBytes { bytes in
                unsafe buffer.copy(
                    from: UnsafeRawBufferPointer(
                        rebasing: bytes[page * 4096..<(page + 1) * 4096]
                    ),
                    at: page * 4096
                )
            }
        }
        changedPages = []
    }

    private func part(_ offset: UInt64, _ count: Int) -> UnsafeMutableRawBufferPointer {
        precondition(
            offset <= sizeBytes && UInt64(count) <= sizeBytes - offset,
            "an access beyond the image's end"
        )
        return unsafe buffer.slice(Int(offset)..<Int(offset) + count)
    }

    /// Copies out.
    public func read(
        at offset: UInt64,
        into target: UnsafeMutableRawBufferPointer
    ) throws(Errno) {
        unsafe target.copyMemory(from: UnsafeRawBufferPointer(part(offset, target.count)))
    }

    /// Copies in.
    public func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        precondition(offset % 4096 == 0 && bytes.count % 4096 == 0, "a misaligned write")
        unsafe part(offset, bytes.count).copyMemory(from: bytes)
        changedPages.formUnion(Int(offset) / 4096..<(Int(offset) + bytes.count) / 4096)
    }

    /// Memory is durable.
    public func synchronize() throws(Errno) {}

    /// There is always space.
    public func allocate(_ range: Range<UInt64>) throws(Errno) {
        precondition(range.upperBound <= sizeBytes, "space beyond the image's end")
    }

    /// The content stays.
    public func discard(_ range: Range<UInt64>) throws(Errno) {
        precondition(range.upperBound <= sizeBytes, "space beyond the image's end")
    }
}

// MARK: - For the harness

extension ImageStore {
    /// The little-endian integer at an offset.
    public func get<Number: FixedWidthInteger & BitwiseCopyable>(
        _ type: Number.Type,
        at offset: Int
    ) -> Number {
        buffer.get(type, at: offset)
    }

    /// Stores an integer, little-endian.
    public func set<Number: FixedWidthInteger & BitwiseCopyable>(_ value: Number, at offset: Int) {
        buffer.set(value, at: offset)
        changedPages.insert(offset / 4096)
        changedPages.insert((offset + MemoryLayout<Number>.size - 1) / 4096)
    }

    /// CRC-32C of a part.
    public func checksum(_ range: Range<Int>) -> UInt32 { buffer.checksum(range) }
}
