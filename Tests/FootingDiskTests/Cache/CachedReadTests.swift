import FootingSimulation
import FootingSystem
import Testing

@testable import FootingDisk

/// Reads of a disk through its cache.
@Suite struct CachedReadTests {
    private func formatted(segmentSizeBytes: UInt64 = 64 << 10) throws -> HookedStore {
        let geometry = Geometry(
            sizeBytes: segmentSizeBytes * 64,
            sparePercent: 33,
            segmentSizeBytes: segmentSizeBytes
        )
        let store = HookedStore(sizeBytes: geometry.containerSizeBytes)
        let identifier = Identifier(high: 1, low: 2)
        try Disk.format(store, geometry, identifier: identifier, unixSeconds: 0)
        return store
    }

    private func open(_ store: HookedStore) throws -> EngineDriver {
        var options = EngineOptions()
        options.pageSource = AnyPages(isHuge: false)
        let clock = SimulatedClock()
        return try EngineDriver.open(store: store, options: options, clock: clock).driver
    }

    private func write(_ driver: EngineDriver, _ block: UInt64, _ value: UInt8) throws(DiskError) {
        let buffer = AlignedBuffer(count: 4096)
        let bytes = unsafe buffer.slice(0..<4096)
        unsafe bytes.initializeMemory(as: UInt8.self, repeating: value)
        try unsafe driver.write(at: block * 4096, UnsafeRawBufferPointer(bytes))
    }

    /// Not inlined: an array that nobody looks at is freed before it is filled, by Swift 6.3.
    @inline(never)
    private func read(
        _ driver: EngineDriver,
        at offset: UInt64,
        _ count: Int
    ) throws(DiskError) -> [UInt8] {
        let buffer = AlignedBuffer(count: count)
        let bytes = unsafe buffer.slice(0..<count)
        try unsafe driver.read(at: offset, into: bytes)
        return unsafe [UInt8](bytes)
    }

    /// A reader that was overtaken puts what it read into the cache too late.
    ///
    /// A newer version is there already; whoever comes next must not get the older one.
    @Test func `A version that comes late is not served`() throws {
        let store = try formatted()
        let first = try open(store)
        try write(first, 7, 1)
        try first.checkpoint()
        let driver = try open(store)
        // Its map page comes into the cache first, so that the next read is of the block.
        try write(driver, 8, 9)
        try driver.checkpoint()
        let problem = Locked<DiskError?>(nil)
        store.onNextRead {
            do throws(DiskError) {
                try write(driver, 7, 2)
                try driver.flush()
            } catch { problem.withLock { $0 = error } }
        }
        #expect(try read(driver, at: 7 * 4096, 4096) == Array(repeating: 1, count: 4096))
        #expect(problem.withLock { $0 } == nil)
        // By being written, and by being read too late.
        #expect(driver.statistics.blockCache.insertions == 2)
        #expect(driver.statistics.blockCache.updates == 1)
        #expect(try read(driver, at: 7 * 4096, 4096) == Array(repeating: 2, count: 4096))
    }

    @Test func `What was read once, in whole or in part, is not read again`() throws {
        let store = try formatted()
        let first = try open(store)
        for block in 0..<4 as Range<UInt64> { try write(first, block, UInt8(block + 1)) }
        try first.checkpoint()
        let driver = try open(store)
        // The middle of one block to the middle of the next.
        #expect(try read(driver, at: 1536, 4096).map { $0 } == part(1, 2560) + part(2, 1536))
        store.onNextRead { Issue.record("the store was asked again") }
        #expect(try read(driver, at: 0, 8192) == part(1, 4096) + part(2, 4096))
        #expect(try read(driver, at: 512, 512) == part(1, 512))
        let counters = driver.statistics.blockCache
        #expect(counters.hits == 3 && counters.misses == 2)
    }

    @Test func `What was written here and there is read from memory, a sequence is not`() throws {
        let store = try formatted(segmentSizeBytes: 1 << 20)
        let driver = try open(store)
        for block in [90, 3, 50, 17] as [UInt64] { try write(driver, block, UInt8(block)) }
        try driver.flush()
        for block in 200..<300 as Range<UInt64> {
            try write(driver, block, 1)
            // It goes on in the next commit.
            if block % 30 == 0 { try driver.flush() }
        }
        try driver.checkpoint()
        let before = driver.statistics.blockCache
        #expect(before.insertions == 4 + 16)
        for block in [90, 3, 50, 17] as [UInt64] {
            let bytes = try read(driver, at: block * 4096, 4096)
            #expect(bytes == Array(repeating: UInt8(block), count: 4096))
        }
        #expect(driver.statistics.blockCache.hits - before.hits == 4)
        #expect(driver.statistics.blockCache.misses == before.misses)
    }

