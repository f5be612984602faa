import FootingSimulation
import FootingSystem
import Testing

@testable import FootingDisk

/// A store in memory that remembers what was read together, and fails where it is told.
private final class FanStore: BlockStore {
    struct State {
        var batches: [[Range<UInt64>]] = []
        /// Reads that touch it fail.
        var bad: Range<UInt64>?
        var durableWrites = 0
        var syncs = 0
    }

    let memory: MemoryStore
    let state = Locked(State())
    let path = "memory"
    var sizeBytes: UInt64 { memory.sizeBytes }

    init(sizeBytes: UInt64) { memory = MemoryStore(sizeBytes: sizeBytes) }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) {
        let range = offset..<offset + UInt64(buffer.count)
        if state.withLock({ $0.bad?.overlaps(range) ?? false }) { throw .inputOutput }
        try unsafe memory.read(at: offset, into: buffer)
    }

    func readDirectly(_ reads: inout [DirectRead]) {
        let batch = reads.map { $0.offset..<$0.offset + UInt64($0.count) }
        state.withLock { $0.batches.append(batch) }
        for index in reads.indices.reversed() {
            reads[index].perform { (offset, buffer) throws(Errno) in
                unsafe try read(at: offset, into: buffer)
            }
        }
    }

    func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        try unsafe memory.write(at: offset, bytes)
    }

    func writeDurably(at offset: UInt64, _ buffers: [UnsafeRawBufferPointer]) throws(Errno) {
        state.withLock { $0.durableWrites += 1 }
        try unsafe write(at: offset, buffers)
    }

    func synchronize() throws(Errno) { state.withLock { $0.syncs += 1 } }
    func allocate(_ range: Range<UInt64>) throws(Errno) {}
    func discard(_ range: Range<UInt64>) throws(Errno) {}

    func takeBatches() -> [[Range<UInt64>]] {
        state.withLock { state in
            defer { state.batches = [] }
            return state.batches
        }
    }
}

/// All that a read has to fetch goes to the device together.
@Suite struct FanOutTests {
    private func formatted() throws -> FanStore {
        let geometry = Geometry(sizeBytes: 4 << 20, sparePercent: 33, segmentSizeBytes: 1 << 20)
        let store = FanStore(sizeBytes: geometry.containerSizeBytes)
        let identifier = Identifier(high: 1, low: 2)
        try Disk.format(store, geometry, identifier: identifier, unixSeconds: 0)
        return store
    }

    private func open(_ store: FanStore) throws -> EngineDriver {
        let clock = SimulatedClock()
        return try EngineDriver.open(store: store, options: EngineOptions(), clock: clock).driver
    }

    private func write(_ driver: EngineDriver, _ blocks: [UInt64]) throws(DiskError) {
        let buffer = AlignedBuffer(count: 4096)
        let bytes = unsafe buffer.slice(0..<4096)
        for block in blocks {
            unsafe bytes.initializeMemory(as: UInt8.self, repeating: UInt8(block + 1))
            try unsafe driver.write(at: block * 4096, UnsafeRawBufferPointer(bytes))
        }
    }

    /// The first byte of each block.
    private func read(
        _ driver: EngineDriver,
        _ blocks: Range<UInt64>
    ) throws(DiskError) -> [UInt8] {
        let buffer = AlignedBuffer(count: blocks.count * 4096)
        let bytes = unsafe buffer.slice(0..<blocks.count * 4096)
        try unsafe driver.read(at: blocks.lowerBound * 4096, into: bytes)
        return (0..<blocks.count).map { unsafe bytes[$0 * 4096 + 17] }
    }

    /// A disk on which every second block has been written anew, opened with an empty cache.
    private func scattered() throws -> (FanStore, EngineDriver) {
        let store = try formatted()
        let first = try open(store)
        // Eight blocks apart, backwards: no two neighbours of the disk are neighbours in the log.
        for start in UInt64(0)..<8 {
            try write(first, stride(from: start + 24, through: start, by: -8).map { $0 })
            try write(first, Array(100 + 8 * start..<108 + 8 * start))
        }
        try first.close()
        let driver = try open(store)
        // The page of the map comes first, alone.
        _ = try read(driver, 160..<161)
        _ = store.takeBatches()
        return (store, driver)
    }

    @Test func `Runs that lie apart are asked for together`() throws {
        let (store, driver) = try scattered()
        #expect(try read(driver, 0..<32) == (1...32).map { UInt8($0) })
        let batches = store.takeBatches()
        #expect(batches.count == 1)
        // Four blocks each lie side by side; the eight between them are too many to read through.
        #expect(batches[0].map { $0.count / 4096 } == Array(repeating: 4, count: 8))
        #expect(try read(driver, 0..<32) == (1...32).map { UInt8($0) })
        #expect(store.takeBatches().isEmpty)
    }

    @Test func `A small gap is read through, and a large one is not`() throws {
        let store = try formatted()
        let first = try open(store)
        try write(first, Array(0..<40))
        try first.flush()
        // Two blocks, and then eight, lie elsewhere.
        try write(first, [3, 4] + Array(20..<28))
        try first.close()
        let driver = try open(store)
        _ = try read(driver, 39..<40)
        _ = store.takeBatches()
        #expect(try read(driver, 0..<39) == (1...39).map { UInt8($0) })
        let batches = store.takeBatches()
        #expect(batches.count == 1)
        // 0 to 19 with the gap; 28 to 38, then 39 and a header to skip, and what was written anew.
        #expect(batches[0].map { $0.count / 4096 }.sorted() == [20, 23])
    }

    @Test func `An error fails the read it belongs to, and no other`() throws {
        let (store, driver) = try scattered()
        _ = try read(driver, 0..<32)
        let places = store.takeBatches().flatMap { $0 }.sorted { $0.lowerBound < $1.lowerBound }
        let (again, fresh) = try scattered()
        // The last place holds 31, 23, 15 and 7.
        let end = try #require(places.last).upperBound
        again.state.withLock { $0.bad = end - 4096..<end }
        #expect(throws: DiskError.self) { try read(fresh, 0..<8) }
        #expect(try read(fresh, 0..<7) == (1...7).map { UInt8($0) })
        #expect(try read(fresh, 8..<32) == (9...32).map { UInt8($0) })
    }

    @Test func `What cannot be read between two runs does not matter`() throws {
        let store = try formatted()
        let first = try open(store)
        try write(first, Array(0..<40))
        try first.flush()
        try write(first, [3])
        try first.close()
        let driver = try open(store)
        _ = try read(driver, 39..<40)
        _ = store.takeBatches()
        _ = try read(driver, 0..<8)
        let bridged = try #require(store.takeBatches().flatMap { $0 }.max { $0.count < $1.count })
        #expect(bridged.count == 8 * 4096)
        let fresh = try open(store)
        _ = try read(fresh, 39..<40)
        let gap = bridged.lowerBound + 3 * 4096
        store.state.withLock { $0.bad = gap..<gap + 4096 }
        #expect(try read(fresh, 0..<8) == (1...8).map { UInt8($0) })
    }

    @Test func `A flush that waits for one commit alone is one durable write`() throws {
        let store = try formatted()
        let driver = try open(store)
        let before = store.state.withLock { ($0.durableWrites, $0.syncs) }
        try write(driver, [1])
        try driver.flush()
        try write(driver, [2])
        try driver.flush()
        let after = store.state.withLock { ($0.durableWrites, $0.syncs) }
        #expect(after.0 - before.0 == 2)
        #expect(after.1 == before.1)
    }
}
