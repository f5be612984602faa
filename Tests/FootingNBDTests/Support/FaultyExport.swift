import FootingNBD
import FootingSystem

/// A memory disk whose failures and delays a test decides.
final class FaultyExport: Export {
    struct Faults {
        var readError: Errno?
        var readErrorFrom: UInt64 = 0
        var writeError: Errno?
        var writePauseMilliseconds: UInt64 = 0
        var flushError: Errno?
        var zeroError: Errno?
        var extents: [Extent]?
        /// Reads have to wait: none is done at once.
        var readsWait = false
        /// Waiting reads stay where they are.
        var readsBlock = false
        /// Waiting reads that start below this offset stay where they are.
        var readsBlockBelow: UInt64 = 0
        /// Flushes are collected and end by ``releaseFlushes()``.
        var flushesBlock = false
        var zeroIsFast = true
        /// Writes of at least so many bytes are staged.
        var stagesFrom = Int.max
        /// Connections that come from now on have a queue, whose reads end when their thread has
        /// come by so often; nil for none.
        var queuedReadsEndAfter: Int?
        /// Queues say that they have broken.
        var queuesAreBroken = false
    }

    struct Calls {
        var writes: [Range<UInt64>] = []
        var flushes = 0
        var zeroes: [(range: Range<UInt64>, keepsSpace: Bool)] = []
        var cached: [Range<UInt64>] = []
        var waitingReads = 0
        /// Reads that were given to queues, and those that ended there.
        var queuedReads = 0
        var endedReads = 0
        var stages = 0
        /// Staged payloads that were let go of, committed or not.
        var endedStages = 0
    }

    let memory: MemoryExport
    let name = "disk"
    let summary = "for tests"
    let isReadOnly: Bool
    let minimumBlockBytes: UInt32
    var sizeBytes: UInt64 { memory.sizeBytes }
    let faults = Locked(Faults())
    let calls = Locked(Calls())
    private let pending = Locked([@Sendable (Errno?) -> Void]())

    init(sizeBytes: UInt64 = 64 << 20, isReadOnly: Bool = false, minimumBlockBytes: UInt32 = 512) {
        memory = MemoryExport(sizeBytes: sizeBytes)
        self.isReadOnly = isReadOnly
        self.minimumBlockBytes = minimumBlockBytes
    }

    /// Changes what goes wrong from now on.
    func set(_ change: (inout Faults) -> Void) {
        faults.withLock { change(&$0) }
        faults.wakeAll()
    }

    /// Ends the flushes that wait, on the calling thread.
    func releaseFlushes(_ error: Errno? = nil) -> Int {
        set { $0.flushesBlock = false }
        let completions = pending.withLock { pending in
            defer { pending = [] }
            return pending
        }
        for completion in completions { completion(error) }
        return completions.count
    }

    /// Ends the flush that waits longest.
    func releaseOldestFlush() {
        pending.withLock { $0.isEmpty ? nil : $0.removeFirst() }?(nil)
    }

    var pendingFlushes: Int { pending.withLock { $0.count } }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) {
        calls.withLock { $0.waitingReads += 1 }
        while faults.withLock({ faults in
            let blocks = faults.readsBlock || offset < faults.readsBlockBelow
            if blocks { self.faults.wait(&faults, nanoseconds: 1_000_000_000) }
            return blocks
        }) {}
        try failRead(offset, buffer.count)
        unsafe try memory.read(at: offset, into: buffer)
    }

    fileprivate func failRead(_ offset: UInt64, _ count: Int) throws(Errno) {
        let (error, from) = faults.withLock { ($0.readError, $0.readErrorFrom) }
        if let error, offset + UInt64(count) > from { throw error }
    }

    func readWithoutWaiting(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Bool {
        if faults.withLock({ $0.readsWait }) { return false }
        try failRead(offset, buffer.count)
        return unsafe try memory.readWithoutWaiting(at: offset, into: buffer)
    }

    func makeReadQueue() -> (any ExportReadQueue)? {
        faults.withLock { $0.queuedReadsEndAfter } == nil ? nil : ScriptedQueue(self)
    }

    func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        calls.withLock { $0.writes.append(offset..<(offset + UInt64(bytes.count))) }
        let (error, pause) = faults.withLock { ($0.writeError, $0.writePauseMilliseconds) }
        if pause > 0 {
            let sleep = Locked(())
            sleep.withLock { _ = sleep.wait(&$0, nanoseconds: pause * 1_000_000) }
        }
        if let error { throw error }
        unsafe try memory.write(at: offset, bytes)
    }

    func stage(at offset: UInt64, count: Int) -> (any StagedPayload)? {
        guard count >= faults.withLock({ $0.stagesFrom }) else { return nil }
        calls.withLock { $0.stages += 1 }
        return FaultyStage(self, offset, count)
    }

    func writeZeroes(_ range: Range<UInt64>, keepsSpace: Bool) throws(Errno) {
        calls.withLock { $0.zeroes.append((range, keepsSpace)) }
        if let error = faults.withLock({ $0.zeroError }) { throw error }
        try memory.writeZeroes(range, keepsSpace: keepsSpace)
    }

    func zeroingIsFast(keepsSpace: Bool) -> Bool {
        faults.withLock { $0.zeroIsFast } && !keepsSpace
    }

    func trim(_ range: Range<UInt64>) throws(Errno) { try memory.trim(range) }

    func flush(_ completion: @escaping @Sendable (Errno?) -> Void) {
        calls.withLock { $0.flushes += 1 }
        let (blocks, error) = faults.withLock { ($0.flushesBlock, $0.flushError) }
        if blocks {
            pending.withLock { $0.append(completion) }
        } else {
            completion(error)
        }
    }

    func extents(_ range: Range<UInt64>, limit: Int) throws(Errno) -> [Extent] {
        if let extents = faults.withLock({ $0.extents }) { return extents }
        return try memory.extents(range, limit: limit)
    }

    func cache(_ range: Range<UInt64>) throws(Errno) {
        calls.withLock { $0.cached.append(range) }
    }
}

