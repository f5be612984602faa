import FootingDisk
import FootingSimulation
import FootingSystem

/// A store that does nothing surprising.
final class MemoryStore: BlockStore {
    private let image = Locked(SparseImage())
    let path = "memory"
    let sizeBytes: UInt64

    init(sizeBytes: UInt64) {
        self.sizeBytes = sizeBytes
    }

    func put(_ bytes: [UInt8], at offset: UInt64) {
        image.withLock { image in
            unsafe bytes.withUnsafeBytes { unsafe image.write(at: offset, $0) }
        }
    }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) {
        image.withLock { image in unsafe image.read(at: offset, into: buffer) }
    }

    func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        image.withLock { image in unsafe image.write(at: offset, bytes) }
    }

    func synchronize() throws(Errno) {}
    func allocate(_ range: Range<UInt64>) throws(Errno) {}
    func discard(_ range: Range<UInt64>) throws(Errno) {}
}
