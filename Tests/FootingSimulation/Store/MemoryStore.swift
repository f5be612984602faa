internal import FootingDisk
package import FootingSystem

/// A store that does nothing surprising.
package final class MemoryStore: BlockStore {
    private let image = Locked(SparseImage())
    /// What it is called in errors.
    package let path = "memory"
    /// Bytes there are.
    package let sizeBytes: UInt64

    /// All zeros.
    package init(sizeBytes: UInt64) {
        self.sizeBytes = sizeBytes
    }

    /// Puts bytes in place that nobody wrote.
    package func put(_ bytes: [UInt8], at offset: UInt64) {
        image.withLock { image in
            unsafe bytes.withUnsafeBytes { unsafe image.write(at: offset, $0) }
        }
    }

    /// Reads what was written last.
    package func read(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) {
        image.withLock { image in unsafe image.read(at: offset, into: buffer) }
    }

    /// Writes at once.
    package func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        image.withLock { image in unsafe image.write(at: offset, bytes) }
    }

    /// Everything is as durable as it gets.
    package func synchronize() throws(Errno) {}
    /// There is always space.
    package func allocate(_ range: Range<UInt64>) throws(Errno) {}
    /// The content stays.
    package func discard(_ range: Range<UInt64>) throws(Errno) {}
}
