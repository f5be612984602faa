import FootingSystem

/// A part of a segment in memory, read in large pieces.
///
/// The collector goes through a segment from its beginning to its end, and to read 4 KiB takes a
/// device nearly as long as to read a megabyte.
struct SegmentWindow: ~Copyable {
    /// One huge page: the device sees one piece of memory, and any commit fits.
    private static let pageCountMax = 512

    private let buffer: AlignedBuffer
    /// The pages that are there, of the segment in use.
    private var pages = 0..<0

    /// - Throws: kind `noMemory`.
    init(_ buffers: any BufferSource) throws(DiskError) {
        buffer = try buffers.buffer(for: "open", count: Self.pageCountMax * 4096, isHuge: true)
    }

    /// Forgets what is there: another segment follows, or the same one in another life.
    mutating func reset() { pages = 0..<0 }

    /// Gives the memory back.
    mutating func discard() {
        reset()
        buffer.discard()
    }

    /// Makes sure that a range of pages is there.
    ///
    /// - Parameters:
    ///   - wanted: at most a commit's pages.
    ///   - end: where the segment's used pages end; what is before it is read ahead.
    ///   - read: reads from a page on, as many bytes as the buffer has.
    mutating func load(
        _ wanted: Range<Int>,
        before end: Int,
        _ read: (Int, UnsafeMutableRawBufferPointer) throws(DiskError) -> Void
    ) throws(DiskError) {
        precondition(wanted.count <= Self.pageCountMax, "more than a window")
        if pages.contains(wanted.lowerBound), wanted.upperBound <= pages.upperBound { return }
        pages = 0..<0
        var stop = min(max(end, wanted.upperBound), wanted.lowerBound + Self.pageCountMax)
        let count = stop - wanted.lowerBound
        do throws(DiskError) {
            try unsafe read(wanted.lowerBound, buffer.slice(0..<count * 4096))
        } catch {
            // The bad spot may be in what nobody needs.
            stop = wanted.upperBound
            try unsafe read(wanted.lowerBound, buffer.slice(0..<wanted.count * 4096))
        }
        pages = wanted.lowerBound..<stop
    }

    /// A part of a commit's payload that is there.
    ///
    /// - Parameters:
    ///   - page: where the payload begins.
    ///   - units: which of its units of 512 bytes.
    func bytes(_ page: Int, _ units: Range<Int>) -> UnsafeRawBufferPointer {
        let unit = Int(Geometry.unitSizeBytes)
        let first = (page - pages.lowerBound) * 4096
        precondition(
            page + units.lowerBound / 8 >= pages.lowerBound
                && page + (units.upperBound + 7) / 8 <= pages.upperBound,
            "a part that was not read"
        )
        return unsafe UnsafeRawBufferPointer(
            buffer.slice(first + units.lowerBound * unit..<first + units.upperBound * unit)
        )
    }

    /// Memory for something else than a segment's pages, which are forgotten.
    ///
    /// - Parameters:
    ///   - index: each has two pages of its own.
    ///   - count: bytes of it, in pages.
    mutating func scratch(_ index: Int, count: Int) -> UnsafeMutableRawBufferPointer {
        precondition(count <= 2 * 4096 && index < Self.pageCountMax / 2, "more than a place")
        reset()
        return unsafe buffer.slice(index * 8192..<index * 8192 + count)
    }

    /// A page that is there.
    func page(_ index: Int) -> UnsafeRawBufferPointer {
        precondition(pages.contains(index), "a page that was not read")
        let start = (index - pages.lowerBound) * 4096
        return unsafe UnsafeRawBufferPointer(buffer.slice(start..<start + 4096))
    }
}
