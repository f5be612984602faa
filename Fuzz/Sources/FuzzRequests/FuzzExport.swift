internal import FootingNBD
internal import FootingSystem

/// A memory disk that takes every way an export can: data at once or later, staged writes, errors.
final class FuzzExport: Export {
    private let memory = MemoryExport(sizeBytes: 4 << 20)
    let name = "disk"
    var sizeBytes: UInt64 { memory.sizeBytes }
    let isReadOnly: Bool

    /// Reads here wait for another thread.
    private static let slow: Range<UInt64> = 1 << 20..<2 << 20
    /// Everything here fails.
    private static let bad: Range<UInt64> = 2 << 20..<(2 << 20) + 4096

    init(isReadOnly: Bool) { self.isReadOnly = isReadOnly }

    private func check(_ offset: UInt64, _ count: Int) throws(Errno) {
        precondition(offset % 512 == 0 && count % 512 == 0 && count > 0, "an odd request")
        precondition(offset + UInt64(count) <= sizeBytes, "a request beyond the end")
        if Self.bad.overlaps(offset..<offset + UInt64(count)) { throw .inputOutput }
    }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) {
        try check(offset, buffer.count)
        try unsafe memory.read(at: offset, into: buffer)
    }

    func readWithoutWaiting(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Bool {
        if Self.slow.contains(offset) { return false }
        try unsafe read(at: offset, into: buffer)
        return true
    }

    func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        try check(offset, bytes.count)
        precondition(!isReadOnly, "a write to a read-only disk")
        try unsafe memory.write(at: offset, bytes)
    }

    func stage(at offset: UInt64, count: Int) -> (any StagedPayload)? {
        count < 64 << 10 ? nil : Stage(self, offset, count)
    }

    func writeZeroes(_ range: Range<UInt64>, keepsSpace: Bool) throws(Errno) {
        try check(range.lowerBound, range.count)
        try memory.writeZeroes(range, keepsSpace: keepsSpace)
    }

    func zeroingIsFast(keepsSpace: Bool) -> Bool { !keepsSpace }

    func trim(_ range: Range<UInt64>) throws(Errno) {
        try check(range.lowerBound, range.count)
        try memory.trim(range)
    }

    func flush(_ completion: @escaping @Sendable (Errno?) -> Void) { completion(nil) }

    func extents(_ range: Range<UInt64>, limit: Int) throws(Errno) -> [Extent] {
        try check(range.lowerBound, range.count)
        return try memory.extents(range, limit: limit)
    }

    func cache(_ range: Range<UInt64>) throws(Errno) {
        try check(range.lowerBound, range.count)
    }
}

private final class Stage: StagedPayload {
    private let export: FuzzExport
    private let offset: UInt64
    private let buffer: AlignedBuffer
    private let count: Int
    private var filledCount = 0

    init(_ export: FuzzExport, _ offset: UInt64, _ count: Int) {
        self.export = export
        self.offset = offset
        self.count = count
        buffer = AlignedBuffer(count: count)
    }

    var bytes: UnsafeMutableRawBufferPointer { unsafe buffer.slice(0..<count) }

    func didFill(_ filledCount: Int) {
        precondition(filledCount >= self.filledCount && filledCount <= count, "an odd count")
        self.filledCount = filledCount
    }

    func commit() throws(Errno) {
        precondition(filledCount == count, "a write that is not whole")
        try unsafe export.write(at: offset, UnsafeRawBufferPointer(bytes))
    }
}
