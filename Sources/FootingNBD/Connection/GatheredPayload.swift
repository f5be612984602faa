internal import FootingSystem

/// A write that is gathered in memory of its own, where the disk has no better place for it.
final class GatheredPayload: StagedPayload {
    private let export: any Export
    private let offset: UInt64
    private let count: Int
    private let buffer: AlignedBuffer

    /// - Throws: `ENOMEM` where there is no memory for it.
    init(
        _ export: any Export,
        offset: UInt64,
        count: Int,
        buffers: any BufferSource
    ) throws(Errno) {
        self.export = export
        self.offset = offset
        self.count = count
        buffer = try buffers.buffer(count: count, isHuge: false)
    }

    var bytes: UnsafeMutableRawBufferPointer { unsafe buffer.slice(0..<count) }

    func didFill(_ filledCount: Int) {
        precondition(filledCount <= count, "more than the write has")
    }

    func commit() throws(Errno) {
        unsafe try export.write(at: offset, UnsafeRawBufferPointer(bytes))
    }
}
