import FootingDisk
import FootingSimulation
import FootingSystem

/// A store in memory that calls a test before its next read, write or sync.
final class HookedStore: BlockStore {
    private let memory: MemoryStore
    private let readHook = Locked<(@Sendable () -> Void)?>(nil)
    private let eachReadHook = Locked<(@Sendable () -> Void)?>(nil)
    private let writeHook = Locked<(@Sendable () -> Void)?>(nil)
    private let syncHook = Locked<(@Sendable () -> Void)?>(nil)
    private let writeError = Locked<Errno?>(nil)
    private let writes = Locked(0)
    private let reads = Locked(0)
    private let queueLosesReads = Locked(false)
    let path = "memory"
    var sizeBytes: UInt64 { memory.sizeBytes }

    init(sizeBytes: UInt64) {
        memory = MemoryStore(sizeBytes: sizeBytes)
    }

    func put(_ bytes: [UInt8], at offset: UInt64) { memory.put(bytes, at: offset) }

    func onNextRead(_ body: @escaping @Sendable () -> Void) { readHook.withLock { $0 = body } }

    /// Calls a test before all reads, instead of the next.
    func beforeEachRead(_ body: @escaping @Sendable () -> Void) {
        eachReadHook.withLock { $0 = body }
    }

    func onNextWrite(_ body: @escaping @Sendable () -> Void) { writeHook.withLock { $0 = body } }

    func onNextSync(_ body: @escaping @Sendable () -> Void) { syncHook.withLock { $0 = body } }

    /// Has every write fail from now on, or none.
    func refuseWrites(_ error: Errno?) { writeError.withLock { $0 = error } }

    /// Makes queues whose reads are lost.
    func loseReads() { queueLosesReads.withLock { $0 = true } }

    /// Writes so far, those that failed included.
    var writeCount: Int { writes.withLock { $0 } }

    /// Reads so far, but for those that were lost.
    var readCount: Int { reads.withLock { $0 } }

    func makeReadQueue() -> (any DirectReadQueue)? {
        queueLosesReads.withLock { $0 } ? LosingQueue() : nil
    }

    private func call(_ hook: Locked<(@Sendable () -> Void)?>) {
        let body = hook.withLock { hook in
            defer { hook = nil }
            return hook
        }
        body?()
    }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) {
        call(readHook)
        eachReadHook.withLock { $0 }?()
        reads.withLock { $0 += 1 }
        try unsafe memory.read(at: offset, into: buffer)
    }

    func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        call(writeHook)
        writes.withLock { $0 += 1 }
        if let error = writeError.withLock({ $0 }) { throw error }
        try unsafe memory.write(at: offset, bytes)
    }

    func synchronize() throws(Errno) { call(syncHook) }

    func allocate(_ range: Range<UInt64>) throws(Errno) {}
    func discard(_ range: Range<UInt64>) throws(Errno) {}
}

/// A queue whose device never answers.
private final class LosingQueue: DirectReadQueue {
    private var tags: [UInt64] = []
    var pendingCount: Int { tags.count }
    var isBroken: Bool { true }
    func add(_ read: DirectRead, tag: UInt64) { tags.append(tag) }
    func submit() {}
    func waitForRead() {}
    func wait(for descriptors: [Int32]) {}
    func next() -> (tag: UInt64, error: Errno?, isLost: Bool)? {
        tags.popLast().map { ($0, .inputOutput, true) }
    }
}
