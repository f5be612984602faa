import FootingSimulation
import FootingSystem
import Testing

@testable import FootingDisk

/// What happens while something else is half done.
@Suite struct InterleavingTests {
    /// A look at the map that a checkpoint overtakes must not miss what the checkpoint took in.
    @Test func `Extents are right while a checkpoint ends`() throws {
        let geometry = Geometry(
            sizeBytes: 8 << 20,
            sparePercent: 33,
            segmentSizeBytes: 64 << 10
        )
        let store = HookedStore(sizeBytes: geometry.containerSizeBytes)
        let identifier = Identifier(high: 1, low: 2)
        try Disk.format(store, geometry, identifier: identifier, unixSeconds: 0)
        let first = try open(store)
        try write(first, block: 0)
        try first.checkpoint()
        // Nothing of the map is in the cache of the next.
        let driver = try open(store)
        for block in 400..<500 as Range<UInt64> { try write(driver, block: block) }
        let engine = driver.engine
        let generation = engine.state.withLock { $0.superblock.generation }
        let isDone = Locked(false)
        store.onNextRead {
            try? Thread(name: "checkpoint") {
                try? engine.checkpoint()
                isDone.withLock { $0 = true }
            }.detach()
            while engine.state.withLock({ $0.superblock.generation }) == generation {}
        }
        var allocated = Set<UInt64>()
        var offset: UInt64 = 0
        while offset < 8 << 20 {
            for extent in try driver.extents(offset..<8 << 20, limit: 100) {
                #expect(extent.offset == offset)
                offset += extent.count
                guard extent.isAllocated else { continue }
                allocated.formUnion(extent.offset / 4096..<(extent.offset + extent.count) / 4096)
            }
        }
        while !isDone.withLock({ $0 }) {}
        #expect(engine.state.withLock { $0.superblock.generation } == generation + 1)
        #expect(allocated == Set([0]).union(400..<500))
    }

    private func open(_ store: HookedStore) throws -> EngineDriver {
        let clock = SimulatedClock()
        return try EngineDriver.open(store: store, options: EngineOptions(), clock: clock).driver
    }

    private func write(_ driver: EngineDriver, block: UInt64) throws {
        let buffer = AlignedBuffer(count: 4096)
        buffer.set(block + 1, at: 0)
        try unsafe driver.write(
            at: block * 4096,
            UnsafeRawBufferPointer(buffer.slice(0..<4096))
        )
    }
}

/// A store in memory that calls a test before its next read, write or sync.
private final class HookedStore: BlockStore {
    private let memory: MemoryStore
    private let readHook = Locked<(@Sendable () -> Void)?>(nil)
    private let writeHook = Locked<(@Sendable () -> Void)?>(nil)
    private let syncHook = Locked<(@Sendable () -> Void)?>(nil)
    let path = "memory"
    var sizeBytes: UInt64 { memory.sizeBytes }

    init(sizeBytes: UInt64) {
        memory = MemoryStore(sizeBytes: sizeBytes)
    }

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

    func readWithoutWaiting(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Bool { false }

    func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        call(writeHook)
        try unsafe memory.write(at: offset, bytes)
    }

    func synchronize() throws(Errno) { call(syncHook) }

    func allocate(_ range: Range<UInt64>) throws(Errno) {}
    func discard(_ range: Range<UInt64>) throws(Errno) {}
}
