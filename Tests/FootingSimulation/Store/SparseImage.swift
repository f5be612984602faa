/// The bytes of a disk of any size; what was never written is zeros and takes no memory.
package struct SparseImage {
    private static let chunkSizeBytes: UInt64 = 64 << 10

    private var chunks: [UInt64: [UInt8]] = [:]

    /// All zeros.
    package init() {}

    private static func emptyChunk() -> [UInt8] {
        Array(repeating: 0, count: Int(chunkSizeBytes))
    }

    /// Calls back for every chunk that a range touches: its index, the part of it, and how far into
    /// the range that part begins.
    private static func forEachChunk(
        _ offset: UInt64,
        _ count: Int,
        _ body: (UInt64, Range<Int>, Int) -> Void
    ) {
        var done = 0
        while done < count {
            let position = offset + UInt64(done)
            let start = Int(position % chunkSizeBytes)
            let length = min(count - done, Int(chunkSizeBytes) - start)
            body(position / chunkSizeBytes, start..<start + length, done)
            done += length
        }
    }

    /// Copies bytes out.
    package func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) {
        Self.forEachChunk(offset, buffer.count) { index, part, done in
            let target = unsafe UnsafeMutableRawBufferPointer(
                rebasing: buffer[done..<done + part.count]
            )
            guard let chunk = chunks[index] else {
                unsafe target.initializeMemory(as: UInt8.self, repeating: 0)
                return
            }
            unsafe chunk.withUnsafeBytes { bytes in
                unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[part]))
            }
        }
    }

    /// Copies bytes in.
    package mutating func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) {
        Self.forEachChunk(offset, bytes.count) { index, part, done in
            let source = unsafe UnsafeRawBufferPointer(
                rebasing: bytes[done..<done + part.count]
            )
            unsafe chunks[index, default: Self.emptyChunk()].withUnsafeMutableBytes { chunk in
                unsafe UnsafeMutableRawBufferPointer(rebasing: chunk[part])
                    .copyMemory(from: source)
            }
        }
    }

    /// The bytes of a range.
    package func bytes(at offset: UInt64, count: Int) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: count)
        unsafe result.withUnsafeMutableBytes { unsafe read(at: offset, into: $0) }
        return result
    }

    /// Takes a range over from another image.
    package mutating func copy(at offset: UInt64, count: Int, from other: SparseImage) {
        let bytes = other.bytes(at: offset, count: count)
        unsafe bytes.withUnsafeBytes { unsafe write(at: offset, $0) }
    }
}
