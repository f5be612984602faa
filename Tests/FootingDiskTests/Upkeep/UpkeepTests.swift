import FootingSimulation
import FootingSystem
import Testing

@testable import FootingDisk

/// What a disk does for itself while clients leave it alone.
@Suite struct UpkeepTests {
    private static let second: UInt64 = 1_000_000_000
    private static let blockCount: UInt64 = 4096

    private func options() -> EngineOptions {
        var options = EngineOptions()
        options.cachesWrites = false
        // What is in memory need not be in order.
        options.cacheLayout = CacheLayout(shardCount: 1, framesPerShard: 7)
        options.memoryBudgetBytes = 0
        options.upkeep.trimmedBytesMin = 1 << 20
        return options
    }

    /// Every block where chance has put it.
    private func scattered(_ options: EngineOptions) throws -> TestDisk {
        let disk = try TestDisk(
            sizeBytes: Self.blockCount * 4096,
            sparePercent: 600,
            segmentSizeBytes: 512 << 10,
            options: options
        )
        var random = SeededRandom(seed: 7)
        var blocks = Array(0..<Self.blockCount)
        for index in blocks.indices {
            blocks.swapAt(index, index + random.below(blocks.count - index))
        }
        for block in blocks { try disk.write(block * 4096, 4096, UInt8(block % 251)) }
        try disk.engine.flush()
        try disk.engine.checkpoint()
        return disk
    }

    /// Reads all of it in large pieces.
    private func readAll(_ disk: TestDisk) throws {
        for start in stride(from: 0, to: Self.blockCount, by: 64) {
            let bytes = try disk.read(start * 4096, 64 * 4096)
            for index in 0..<64 {
                let value = UInt8((start + UInt64(index)) % 251)
                #expect(bytes[index * 4096 + 99] == value)
            }
        }
    }

    /// Requests that reading all of it takes.
    private func requestCount(_ disk: TestDisk) throws -> Int {
        var count = 0
        let engine = disk.engine.engine
        let buffer = AlignedBuffer(count: 64 * 4096)
        for start in stride(from: 0, to: Self.blockCount, by: 64) {
            // What is in memory is not asked for.
            let bytes = unsafe buffer.slice(0..<64 * 4096)
            guard let fetch = try unsafe engine.startRead(at: start * 4096, into: bytes, owner: nil)
            else { continue }
            count += try fetch.makeRequests().count
        }
        return count
    }

    /// Lets time pass as maintenance does, and work.
    private func pass(_ seconds: Int, _ disk: TestDisk) throws {
        for _ in 0..<2 * seconds {
            disk.clock.advance(nanoseconds: Self.second / 2)
            var steps = 0
            while true {
                let didCommit = try disk.engine.commitStep()
                let didMaintain = try disk.engine.maintenanceStep()
                if !didCommit && !didMaintain { break }
                steps += 1
                try #require(steps < 10_000, "it never ends")
            }
        }
    }

    @Test func `What is read as a whole twice lies in order afterwards`() throws {
        var disk = try scattered(options())
        let before = try requestCount(disk)
        #expect(before > 1200)
        try readAll(disk)
        try pass(30, disk)
        #expect(disk.engine.statistics.rearrangedBlocks == 0)
        try readAll(disk)
        try pass(30, disk)
        // Some may have found too little room while the map had much to write.
        #expect(disk.engine.statistics.rearrangedBlocks > Self.blockCount * 9 / 10)
        try disk.restart()
        let after = try requestCount(disk)
        #expect(after < before / 8, "\(before) and \(after)")
        try readAll(disk)
        #expect(try disk.check().findings == [])
        // What found too little room has it now; then once is enough.
        var counts: [UInt64] = []
        for _ in 0..<4 {
            let count = disk.engine.statistics.rearrangedBlocks
            for _ in 0..<2 {
                try pass(30, disk)
                try readAll(disk)
            }
            counts.append(disk.engine.statistics.rearrangedBlocks - count)
        }
        #expect(counts[0] < Self.blockCount / 4 && counts[3] == 0, "\(counts)")
    }

