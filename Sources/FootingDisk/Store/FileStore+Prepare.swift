public import FootingSystem
import Synchronization

extension FileStore {
    /// Fills the holes of a file, and what was only reserved; a device has none.
    ///
    /// Where the device can make zeros without being sent any, it is asked to: nothing is written
    /// then, and the range counts as written all the same. Below, a device that gives space out as
    /// it is written to may have given its blocks back for that.
    public func prepare(_ range: Range<UInt64>) throws(Errno) -> UInt64 {
        try prepare(range) { (hole) throws(Errno) in try self.reading.writeZeroes(hole) }
    }

    /// The same with another call that makes zeros of a range; nil: they are sent to the device,
    /// which then has space for what is overwritten later, unless it finds out that they are zeros.
    func prepare(
        _ range: Range<UInt64>,
        writeZeroes: ((Range<UInt64>) throws(Errno) -> Void)?
    ) throws(Errno) -> UInt64 {
        // Through the page cache a write that was only reserved looks like one that is there.
        if isBlockDevice || !isDirect { return 0 }
        var written: UInt64 = 0
        var position = range.lowerBound
        while position < range.upperBound {
            let data = try reading.nextData(from: position)
            let end = min(data?.lowerBound ?? range.upperBound, range.upperBound)
            written += try fill(position, end, writeZeroes)
            guard let data, data.upperBound > position else { break }
            position = data.upperBound
        }
        return written
    }

    /// What the host has free.
    func freeBytes() throws(Errno) -> UInt64 {
        try reading.fileSystem().freeBytes
    }

    /// What the device is asked to make zeros of at a time.
    private static let zeroedBytesMax = 4 << 20

    /// Makes zeros of the whole blocks of 4 KiB in a hole.
    ///
    /// - Returns: bytes that were sent to the device for it.
    private func fill(
        _ start: UInt64,
        _ end: UInt64,
        _ writeZeroes: ((Range<UInt64>) throws(Errno) -> Void)?
    ) throws(Errno) -> UInt64 {
        let first = (start + 4095) & ~4095
        let last = end & ~4095
        guard first < last else { return 0 }
        if let writeZeroes, asksForZeroes.load(ordering: .relaxed) {
            do throws(Errno) {
                // In pieces: other writes to the file wait for each.
                for piece in stride(from: first, to: last, by: Self.zeroedBytesMax) {
                    try writeZeroes(piece..<min(piece + UInt64(Self.zeroedBytesMax), last))
                }
                return 0
            } catch {
                // Older kernels, file systems and devices without it, and filters of calls.
                let isRefused =
                    error == .notSupported || error == .notPermitted || error == .notImplemented
                    || error == .invalidArgument
                if !isRefused { throw error }
                asksForZeroes.store(false, ordering: .relaxed)
            }
        }
        let zeros = try AlignedBuffer(refusable: Int(min(last - first, 1 << 20)))
        var position = first
        while position < last {
            let count = Int(min(last - position, UInt64(zeros.count)))
            try unsafe write(
                at: position,
                UnsafeRawBufferPointer(zeros.slice(0..<count))
            )
            position += UInt64(count)
        }
        return last - first
    }
}
