import FootingSimulation
import FootingSystem
import Glibc
import Testing

@testable import FootingDisk

/// What is known of scrubbing after a restart, and how long others wait for it.
@Suite struct ScrubNotesTests {
    private func disk() throws -> TestDisk {
        let disk = try TestDisk(sizeBytes: 8 << 20, sparePercent: 150)
        for piece in 0..<64 as Range<UInt64> { try disk.write(piece << 17, 1 << 17, 1) }
        try disk.engine.checkpoint()
        return disk
    }

    private func rot(_ disk: TestDisk, _ blocks: [UInt64], snapshot: SnapshotRecord? = nil) throws {
        let live = disk.engine.engine.state.withLock { $0.superblock.mapRoot }
        let root = snapshot.map { MapRoot($0.root, disk.geometry) } ?? live
        for block in blocks {
            let found = try #require(try disk.engine.engine.reader.find(block, root: root))
            disk.store.rot(sector: found.entry.location.units, bit: 5)
        }
    }

    private func notes(_ disk: TestDisk) -> ScrubNotes {
        disk.engine.engine.state.withLock { $0.scrub }
    }

    private func finishPass(_ disk: TestDisk) throws {
        for _ in 0..<1000 where try disk.engine.scrubStep().isAtEnd { return }
        Issue.record("a pass without an end")
    }

    @Test func `What was found is known after a restart, and what the pass before found`() throws {
        var disk = try disk()
        try disk.engine.createSnapshot("a")
        try disk.write(100 * 4096, 4096, 2)
        try disk.engine.checkpoint()
        let record = try disk.engine.engine.settledSnapshot("a", "test")
        try rot(disk, [5, 1000])
        try rot(disk, [100], snapshot: record)
        try finishPass(disk)
        let found = notes(disk)
        #expect(found.damages.map { $0.block } == [5, 1000, 100])
        #expect(found.lastPassDamagedBlockCount == 3 && found.lastPassUnixSeconds > 0)
        try disk.engine.engine.checkpoint()
        try disk.restart()
        #expect(notes(disk) == found)
        #expect(notes(disk).damages.map { $0.snapshot } == [nil, nil, "a"])
        // A new pass has found nothing yet: that is not all there is to know.
        for _ in 0..<2 { _ = try disk.engine.scrubStep() }
        #expect(notes(disk).damagedBlockCount == 1)
        #expect(notes(disk).lastPassDamagedBlockCount == 3)
        // One that was deleted has only a number.
        try disk.engine.deleteSnapshot("a")
        disk.engine.engine.state.withLock { $0.scrub = found }
        try disk.engine.engine.checkpoint()
        try disk.restart()
        #expect(notes(disk).damages.last?.snapshot == "number 1")
    }

    @Test func `After a crash a pass goes back to before what it forgets`() throws {
        var disk = try disk()
        try rot(disk, [5, 700, 2000])
        while notes(disk).position.block < 1000 { _ = try disk.engine.scrubStep() }
        #expect(notes(disk).damagedBlockCount == 2)
        // Only what a checkpoint has written: both, or neither.
        try disk.restart()
        #expect(notes(disk).position.isAtStart && notes(disk).damagedBlockCount == 0)
        while notes(disk).position.block < 1000 { _ = try disk.engine.scrubStep() }
        let written = notes(disk)
        try disk.engine.engine.checkpoint()
        while notes(disk).position.block < 2040 { _ = try disk.engine.scrubStep() }
        #expect(notes(disk).damagedBlockCount == 3)
        try disk.restart()
        #expect(notes(disk) == written && written.damagedBlockCount == 2)
        try finishPass(disk)
        #expect(notes(disk).damages.map { $0.block } == [5, 700, 2000])
        #expect(notes(disk).lastPassDamagedBlockCount == 3)
    }

    @Test func `Notes of any content are read without harm, and are what was written`() throws {
        let page = AlignedBuffer(count: 4096)
        var random = SeededRandom(seed: 3)
        for round in 0..<200 {
            for word in 0..<512 { page.set(random.next(), at: word * 8) }
            var notes = ScrubNotes(page)
            notes.name([])
            #expect(notes.damages.count <= ScrubStatus.damageCountMax)
            page.clear(0..<4096)
            notes.store(in: page)
            var again = ScrubNotes(page)
            again.name([])
            #expect(again == notes, "round \(round)")
        }
    }

