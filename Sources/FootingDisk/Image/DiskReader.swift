import FootingSystem

/// A disk, or what one was, to be read.
public protocol DiskReader: Sendable {
    /// Bytes that a client sees.
    var sizeBytes: UInt64 { get }

    /// Reads bytes: any multiple of 512 at any sector.
    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(DiskError)

    /// Which parts of a range hold data: extents that cover its beginning.
    func extents(_ range: Range<UInt64>, limit: Int) throws(DiskError) -> [DiskExtent]
}

extension Disk: DiskReader {}

extension DiskSnapshot: DiskReader {}

extension DiskReader {
    /// Reads all that holds data, piece by piece and in order; whole pieces of zeros are left out.
    ///
    /// - Parameters:
    ///   - progress: called from time to time with bytes of the disk's size.
    ///   - take: where a piece belongs, and its bytes.
    /// - Returns: bytes that were given to `take`.
    func forEachPiece(
        _ progress: (CheckProgress) -> Void,
        _ take: (UInt64, UnsafeRawBufferPointer) throws(DiskError) -> Void
    ) throws(DiskError) -> UInt64 {
        let buffer = try KernelBuffers().buffer(for: "copy", count: ImagePieces.readBytes)
        var copied: UInt64 = 0
        var offset: UInt64 = 0
        while offset < sizeBytes {
            let end = min(offset + ImagePieces.stepBytes, sizeBytes)
            for extent in try extents(offset..<end, limit: 1024) {
                var at = extent.offset
                let stop = extent.offset + extent.count
                while extent.isAllocated, at < stop {
                    let count = min(ImagePieces.readBytes, Int(stop - at))
                    let bytes = unsafe buffer.slice(0..<count)
                    try unsafe read(at: at, into: bytes)
                    copied += try unsafe ImagePieces.forEachUsed(
                        at,
                        UnsafeRawBufferPointer(bytes),
                        take
                    )
                    at += UInt64(count)
                    progress(CheckProgress(bytesDone: at, bytesTotal: sizeBytes))
                }
                offset = stop
            }
        }
        return copied
    }
}

/// How images are copied.
enum ImagePieces {
    static let readBytes = 1 << 20
    /// How much of a disk is asked about at a time.
    static let stepBytes: UInt64 = 1 << 30
    /// What is left out if it is all zeros.
    private static let holeBytes = 64 << 10

    /// Gives away the parts of a piece that are not zeros: neighbours in one go.
    static func forEachUsed(
        _ offset: UInt64,
        _ bytes: UnsafeRawBufferPointer,
        _ take: (UInt64, UnsafeRawBufferPointer) throws(DiskError) -> Void
    ) throws(DiskError) -> UInt64 {
        var taken: UInt64 = 0
        var start = 0
        while start < bytes.count {
            var end = start
            while end < bytes.count {
                let part = unsafe UnsafeRawBufferPointer(
                    rebasing: bytes[end..<min(end + holeBytes, bytes.count)]
                )
                if unsafe isZero(part) { break }
                end += part.count
            }
            if end > start {
                let used = unsafe UnsafeRawBufferPointer(rebasing: bytes[start..<end])
                try unsafe take(offset + UInt64(start), used)
                taken += UInt64(end - start)
            }
            start = min(end + holeBytes, bytes.count)
        }
        return taken
    }

    /// Whether a part, a multiple of 512 bytes, is all zeros.
    private static func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let words = unsafe bytes.bindMemory(to: UInt64.self)
        for index in words.indices where unsafe words[index] != 0 { return false }
        return true
    }
}