    @Test func `Nothing is put in order while clients work, or where it is off`() throws {
        let disk = try scattered(options())
        for _ in 0..<2 {
            try readAll(disk)
            disk.clock.advance(nanoseconds: 20 * Self.second)
        }
        for _ in 0..<60 {
            for block in 0..<40 as Range<UInt64> {
                try disk.write(block * 4096, 4096, UInt8(block % 251))
            }
            try pass(0, disk)
            disk.clock.advance(nanoseconds: Self.second / 2)
            _ = try disk.engine.maintenanceStep()
        }
        #expect(disk.engine.statistics.rearrangedBlocks == 0)
        var off = options()
        off.upkeep.rearranges = false
        let other = try scattered(off)
        for _ in 0..<3 {
            try readAll(other)
            try pass(30, other)
        }
        #expect(other.engine.statistics.rearrangedBlocks == 0)
    }

    @Test func `What a snapshot keeps is not put there twice`() throws {
        let disk = try scattered(options())
        try disk.engine.createSnapshot("a")
        for _ in 0..<2 {
            try readAll(disk)
            try pass(30, disk)
        }
        #expect(disk.engine.statistics.rearrangedBlocks == 0)
        try disk.engine.deleteSnapshot("a")
        for _ in 0..<2 {
            try readAll(disk)
            try pass(30, disk)
        }
        #expect(disk.engine.statistics.rearrangedBlocks > Self.blockCount * 9 / 10)
    }

    @Test func `A damaged block keeps its place and what is around it its content`() throws {
        let disk = try scattered(options())
        let engine = disk.engine.engine
        let root = engine.state.withLock { $0.superblock.mapRoot }
        let entry = try #require(try engine.reader.find(40, root: root)?.entry)
        for _ in 0..<2 {
            try readAll(disk)
            disk.clock.advance(nanoseconds: 20 * Self.second)
        }
        disk.store.rot(sector: entry.location.offset / 512, bit: 5)
        try pass(30, disk)
        #expect(!disk.engine.hasFailed && disk.engine.segmentsSetAside == 0)
        #expect(try disk.holds(41 * 4096, 4096, 41))
        let now = engine.state.withLock { $0.superblock.mapRoot }
        #expect(try engine.reader.find(40, root: now)?.entry == entry)
        // The chunks without damage are in order.
        #expect(disk.engine.statistics.rearrangedBlocks >= Self.blockCount * 3 / 4)
    }

    @Test func `The host has back what was trimmed in small pieces`() throws {
        let disk = try scattered(options())
        let before = disk.store.spaceBytes
        for block in 0..<Self.blockCount where block % 4 != 0 {
            try disk.engine.trim(block * 4096..<(block + 1) * 4096)
        }
        try pass(2, disk)
        #expect(disk.engine.statistics.returnedAtRestBytes == 0)
        try pass(30, disk)
        #expect(disk.engine.statistics.returnedAtRestBytes > 1 << 20)
        #expect(disk.store.spaceBytes < before * 3 / 4, "\(before) to \(disk.store.spaceBytes)")
        // It was not asked for.
        #expect(disk.engine.engine.compaction == CompactionStatus())
        for block in 0..<Self.blockCount {
            let value = block % 4 == 0 ? UInt8(block % 251) : 0
            #expect(try disk.holds(block * 4096, 4096, value))
        }
        #expect(try disk.check().findings == [])
        let moved = disk.engine.statistics.blocksMoved
        try pass(60, disk)
        #expect(disk.engine.statistics.blocksMoved == moved)
        #expect(try disk.engine.compact().failure == nil)
    }

