public import FootingSystem

/// A disk in memory: it forgets everything when the process ends.
///
/// For tests, and to measure the server without a disk below it. Memory is taken when written.
public final class MemoryExport: Export {
    /// One lock per region, so that connections do not wait for each other; it holds a bit per
    /// block.
    private static let regionBytes: UInt64 = 256 << 10
    private static let blockBytes: UInt64 = 4096

    /// The name by which a client asks for it.
    public let name: String
    /// What `LIST` shows.
    public let summary = "a disk in memory"
    /// Its size.
    public let sizeBytes: UInt64
    /// Whether writes are refused.
    public let isReadOnly: Bool

    private let storage: AlignedBuffer
    /// Bit n of a region: its block n was written.
    private let regions: [Locked<UInt64>]

    /// A disk of zeros.
    public init(name: String = "", sizeBytes: UInt64, isReadOnly: Bool = false) {
        precondition(sizeBytes > 0 && sizeBytes <= 1 << 40, "a size that no memory has")
        self.name = name
        self.sizeBytes = sizeBytes
        self.isReadOnly = isReadOnly
        storage = AlignedBuffer(count: Int(sizeBytes))
        let count = (sizeBytes + Self.regionBytes - 1) / Self.regionBytes
        regions = (0..<count).map { _ in Locked(0) }
    }

    /// Runs the body on each region that a range touches, with that region's lock.
    private func forEachRegion(
        _ range: Range<UInt64>,
        _ body: (inout UInt64, Range<UInt64>) -> Void
    ) {
        precondition(range.upperBound <= sizeBytes, "beyond the end")
        var offset = range.lowerBound
        while offset < range.upperBound {
            let index = offset / Self.regionBytes
            let end = min(range.upperBound, (index + 1) * Self.regionBytes)
            regions[Int(index)].withLock { body(&$0, offset..<end) }
            offset = end
        }
    }

    private func memory(_ range: Range<UInt64>) -> UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(
            rebasing: storage.bytes[Int(range.lowerBound)..<Int(range.upperBound)]
        )
    }

    /// The bits of the blocks within one region that a range covers, wholly or in part.
    private static func mask(_ range: Range<UInt64>, wholly: Bool) -> UInt64 {
        let start = range.lowerBound % regionBytes
        let end = start + UInt64(range.count)
        let first = wholly ? (start + blockBytes - 1) / blockBytes : start / blockBytes
        let last = wholly ? end / blockBytes : (end + blockBytes - 1) / blockBytes
        guard last > first else { return 0 }
        let count = last - first
        return (count == 64 ? UInt64.max : (1 << count) - 1) << first
    }

    /// Copies out.
    public func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) {
        forEachRegion(offset..<(offset + UInt64(buffer.count))) { _, range in
            let start = Int(range.lowerBound - offset)
            let part = unsafe UnsafeMutableRawBufferPointer(
                rebasing: buffer[start..<(start + range.count)]
            )
            unsafe part.copyMemory(from: UnsafeRawBufferPointer(memory(range)))
        }
    }

    /// Memory never waits.
    public func readWithoutWaiting(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Bool {
        unsafe try read(at: offset, into: buffer)
        return true
    }

    /// Copies in.
    public func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        forEachRegion(offset..<(offset + UInt64(bytes.count))) { written, range in
            let start = Int(range.lowerBound - offset)
            let part = unsafe UnsafeRawBufferPointer(rebasing: bytes[start..<(start + range.count)])
            unsafe memory(range).copyMemory(from: part)
            written |= Self.mask(range, wholly: false)
        }
    }

    /// Stores zeros; without `keepsSpace`, whole blocks become holes.
    public func writeZeroes(_ range: Range<UInt64>, keepsSpace: Bool) throws(Errno) {
        forEachRegion(range) { written, range in
            unsafe memory(range).initializeMemory(as: UInt8.self, repeating: 0)
            if keepsSpace {
                written |= Self.mask(range, wholly: false)
            } else {
                written &= ~Self.mask(range, wholly: true)
            }
        }
    }

    /// Always, next to a network.
    public func zeroingIsFast(keepsSpace: Bool) -> Bool { true }

    /// Makes holes of whole blocks.
    public func trim(_ range: Range<UInt64>) throws(Errno) {
        forEachRegion(range) { written, range in
            let mask = Self.mask(range, wholly: true)
            let base = range.lowerBound / Self.regionBytes * Self.regionBytes
            for block in 0..<UInt64(64) where mask & (1 << block) != 0 {
                let start = base + block * Self.blockBytes
                let bytes = unsafe memory(start..<min(start + Self.blockBytes, sizeBytes))
                unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0)
            }
            written &= ~mask
        }
    }

    /// Nothing to do: memory is as durable as it gets.
    public func flush(_ completion: @escaping @Sendable (Errno?) -> Void) {
        completion(nil)
    }

    /// Written blocks are data, the others holes.
    public func extents(_ range: Range<UInt64>, limit: Int) throws(Errno) -> [Extent] {
        var extents: [Extent] = []
        forEachRegion(range) { written, range in
            var offset = range.lowerBound
            while offset < range.upperBound, extents.count <= limit {
                let block = offset / Self.blockBytes
                let end = min(range.upperBound, (block + 1) * Self.blockBytes)
                let kind: Extent.Kind = written >> (block % 64) & 1 == 1 ? .data : .hole
                if let last = extents.last, last.kind == kind {
                    extents[extents.count - 1].lengthBytes += end - offset
                } else {
                    extents.append(Extent(lengthBytes: end - offset, kind: kind))
                }
                offset = end
            }
        }
        return Array(extents.prefix(limit))
    }

    /// It is all cache.
    public func cache(_ range: Range<UInt64>) throws(Errno) {}
}
