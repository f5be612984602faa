/// Where a server's large buffers come from.
///
/// Passed in, so that a refusal can be shown: it comes when a machine is short of memory, and must
/// not end a server.
public protocol BufferSource: Sendable {
    /// Makes a zeroed buffer.
    ///
    /// - Parameters:
    ///   - count: bytes.
    ///   - isHuge: whether it is to lie in huge pages.
    /// - Throws: `ENOMEM` where there is no memory for it.
    func buffer(count: Int, isHuge: Bool) throws(Errno) -> AlignedBuffer
}

/// Buffers from the kernel.
public struct KernelBuffers: BufferSource {
    /// The one that there is.
    public init() {}

    /// Maps it.
    public func buffer(count: Int, isHuge: Bool) throws(Errno) -> AlignedBuffer {
        try AlignedBuffer(refusable: count, isHuge: isHuge)
    }
}
