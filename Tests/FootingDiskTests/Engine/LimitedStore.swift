import FootingDisk
import FootingSimulation
import FootingSystem

/// A store in memory on a host with so much space, which calls a test before every write.
final class LimitedStore: BlockStore {
    private let memory: MemoryStore
    private let units = Locked<Set<UInt64>>([])
    private let limit = Locked<Int>(.max)
    private let hook = Locked<(@Sendable () -> Void)?>(nil)
    let path = "limited"
    var sizeBytes: UInt64 { memory.sizeBytes }

    init(sizeBytes: UInt64) {
        memory = MemoryStore(sizeBytes: sizeBytes)
    }

    /// Bytes that are reserved, in units of 64 KiB.
    var allocatedBytes: Int { units.withLock { $0.count } << 16 }

    func limit(toBytes bytes: Int) { limit.withLock { $0 = bytes >> 16 } }

    func onWrite(_ body: (@Sendable () -> Void)?) { hook.withLock { $0 = body } }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) {
        try unsafe memory.read(at: offset, into: buffer)
    }

    func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        hook.withLock { $0 }?()
        try unsafe memory.write(at: offset, bytes)
    }

    func synchronize() throws(Errno) {}

    private func units(of range: Range<UInt64>) -> Range<UInt64> {
        range.lowerBound >> 16..<(range.upperBound + 0xffff) >> 16
    }

    func allocate(_ range: Range<UInt64>) throws(Errno) {
        let most = limit.withLock { $0 }
        let isDone = units.withLock { units in
            let all = units.union(self.units(of: range))
            if all.count > most { return false }
            units = all
            return true
        }
        if !isDone { throw .noSpace }
    }

    func discard(_ range: Range<UInt64>) throws(Errno) {
        units.withLock { $0.subtract(self.units(of: range)) }
    }
}