/// Reads of a ``FaultyExport`` that end when they are told to.
private final class ScriptedQueue: ExportReadQueue {
    @safe
    private struct Read {
        let offset: UInt64
        let buffer: UnsafeMutableRawBufferPointer
        let owner: AnyObject
        let token: UInt64
        var visits = 0
    }

    private let export: FaultyExport
    private var reads: [Read] = []
    private var ended: [(token: UInt64, error: Errno?)] = []

    init(_ export: FaultyExport) {
        self.export = export
    }

    var isEmpty: Bool { reads.isEmpty && ended.isEmpty }
    var isBroken: Bool { export.faults.withLock { $0.queuesAreBroken } }

    func start(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer,
        owner: AnyObject,
        token: UInt64
    ) throws(Errno) -> Bool {
        unsafe reads.append(Read(offset: offset, buffer: buffer, owner: owner, token: token))
        export.calls.withLock { $0.queuedReads += 1 }
        return true
    }

    func submit() {
        let visits = export.faults.withLock { $0.queuedReadsEndAfter } ?? 0
        for index in reads.indices { reads[index].visits += 1 }
        while let index = reads.firstIndex(where: { $0.visits >= visits }) { end(index) }
    }

    private func end(_ index: Int) {
        let read = reads.remove(at: index)
        var failure: Errno?
        do throws(Errno) {
            try export.failRead(read.offset, unsafe read.buffer.count)
            unsafe try export.memory.read(at: read.offset, into: read.buffer)
        } catch {
            failure = error
        }
        ended.append((read.token, failure))
        export.calls.withLock { $0.endedReads += 1 }
    }

    func wait(for descriptors: [Int32]) {
        submit()
        guard ended.isEmpty, let descriptor = descriptors.first else { return }
        _ = try? Event().wait(for: .readable, descriptor: descriptor, timeoutMilliseconds: 5)
    }

    func settle() {
        while !reads.isEmpty { end(0) }
    }

    func next() -> (token: UInt64, error: Errno?)? { ended.popLast() }
}

/// A payload on its way to a ``FaultyExport``.
private final class FaultyStage: StagedPayload {
    private let export: FaultyExport
    private let offset: UInt64
    private let buffer: AlignedBuffer
    private let count: Int

    init(_ export: FaultyExport, _ offset: UInt64, _ count: Int) {
        self.export = export
        self.offset = offset
        self.count = count
        buffer = AlignedBuffer(count: count)
    }

    deinit { export.calls.withLock { $0.endedStages += 1 } }

    var bytes: UnsafeMutableRawBufferPointer { unsafe buffer.slice(0..<count) }

    func didFill(_ filledCount: Int) { precondition(filledCount <= count) }

    func commit() throws(Errno) {
        try unsafe export.write(at: offset, UnsafeRawBufferPointer(bytes))
    }
}

/// Waits until something holds, 20 s at most.
func eventually(_ condition: () -> Bool) throws -> Bool {
    let pause = try Event()
    let clock = SystemClock()
    let deadline = clock.nanoseconds + 20_000_000_000
    while !condition() {
        if clock.nanoseconds > deadline { return false }
        _ = try pause.wait(for: .nothing, descriptor: -1, timeoutMilliseconds: 2)
    }
    return true
}

/// Bytes that differ from place to place; made word by word, as debug builds are slow.
func pattern(_ count: Int, seed: UInt8 = 1) -> [UInt8] {
    unsafe [UInt8](unsafeUninitializedCapacity: count + 8) { bytes, filledCount in
        let all = UnsafeMutableRawBufferPointer(bytes)
        var offset = 0
        while offset < count {
            let word = (UInt64(offset) + UInt64(seed) << 40) &* 0x9e37_79b9_7f4a_7c15
            unsafe all.storeBytes(of: word, toByteOffset: offset, as: UInt64.self)
            offset += 8
        }
        filledCount = count
    }
}
