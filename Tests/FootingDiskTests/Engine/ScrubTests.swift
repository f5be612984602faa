import FootingSimulation
import FootingSystem
import Glibc
import Testing

@testable import FootingDisk

/// What is stored, verified while the disk is used.
@Suite struct ScrubTests {
    private func disk() throws -> TestDisk {
        let disk = try TestDisk(sizeBytes: 8 << 20, sparePercent: 150)
        for piece in 0..<64 as Range<UInt64> { try disk.write(piece << 17, 1 << 17, 1) }
        return disk
    }

    /// One pass, or the rest of one.
    private func pass(
        _ disk: TestDisk,
        between: () throws -> Void = {}
    ) throws -> (byteCount: UInt64, damages: [ScrubDamage]) {
        var result: (byteCount: UInt64, damages: [ScrubDamage]) = (0, [])
        for _ in 0..<1000 {
            let step = try disk.engine.engine.scrubStep()
            result.byteCount += step.byteCount
            result.damages += step.damages
            if step.isAtEnd { return result }
            try between()
        }
        Issue.record("a pass without an end")
        return result
    }

    private func place(_ disk: TestDisk, _ block: UInt64, _ root: MapRoot) throws -> Location {
        let answer = try disk.engine.engine.reader.find(block, root: root)
        return try #require(answer).entry.location
    }

    @Test func `All of it is read, and damage is named`() throws {
        let disk = try disk()
        try disk.engine.checkpoint()
        let sound = try pass(disk)
        #expect(sound.damages == [] && sound.byteCount >= 8 << 20)
        let root = disk.engine.engine.state.withLock { $0.superblock.mapRoot }
        for block in [5, 1000, 2047] as [UInt64] {
            disk.store.rot(sector: try place(disk, block, root).units + 3, bit: 9)
        }
        #expect(try pass(disk).damages.map { $0.block } == [5, 1000, 2047])
        // A page of the map hides what is below it, and nothing else.
        let page = AlignedBuffer(count: 4096)
        let reader = disk.engine.engine.reader
        try reader.read(root.entry, MapPage.Identity(level: root.levels - 1, index: 0), into: page)
        disk.store.rot(sector: MapPage.entry(page, 3).location.units, bit: 900)
        let damages = try pass(disk).damages
        #expect(damages.map { $0.block } == [5, 1000, 336 * 3, 2047])
        #expect(damages.map { $0.blockCount } == [1, 1, 336, 1])
    }

    @Test func `What the device does not give is named, and what lies beside it is not`() throws {
        let disk = try disk()
        try disk.engine.checkpoint()
        let root = disk.engine.engine.state.withLock { $0.superblock.mapRoot }
        var faults = Faults()
        let offset = try place(disk, 40, root).offset
        faults.unreadable = offset..<offset + 4096
        disk.store.setFaults(faults)
        let damages = try pass(disk).damages
        #expect(damages.map { $0.block } == [40] && damages.first?.kind == .unreadable)
    }

    @Test func `What only a snapshot has is verified, and what it shares is not read again`() throws
    {
        let disk = try disk()
        try disk.engine.createSnapshot("a")
        for block in 100..<200 as Range<UInt64> { try disk.write(block * 4096, 4096, 2) }
        try disk.engine.createSnapshot("b")
        try disk.engine.checkpoint()
        let sound = try pass(disk)
        #expect(sound.damages == [] && sound.byteCount < 12 << 20)
        let record = try disk.engine.engine.settledSnapshot("a", "test")
        let root = MapRoot(record.root, disk.geometry)
        disk.store.rot(sector: try place(disk, 150, root).units, bit: 1)
        let damages = try pass(disk).damages
        #expect(damages.map { $0.block } == [150] && damages.first?.snapshot == "a")
    }

    @Test func `It is right while the disk is overwritten, collected and compacted`() throws {
        let disk = try disk()
        var random = SeededRandom(seed: 5)
        var number: UInt8 = 1
        for _ in 0..<4 {
            let result = try pass(disk) {
                number = number % 250 + 1
                for _ in 0..<20 {
                    let block = UInt64(random.below(2048))
                    try disk.write(block * 4096, 4096, number)
                }
                if random.oneIn(3) { try disk.engine.trim(0..<65536) }
                for _ in 0..<random.below(6) { _ = try disk.engine.maintenanceStep() }
                if random.oneIn(8) { try disk.engine.checkpoint() }
            }
            #expect(result.damages == [])
            _ = try disk.engine.compact()
        }
    }

    @Test func `Where it was outlives a restart, a snapshot that is gone and a smaller disk`()
        throws
    {
        var disk = try disk()
        try disk.engine.createSnapshot("a")
        for _ in 0..<20 { _ = try disk.engine.engine.scrubStep() }
        let position = disk.engine.engine.state.withLock { $0.scrub.position }
        #expect(position.snapshot == 0 && (500..<1500).contains(position.block))
        // Nothing of it was rounded.
        #expect(position.block % 64 != 0)
        try disk.engine.close()
        try disk.restart()
        #expect(disk.engine.engine.state.withLock { $0.scrub.position } == position)
        let rest = try pass(disk)
        #expect(rest.byteCount < 8 << 20 && rest.damages == [])
        let engine = disk.engine.engine
        engine.state.withLock { $0.scrub.position = ScrubPosition(snapshot: 1, block: 336) }
        try disk.engine.deleteSnapshot("a")
        #expect(try pass(disk).damages == [])
        engine.state.withLock { $0.scrub.position = ScrubPosition(snapshot: 0, block: 2000) }
        try disk.engine.trim(1 << 20..<8 << 20)
        try disk.engine.resize(toBytes: 1 << 20)
        #expect(try pass(disk).damages == [])
        engine.state.withLock { state in
            state.scrub.position = ScrubPosition(snapshot: .max, block: .max)
        }
        #expect(try pass(disk).damages == [])
    }

    @Test func `The thread keeps its rate, stops, and goes on`() throws {
        let file = TemporaryFile()
        defer { file.remove() }
        var options = DiskOptions(sizeBytes: 16 << 20)
        options.segmentSizeBytes = 1 << 20
        try Disk.create(path: file.path, options)
        let disk = try Disk(path: file.path)
        let buffer = AlignedBuffer(count: 1 << 20)
        unsafe buffer.bytes.initializeMemory(as: UInt8.self, repeating: 7)
        for piece in 0..<16 as Range<UInt64> {
            try unsafe disk.write(at: piece << 20, UnsafeRawBufferPointer(buffer.bytes))
        }
        try disk.checkpoint()
        let clock = SystemClock()
        let start = clock.nanoseconds
        try disk.startScrub(bytesPerSecond: 8 << 20)
        while disk.scrub.verifiedBytes < 4 << 20 { usleep(1000) }
        disk.stopScrub()
        // Three megabytes before the last one of the four took so long at least.
        #expect(clock.nanoseconds - start >= 250_000_000)
        #expect(!disk.scrub.isRunning && disk.hasScrubToFinish && disk.isScrubStopped)
        try disk.startScrub(bytesPerSecond: 1 << 30)
        #expect(!disk.isScrubStopped)
        while disk.scrub.isRunning { usleep(1000) }
        #expect(!disk.hasScrubToFinish && disk.scrub.passCount == 1)
        #expect(disk.scrub.damagedBlockCount == 0 && disk.scrub.verifiedBytes >= 16 << 20)
        try disk.startScrub(bytesPerSecond: 1 << 20)
        try disk.close()
        #expect(!disk.scrub.isRunning)
        #expect(throws: DiskError.self) { try disk.startScrub(bytesPerSecond: 1 << 20) }
    }
}