    /// Every block lies elsewhere, and each read takes a millisecond.
    @Test func `A step begins no read when its time is over`() throws {
        let geometry = Geometry(sizeBytes: 4 << 20, sparePercent: 150, segmentSizeBytes: 1 << 20)
        let store = HookedStore(sizeBytes: geometry.containerSizeBytes)
        let clock = SimulatedClock()
        let identifier = Identifier(high: 1, low: 2)
        try Disk.format(store, geometry, identifier: identifier, unixSeconds: 1)
        let driver = try EngineDriver.open(store: store, options: EngineOptions(), clock: clock)
            .driver
        let buffer = AlignedBuffer(count: 4096)
        for number in 0..<1024 as Range<UInt64> {
            let block = number * 389 % 1024
            try unsafe driver.write(at: block * 4096, UnsafeRawBufferPointer(buffer.bytes))
        }
        try driver.checkpoint()
        let before = store.readCount
        var mostReads = 0
        var stepCount = 0
        for _ in 0..<2000 {
            let start = store.readCount
            store.beforeEachRead { clock.advance(nanoseconds: 1_000_000) }
            let step = try driver.scrubStep()
            mostReads = max(mostReads, store.readCount - start)
            stepCount += 1
            #expect(step.damages == [])
            if step.isAtEnd { break }
        }
        // The pages of the map on the way to a leaf are read in one go.
        #expect(mostReads <= 3, "\(mostReads)")
        #expect(store.readCount - before >= 1024 && stepCount > 300)
        #expect(driver.engine.state.withLock { $0.scrub.position.isAtStart })
    }

    @Test func `Rate and end of a pass outlive a restart, and that it was stopped`() throws {
        let file = TemporaryFile()
        defer { file.remove() }
        var options = DiskOptions(sizeBytes: 16 << 20)
        options.segmentSizeBytes = 1 << 20
        try Disk.create(path: file.path, options)
        var disk = try Disk(path: file.path)
        #expect(disk.scrub.bytesPerSecond == 0 && disk.scrub.lastPassUnixSeconds == nil)
        let buffer = AlignedBuffer(count: 1 << 20)
        unsafe buffer.bytes.initializeMemory(as: UInt8.self, repeating: 7)
        for piece in 0..<16 as Range<UInt64> {
            try unsafe disk.write(at: piece << 20, UnsafeRawBufferPointer(buffer.bytes))
        }
        try disk.checkpoint()
        try disk.startScrub(bytesPerSecond: 8 << 20)
        while disk.scrub.verifiedBytes < 2 << 20 { usleep(1000) }
        // Its server ends.
        try disk.close()
        disk = try Disk(path: file.path)
        #expect(disk.hasScrubToFinish && !disk.isScrubStopped)
        #expect(disk.scrub.bytesPerSecond == 8 << 20 && disk.scrub.offset > 0)
        // Somebody stops it, and it is killed: what was noted is durable soon.
        try disk.startScrub(bytesPerSecond: 4 << 20)
        disk.stopScrub()
        try awaitSuperblock(file) { $0.scrub.isStopped && $0.scrub.bytesPerSecond == 4 << 20 }
        try disk.startScrub(bytesPerSecond: 1 << 30)
        while disk.scrub.isRunning { usleep(1000) }
        try awaitSuperblock(file) { $0.scrub.lastPassUnixSeconds > 0 && !$0.scrub.isStopped }
        try disk.close()
        disk = try Disk(path: file.path)
        #expect(disk.scrub.lastPassUnixSeconds != nil && !disk.hasScrubToFinish)
        try disk.close()
    }

    private func awaitSuperblock(
        _ file: TemporaryFile,
        _ isThere: (Superblock) -> Bool
    ) throws {
        for _ in 0..<2000 {
            let store = try FileStore(path: file.path, access: .readOnly)
            if isThere(try OpenedContainer.readSuperblock(store).0) { return }
            usleep(5000)
        }
        Issue.record("the superblock does not have it")
    }
}