    @Test func `It stops for clients, and somebody's own compaction takes its place`() throws {
        let disk = try scattered(options())
        for block in 0..<Self.blockCount where block % 4 != 0 {
            try disk.engine.trim(block * 4096..<(block + 1) * 4096)
        }
        let engine = disk.engine.engine
        func isUnasked() -> Bool {
            engine.state.withLock { $0.compaction.isUnasked && $0.compaction.status.isRunning }
        }
        var steps = 0
        while !isUnasked() || engine.statistics.segmentsCollected == 0 {
            disk.clock.advance(nanoseconds: Self.second / 2)
            _ = try disk.engine.commitStep()
            _ = try disk.engine.maintenanceStep()
            steps += 1
            try #require(steps < 200)
        }
        for block in 0..<80 as Range<UInt64> { try disk.write(block * 4096, 4096, 9) }
        let collected = engine.statistics.segmentsCollected
        try pass(3, disk)
        #expect(engine.statistics.segmentsCollected == collected && isUnasked())
        let status = try disk.engine.compact()
        #expect(status.failure == nil && status.doneCount > 0 && !isUnasked())
        #expect(disk.engine.engine.compaction == status)
        #expect(try disk.holds(0, 80 * 4096, 9))
        #expect(try disk.check().findings == [])
    }

    /// No checkpoint comes by itself then, which would tell what they left.
    @Test func `Trims are noticed also where clients write a little now and then`() throws {
        let disk = try scattered(options())
        // Few enough changes that they are no reason for one either.
        for start in stride(from: 0, to: Self.blockCount, by: 64) {
            try disk.engine.trim(start * 4096..<(start + 48) * 4096)
        }
        for _ in 0..<30 {
            try disk.write(0, 4096, 0)
            try disk.engine.flush()
            try pass(1, disk)
        }
        #expect(disk.engine.statistics.returnedAtRestBytes > 1 << 20)
    }

    @Test func `Trims of what is not there give nothing back`() throws {
        let disk = try scattered(options())
        try disk.engine.trim(0..<Self.blockCount / 2 * 4096)
        try pass(60, disk)
        let moved = disk.engine.statistics.blocksMoved
        for _ in 0..<3 {
            try disk.engine.trim(0..<Self.blockCount / 2 * 4096)
            try pass(30, disk)
        }
        #expect(disk.engine.statistics.blocksMoved == moved)
    }

    /// What is overwritten leaves room that the log needs.
    @Test func `A file that had segments to itself moves nothing else`() throws {
        let disk = try scattered(options())
        var random = SeededRandom(seed: 3)
        for _ in 0..<Self.blockCount / 4 {
            let block = UInt64(random.below(Int(Self.blockCount / 2)))
            try disk.write(block * 4096, 4096, UInt8(block % 251))
        }
        let half = Self.blockCount / 2
        for start in stride(from: half, to: Self.blockCount, by: 64) {
            try disk.write(start * 4096, 64 * 4096, 8)
        }
        try disk.engine.flush()
        try pass(30, disk)
        let moved = disk.engine.statistics.blocksMoved
        try disk.engine.trim(half * 4096..<Self.blockCount * 4096)
        try pass(60, disk)
        #expect(disk.engine.statistics.blocksMoved == moved)
        #expect(disk.engine.statistics.returnedAtRestBytes == 0)
    }

    @Test func `One that is asked for begins anew while the other gives back`() throws {
        let disk = try scattered(options())
        for block in 0..<Self.blockCount where block % 4 != 0 {
            try disk.engine.trim(block * 4096..<(block + 1) * 4096)
        }
        let engine = disk.engine.engine
        var steps = 0
        while engine.state.withLock({ $0.compaction.unused?.isEmpty ?? true }) {
            disk.clock.advance(nanoseconds: Self.second / 2)
            _ = try disk.engine.commitStep()
            _ = try disk.engine.maintenanceStep()
            steps += 1
            try #require(steps < 1000)
        }
        #expect(!engine.compaction.isRunning)
        try engine.startCompaction()
        #expect(engine.compaction.isRunning)
        // As maintenance does that was at work on the other when it was asked.
        engine.finishCompaction()
        #expect(engine.compaction.isRunning)
        let checkpoints = engine.statistics.checkpoints
        let status = try disk.engine.compact()
        #expect(status.failure == nil && status.unusedBytes > 0)
        #expect(engine.statistics.checkpoints >= checkpoints + 2)
        #expect(try disk.check().findings == [])
    }
}
