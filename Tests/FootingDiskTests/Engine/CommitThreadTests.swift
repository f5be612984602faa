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
        let clock = SystemClock()
        var shortest = UInt64.max
        let engine = try Engine.open(
            store: store,
            options: options,
            clock: SystemClock(),
            drive: .threads
        ).engine
        var threads = try DiskThreads(engine)
        let content = AlignedBuffer(count: 4096)
        for block in 1...6 as ClosedRange<UInt64> {
            let sleepsFirst = block % 2 == 1
            while sleepsFirst, !engine.state.withLock({ $0.isCommitterAsleep }) { usleep(1_000) }
            let bytes = unsafe UnsafeRawBufferPointer(content.slice(0..<4096))
            let start = clock.nanoseconds
            try unsafe engine.write(at: block * 4096, bytes)
            let serial = engine.state.withLock { $0.user.open?.serial ?? $0.user.sealedSerial }
            while engine.state.withLock({ $0.user.durableSerial }) < serial { usleep(1_000) }
            shortest = min(shortest, clock.nanoseconds - start)
        }
        // Whatever else the machine does: a thread that only woke when it is idle would need more.
        #expect(shortest >= 100_000_000 && shortest < 450_000_000)
        _ = threads.stopMaintenance()
        threads.stopCommitter()
    }

    /// It tries again when its rest is over, not all the time.
    @Test func `On a full host the committer rests`() throws {
        let store = try store()
        var options = EngineOptions()
        options.unflushedNanosecondsMax = 20_000_000
        let disk = try open(store, options)
        store.refuseWrites(.noSpace)
        try write(disk, 1)
        let before = store.writeCount
        while store.writeCount == before { usleep(1_000) }
        // The age of one that has begun since does not make it look any sooner.
        try write(disk, 2)
        usleep(100_000)
        let start = store.writeCount
        usleep(500_000)
        #expect(store.writeCount - start < 20)
        store.refuseWrites(nil)
        try disk.flush()
        try disk.close()
    }

    @Test func `After a failure the committer rests`() throws {
        let engine = try Engine.open(
            store: store(),
            options: EngineOptions(),
            clock: SystemClock(),
            drive: .callers
        ).engine
        let content = AlignedBuffer(count: 4096)
        try unsafe engine.write(at: 0, UnsafeRawBufferPointer(content.slice(0..<4096)))
        engine.fail(DiskError(.inputOutput, "test", "", cause: nil))
        let rest = engine.state.withLock { engine.rest($0, atMost: 7_000_000_000) }
        #expect(rest == 7_000_000_000)
    }

    /// Its cause may be that the kernel has dropped data.
    @Test func `A commit is not durable if another thread's sync has failed meanwhile`() throws {
        let store = try store()
        let engine = try Engine.open(
            store: store,
            options: EngineOptions(),
            clock: SystemClock(),
            drive: .threads
        ).engine
        let content = AlignedBuffer(count: 4096)
        try unsafe engine.write(at: 0, UnsafeRawBufferPointer(content.slice(0..<4096)))
        let before = engine.state.withLock { $0.user.durableSerial }
        store.onNextSync { engine.fail(DiskError(.inputOutput, "test", "", cause: nil)) }
        let answer = Locked<DiskError??>(.none)
        engine.flush(mayCommit: true) { error in answer.withLock { $0 = .some(error) } }
        let error = try #require(answer.withLock { $0 })
        #expect(error?.kind == .inputOutput)
        #expect(engine.state.withLock { $0.user.durableSerial } == before)
    }
}