    /// As the server does: what is in memory at once, and all of it again where that is too little.
    private func tried(
        _ driver: EngineDriver,
        at offset: UInt64,
        _ count: Int
    ) throws -> (wasInMemory: Bool, bytes: [UInt8]) {
        let buffer = AlignedBuffer(count: count)
        let bytes = unsafe buffer.slice(0..<count)
        let isThere = try unsafe driver.engine.read(at: offset, into: bytes, waits: false)
        if !isThere { try unsafe driver.read(at: offset, into: bytes) }
        return (isThere, unsafe [UInt8](bytes))
    }

    @Test func `A block of a read that was tried before counts once`() throws {
        let store = try formatted()
        let first = try open(store)
        for block in 0..<600 as Range<UInt64> { try write(first, block, UInt8(block % 251)) }
        try first.checkpoint()
        let driver = try open(store)
        // More than one look at the map: blocks are found in both of them before one is not.
        for block in 0..<300 as Range<UInt64> { _ = try read(driver, at: block << 12, 4096) }
        let before = driver.statistics
        #expect(before.blockCache.hits == 0 && before.blockCache.misses == 300)
        #expect(before.blocksRead == 300)
        for (count, isThere) in [(300, true), (600, false), (600, true)] {
            let last = driver.statistics
            let result = try tried(driver, at: 0, count << 12)
            #expect(result.wasInMemory == isThere)
            for block in 0..<count {
                #expect(result.bytes[block << 12] == UInt8(block % 251))
            }
            let now = driver.statistics
            let missed = isThere ? 0 : 300
            #expect(now.blocksRead - last.blocksRead == count)
            #expect(now.blockCache.misses - last.blockCache.misses == missed)
            #expect(now.blockCache.hits - last.blockCache.hits == count - missed)
            #expect(isThere || now.mapCache.misses - last.mapCache.misses <= 2)
        }
    }

    private func part(_ value: UInt8, _ count: Int) -> [UInt8] {
        Array(repeating: value, count: count)
    }

    @Test func `A block that is written anew stays in the cache`() throws {
        let store = try formatted()
        let driver = try open(store)
        try write(driver, 3, 1)
        try driver.flush()
        #expect(try read(driver, at: 3 * 4096, 4096) == part(1, 4096))
        try write(driver, 3, 2)
        try driver.flush()
        store.onNextRead { Issue.record("the store was asked again") }
        #expect(try read(driver, at: 3 * 4096, 4096) == part(2, 4096))
        #expect(driver.statistics.blockCache.updates == 1)
    }

    @Test func `A block that was damaged is not taken in`() throws {
        let store = try formatted()
        let first = try open(store)
        try write(first, 3, 1)
        try first.checkpoint()
        let driver = try open(store)
        let location = try #require(
            try driver.engine.reader.find(
                3,
                root: driver.engine.state.withLock { $0.superblock.mapRoot }
            )
        ).entry.location
        store.put(part(7, 4096), at: location.offset)
        for _ in 0..<2 {
            #expect(throws: DiskError.self) { try read(driver, at: 3 * 4096, 4096) }
        }
        #expect(driver.statistics.blockCache.insertions == 0)
    }

    /// The cache is emptied and filled again while blocks are on their way into it.
    @Test func `A budget that changes in the middle of a read`() throws {
        let store = try formatted()
        let first = try open(store)
        for block in 0..<64 as Range<UInt64> { try write(first, block, UInt8(block)) }
        try first.checkpoint()
        let driver = try open(store)
        for round in 0..<3 {
            for block in 0..<64 as Range<UInt64> {
                store.onNextRead { driver.setMemoryBudget(block % 2 == 0 ? 0 : 64 << 20) }
                for _ in 0..<2 {
                    let found = try read(driver, at: block * 4096, 4096)
                    #expect(found == part(UInt8(block), 4096), "round \(round)")
                }
            }
        }
        #expect(driver.statistics.blockCache.hits > 0)
    }

    @Test func `A disk with threads keeps to a new budget`() throws {
        let store = try formatted()
        var options = EngineOptions()
        options.memoryBudgetBytes = 96 << 20
        let disk = try Disk(store: store, options: options, clock: SystemClock())
        let buffer = AlignedBuffer(count: 1 << 20)
        for offset in stride(from: 0, to: 4 << 20, by: 1 << 20) as StrideTo<UInt64> {
            try unsafe disk.write(at: offset, UnsafeRawBufferPointer(buffer.slice(0..<1 << 20)))
        }
        try disk.checkpoint()
        #expect(disk.memory.budgetBytes == 96 << 20)
        for budget in [0, 40 << 20, 20 << 20, 200 << 20, 1] {
            disk.setMemoryBudget(budget)
            let memory = disk.memory
            #expect(memory.budgetBytes == max(budget, memory.floorBytes))
            #expect(memory.usedBytes <= memory.budgetBytes)
            for _ in 0..<4 {
                try unsafe disk.read(at: 0, into: buffer.slice(0..<1 << 20))
                try unsafe disk.write(at: 0, UnsafeRawBufferPointer(buffer.slice(0..<1 << 20)))
            }
            #expect(disk.memory.usedBytes <= memory.budgetBytes)
        }
        try disk.close()
    }
}
