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

    /// Recovery starts at the segments that the superblock names, so they must stay the log's.
    @Test func `A segment where recovery starts is not used for something else`() throws {
        var disk = try TestDisk()
        let driver = disk.engine
        let engine = driver.engine
        // The clients' first segment ends with a trim of all that is in it.
        for value in 1...7 as ClosedRange<UInt8> {
            try disk.write(0, 4096, value)
            try driver.flush()
        }
        try driver.trim(0..<1 << 20)
        try driver.flush()
        let full = engine.state.withLock { $0.user.head }
        #expect(full.page + 2 > engine.geometry.pagesPerSegment)
        // A write comes to the next segment while the checkpoint is written.
        let store = disk.store
        store.setHook {
            store.setHook(nil)
            let block = AlignedBuffer(count: 4096)
            try? unsafe driver.write(at: 8192, UnsafeRawBufferPointer(block.slice(0..<4096)))
        }
        try driver.checkpoint()
        #expect(engine.state.withLock { $0.user.head.segment } == full.next)
        #expect(engine.state.withLock { $0.superblock.user.segment } == full.segment)
        // The collector comes first, and takes the free segments in any order.
        engine.state.withLock { state in
            guard let index = state.ready.firstIndex(of: full.segment) else { return }
            state.ready.remove(at: index)
            state.ready.insert(full.segment, at: 0)
        }
        let block = AlignedBuffer(count: 4096)
        for number in 20..<40 as Range<UInt64> {
            engine.state.withLock { state in
                let bytes = unsafe UnsafeRawBufferPointer(block.slice(0..<4096))
                let sum = unsafe Checksum.crc32c(bytes)
                let batch = engine.open(.collector, &state)
                state.active.set(number, unsafe batch.append(number, .plain(sum), bytes))
                engine.seal(.collector, continues: false, &state)
            }
            #expect(try driver.commitStep())
        }
        #expect(try disk.restart(.all).commitCount == 20)
        #expect(try disk.check().findings == [])
    }

    /// A trim that needs a commit of its own must leave room for the segment that it may need.
    @Test func `A trim without space does not take a segment that is not there`() throws {
        let disk = try TestDisk()
        let engine = disk.engine.engine
        try disk.write(0, 14 * 4096, 1)
        for index in 0..<322 as Range<UInt64> {
            let block = 100 + index % 2 * 50
            try disk.engine.trim(block * 4096..<(block + 1) * 4096)
        }
        engine.state.withLock { state in
            #expect(state.user.open?.hasRoomForDescriptor == false)
            state.isStuck = true
            let ready = state.ready
            state.ready = []
            let hasRoom = engine.hasRoom(forBlocks: 1, isTrim: true, state)
            #expect(!hasRoom)
            state.ready = ready
        }
    }

    /// Whoever waits for a flush is told, also when the threads end.
    @Test(.timeLimit(.minutes(1)))
    func `A flush that waits when the disk ends is answered`() throws {
        let geometry = Geometry(sizeBytes: 1 << 20, sparePercent: 33, segmentSizeBytes: 64 << 10)
        let store = HookedStore(sizeBytes: geometry.containerSizeBytes)
        let identifier = Identifier(high: 1, low: 2)
        try Disk.format(store, geometry, identifier: identifier, unixSeconds: 0)
        let engine = try Engine.open(
            store: store,
            options: EngineOptions(),
            clock: SystemClock(),
            drive: .threads
        ).engine
        let gate = Locked((isReached: false, isOpen: false))
        store.onNextWrite {
            gate.withLock { gate in gate.isReached = true }
            while !gate.withLock({ $0.isOpen }) {}
        }
        var threads = try DiskThreads(engine)
        let answers = Locked(0)
        let block = AlignedBuffer(count: 4096)
        for number in 0..<2 as Range<UInt64> {
            try unsafe engine.write(
                at: number * 4096,
                UnsafeRawBufferPointer(block.slice(0..<4096))
            )
            engine.flush { _ in answers.withLock { $0 += 1 } }
            while !gate.withLock({ $0.isReached }) {}
        }
        _ = threads.stopMaintenance()
        let opener = try Thread(name: "opener") {
            let pause = Locked(())
            pause.withLock { _ = pause.wait(&$0, nanoseconds: 200_000_000) }
            gate.withLock { $0.isOpen = true }
        }
        threads.stopCommitter()
        opener.join()
        #expect(answers.withLock { $0 } == 2)
    }

    /// A sync that failed for another thread may have been about the checkpoint's pages.
    @Test func `A checkpoint does not become valid after a failure`() throws {
        let geometry = Geometry(sizeBytes: 1 << 20, sparePercent: 33, segmentSizeBytes: 64 << 10)
        let store = HookedStore(sizeBytes: geometry.containerSizeBytes)
        let identifier = Identifier(high: 1, low: 2)
        try Disk.format(store, geometry, identifier: identifier, unixSeconds: 0)
        let driver = try open(store)
        try write(driver, block: 0)
        try driver.flush()
        let before = try OpenedContainer.readSuperblock(store).0
        store.onNextSync {
            driver.engine.fail(DiskError("flush", cause: .inputOutput))
        }
        #expect(throws: DiskError.self) { try driver.checkpoint() }
        #expect(try OpenedContainer.readSuperblock(store).0 == before)
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
