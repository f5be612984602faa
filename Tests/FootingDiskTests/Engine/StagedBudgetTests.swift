import FootingSimulation
import FootingSystem
import Testing

@testable import FootingDisk

/// Large writes whose bytes are arriving while the budget changes.
@Suite struct StagedBudgetTests {
    private static let count = 256 << 10

    private func open() throws -> Disk {
        let geometry = Geometry(sizeBytes: 32 << 20, sparePercent: 33, segmentSizeBytes: 2 << 20)
        let store = HookedStore(sizeBytes: geometry.containerSizeBytes)
        let identifier = Identifier(high: 1, low: 2)
        try Disk.format(store, geometry, identifier: identifier, unixSeconds: 0)
        var options = EngineOptions()
        options.memoryBudgetBytes = 96 << 20
        return try Disk(store: store, options: options, clock: SystemClock())
    }

    /// What a write on a thread of its own came to; a writer that hangs must not hang the test.
    private enum Outcome: Equatable {
        case pending
        case done
        case failed(String)
    }

    private static func write(_ disk: Disk, _ offset: UInt64, _ value: UInt8) throws(DiskError) {
        let buffer = AlignedBuffer(count: 4096)
        let bytes = unsafe buffer.slice(0..<4096)
        unsafe bytes.initializeMemory(as: UInt8.self, repeating: value)
        try unsafe disk.write(at: offset, UnsafeRawBufferPointer(bytes))
    }

    private static func stage(
        _ disk: Disk,
        _ offset: UInt64,
        _ value: UInt8
    ) throws(DiskError) -> StagedWrite {
        guard let stage = disk.stage(at: offset, count: count) else {
            throw DiskError(.failed, "stage", "no commit to spare")
        }
        unsafe stage.bytes.initializeMemory(as: UInt8.self, repeating: value)
        stage.didFill(count)
        return stage
    }

    private static func shrinkWhileStaged(_ disk: Disk) throws(DiskError) {
        let first = try stage(disk, 0, 1)
        let second = try stage(disk, 1 << 20, 2)
        disk.setMemoryBudget(0)
        for block in 0..<40 as Range<UInt64> {
            try write(disk, 2 << 20 | block << 12, 3)
            try disk.flush()
        }
        try first.commit()
        try second.commit()
        try write(disk, 3 << 20, 4)
        try disk.flush()
    }

    /// Changes that a smaller budget has no room for come back after a crash.
    ///
    /// The cache makes up for them, and has its share again as soon as they are in the map.
    @Test func `A cache squeezed by a recovery gets its share back`() throws {
        var options = EngineOptions()
        options.pageSource = AnyPages(isHuge: false)
        options.memoryBudgetBytes = 256 << 20
        var disk = try TestDisk(
            sizeBytes: 64 << 20,
            segmentSizeBytes: 4 << 20,
            options: options
        )
        for offset in stride(from: 0, to: 48 << 20, by: 1 << 20) as StrideTo<UInt64> {
            try disk.write(offset, 1 << 20, 7)
        }
        try disk.engine.flush()
        disk.options.deltaCountMax = 257
        disk.options.memoryBudgetBytes = disk.engine.memory.floorBytes + (4 << 20)
        try disk.restart(.all)
        let engine = disk.engine.engine
        let limit = engine.memory.blockCache.limitBytes / MemoryPlan.slabBytes
        let frames = CacheLayout.standard.framesPerSlab
        #expect(engine.memory.changes.usedBytes > engine.memory.changes.limitBytes)
        #expect(engine.blocks.frameCountMax < limit * frames)
        while try disk.engine.maintenanceStep() {}
        try disk.engine.checkpoint()
        _ = try disk.engine.maintenanceStep()
        #expect(engine.memory.changes.usedBytes <= engine.memory.changes.limitBytes)
        #expect(engine.blocks.frameCountMax == limit * frames)
    }

    /// Maintenance makes the checkpoint that a change of the budget waits for.
    @Test func `Maintenance does not wait for a change of the budget`() throws {
        let engine = try TestDisk().engine.engine
        engine.state.withLock { $0.isCacheSqueezed = true }
        let isDone = Locked(false)
        let isInTime = try engine.budgetChange.withLock { _ in
            try Thread(name: "maintenance") {
                engine.restoreCache()
                isDone.withLock { $0 = true }
                isDone.wakeAll()
            }.detach()
            return isDone.withLock { value in
                let deadline = SystemClock().nanoseconds + 10_000_000_000
                while !value, SystemClock().nanoseconds < deadline {
                    isDone.wait(&value, nanoseconds: 100_000_000)
                }
                return value
            }
        }
        #expect(isInTime)
        // Left for the next look, when nothing changes the budget.
        #expect(engine.state.withLock { $0.isCacheSqueezed })
        engine.restoreCache()
        #expect(engine.state.withLock { !$0.isCacheSqueezed })
    }

    private func firstByte(_ disk: Disk, _ offset: UInt64) throws -> UInt8 {
        let buffer = AlignedBuffer(count: 4096)
        try unsafe disk.read(at: offset, into: buffer.slice(0..<4096))
        return buffer.get(UInt8.self, at: 0)
    }

    @Test func `A smaller budget leaves enough commits beside those being filled`() throws {
        let disk = try open()
        let outcome = Locked(Outcome.pending)
        try Thread(name: "writer") {
            do throws(DiskError) {
                try Self.shrinkWhileStaged(disk)
                outcome.withLock { $0 = .done }
            } catch {
                outcome.withLock { $0 = .failed("\(error)") }
            }
            outcome.wakeAll()
        }.detach()
        let clock = SystemClock()
        let deadline = clock.nanoseconds + 30_000_000_000
        outcome.withLock { state in
            while state == .pending, clock.nanoseconds < deadline {
                outcome.wait(&state, nanoseconds: 100_000_000)
            }
        }
        try #require(outcome.withLock { $0 } == .done)
        for (offset, value) in [(0, 1), (1 << 20, 2), (2 << 20, 3), (3 << 20, 4)] {
            #expect(try firstByte(disk, UInt64(offset)) == UInt8(value))
        }
        // The surplus is gone with the commits that needed it.
        let memory = disk.memory
        #expect(memory.commits.usedBytes <= memory.commits.limitBytes)
        try disk.close()
    }
}
