import FootingDisk
import FootingSystem

/// A store in memory that calls a test before its next read, write or sync.
final class HookedStore: BlockStore {
    private let memory: MemoryStore
    private let readHook = Locked<(@Sendable () -> Void)?>(nil)
    private let writeHook = Locked<(@Sendable () -> Void)?>(nil)
    private let syncHook = Locked<(@Sendable () -> Void)?>(nil)
    let path = "memory"
    var sizeBytes: UInt64 { memory.sizeBytes }

    init(sizeBytes: UInt64) {
        memory = MemoryStore(sizeBytes: sizeBytes)
    }

    func put(_ bytes: [UInt8], at offset: UInt64) { memory.put(bytes, at: offset) }

    func onNextRead(_ body: @escaping @Sendable () -> Void) { readHook.withLock { $0 = body } }

    func onNextWrite(_ body: @escaping @Sendable () -> Void) { writeHook.withLock { $0 = body } }

    func onNextSync(_ body: @escaping @Sendable () -> Void) { syncHook.withLock { $0 = body } }

    private func call(_ hook: Locked<(@Sendable () -> Void)?>) {
        let body = hook.withLock { hook in
            defer { hook = nil }
            return hook
        }
        body?()
    }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) {
        call(readHook)
        try unsafe memory.read(at: offset, into: buffer)
    }

    func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        call(writeHook)
        try unsafe memory.write(at: offset, bytes)
    }

    func synchronize() throws(Errno) { call(syncHook) }

    func allocate(_ range: Range<UInt64>) throws(Errno) {}
    func discard(_ range: Range<UInt64>) throws(Errno) {}
}
