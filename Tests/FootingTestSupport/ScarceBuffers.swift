package import FootingSystem

/// Gives out so many buffers, and refuses all others until it may give out more.
package final class ScarceBuffers: BufferSource {
    private let left: Locked<Int>

    /// A source that refuses nothing yet.
    package init() { left = Locked(.max) }

    /// Gives out so many from now on.
    package func allow(_ count: Int) { left.withLock { $0 = count } }

    /// A buffer of the kernel's, if one is left.
    package func buffer(count: Int, isHuge: Bool) throws(Errno) -> AlignedBuffer {
        let isLeft = left.withLock { left in
            defer { left = max(left - 1, 0) }
            return left > 0
        }
        guard isLeft else { throw .noMemory }
        return try AlignedBuffer(refusable: count, isHuge: isHuge)
    }
}
