import FootingSystem
import Glibc
import Testing

@testable import FootingDisk

/// Which thread commits, and when the one that is there for it looks by itself.
@Suite(.timeLimit(.minutes(2))) struct CommitThreadTests {
    /// A disk on a store in memory, with its threads.
    private func open(_ store: HookedStore, _ options: EngineOptions) throws -> Disk {
        try Disk(store: store, options: options, clock: SystemClock())
    }

    private func store() throws -> HookedStore {
        let geometry = Geometry(sizeBytes: 1 << 20, sparePercent: 33, segmentSizeBytes: 64 << 10)
        let store = HookedStore(sizeBytes: geometry.containerSizeBytes)
        try Disk.format(store, geometry, identifier: Identifier(high: 1, low: 2), unixSeconds: 0)
        return store
    }

    private func write(_ disk: Disk, _ block: UInt64) throws {
        let buffer = AlignedBuffer(count: 4096)
        try unsafe disk.write(at: block * 4096, UnsafeRawBufferPointer(buffer.slice(0..<4096)))
    }

    /// Writes and flushes.
    ///
    /// - Returns: whether this thread wrote the commit.
    private func commitsHere(_ disk: Disk, _ store: HookedStore, _ block: UInt64) throws -> Bool {
        let here = pthread_self()
        let writer = Locked<pthread_t?>(nil)
        store.onNextWrite { writer.withLock { $0 = pthread_self() } }
        try write(disk, block)
        try disk.flush()
        return try #require(writer.withLock { $0 }) == here
    }

    @Test func `A lone writer commits in its own thread`() throws {
        let store = try store()
        var options = EngineOptions()
        options.gatherThresholdNanoseconds = .max
        let disk = try open(store, options)
        for block in 0..<20 as Range<UInt64> {
            let isHere = try commitsHere(disk, store, block)
            #expect(isHere)
        }
        try disk.close()
    }

    @Test func `On a slow device the committer does it, to gather more`() throws {
        let store = try store()
        var options = EngineOptions()
        options.gatherThresholdNanoseconds = 0
        let disk = try open(store, options)
        // Nothing is known of the device before the first.
        _ = try commitsHere(disk, store, 0)
        let isHere = try commitsHere(disk, store, 1)
        #expect(!isHere)
        try disk.close()
    }

    /// Of one that is slow the machine's load may be the cause.
    @Test func `A single slow commit does not make a device slow, many do`() throws {
        let store = try store()
        var options = EngineOptions()
        options.gatherThresholdNanoseconds = 20_000_000
        let disk = try open(store, options)
        for block in 0..<3 as Range<UInt64> {
            try write(disk, block)
            try disk.flush()
        }
        store.onNextSync { usleep(500_000) }
        try write(disk, 3)
        try disk.flush()
        let isHere = try commitsHere(disk, store, 4)
        #expect(isHere)
        for block in 5..<40 as Range<UInt64> {
            store.onNextSync { usleep(50_000) }
            try write(disk, block)
            try disk.flush()
        }
        let isStillHere = try commitsHere(disk, store, 40)
        #expect(!isStillHere)
        try disk.close()
    }

    /// Without a flush, and whether the committer sleeps or only rests when it is written.
    @Test func `What nobody flushes is durable in time`() throws {
        let store = try store()
        var options = EngineOptions()
        options.unflushedNanosecondsMax = 100_000_000
        let engine = try Engine.open(
            store: store,
            options: options,
            clock: SystemClock(),
            drive: .threads
        ).engine
        var threads = try DiskThreads(engine)
        let content = AlignedBuffer(count: 4096)
        for (block, sleepsFirst) in [(1, true), (2, false), (3, true)] as [(UInt64, Bool)] {
            while sleepsFirst, !engine.state.withLock({ $0.isCommitterAsleep }) { usleep(1_000) }
            let bytes = unsafe UnsafeRawBufferPointer(content.slice(0..<4096))
            try unsafe engine.write(at: block * 4096, bytes)
            let serial = engine.state.withLock { $0.user.open?.serial ?? $0.user.sealedSerial }
            while engine.state.withLock({ $0.user.durableSerial }) < serial { usleep(1_000) }
        }
        _ = threads.stopMaintenance()
        threads.stopCommitter()
    }
}
