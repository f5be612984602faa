import FootingSimulation
import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingDisk

/// Full disks, full hosts, and very large disks.
@Suite struct SpaceTests {
    @Test(arguments: [1 << 20, 6 << 20] as [UInt64])
    func `A disk at 90 percent takes any number of overwrites`(_ sizeBytes: UInt64) throws {
        var options = EngineOptions()
        options.deltaCountMax = 512
        var disk = try TestDisk(sizeBytes: sizeBytes, sparePercent: 11, options: options)
        let blockCount = Int(sizeBytes / 4096)
        var random = SeededRandom(seed: 9)
        var values = [UInt8](repeating: 1, count: blockCount)
        for block in 0..<blockCount { try disk.write(UInt64(block) * 4096, 4096, 1) }
        for _ in 0..<blockCount * 12 {
            let block = random.below(blockCount)
            values[block] = UInt8(1 + random.below(255))
            try disk.write(UInt64(block) * 4096, 4096, values[block])
            if random.oneIn(500) { try disk.engine.flush() }
        }
        #expect(disk.engine.statistics.segmentsCollected > 0)
        let isAnyGivenUp = disk.engine.engine.state.withLock { state in
            state.segments.contains { $0.isQuarantined }
        }
        #expect(!isAnyGivenUp)
        try disk.engine.flush()
        try disk.restart()
        for block in 0..<blockCount {
            #expect(try disk.holds(UInt64(block) * 4096, 4096, values[block]))
        }
        #expect(try disk.check().findings.isEmpty)
    }

    @Test func `Segments larger than what is read at a time are emptied whole`() throws {
        var options = EngineOptions()
        options.deltaCountMax = 4096
        var disk = try TestDisk(
            sizeBytes: 40 << 20,
            sparePercent: 11,
            segmentSizeBytes: 4 << 20,
            options: options
        )
        let groupBytes = 16 << 12
        let groupCount = (40 << 20) / groupBytes
        var values = [UInt8](repeating: 1, count: groupCount)
        for group in 0..<groupCount {
            try disk.write(UInt64(group * groupBytes), groupBytes, 1)
        }
        var random = SeededRandom(seed: 3)
        while disk.engine.statistics.segmentsCollected < 8 {
            let group = random.below(groupCount)
            values[group] = UInt8(1 + random.below(255))
            try disk.write(UInt64(group * groupBytes), groupBytes, values[group])
            // Small commits, and many of them: none of the places in a segment is left out.
            if random.oneIn(3) { try disk.engine.flush() }
        }
        try disk.engine.flush()
        try disk.restart()
        for group in 0..<groupCount {
            #expect(try disk.holds(UInt64(group * groupBytes), groupBytes, values[group]))
        }
        #expect(try disk.check().findings.isEmpty)
    }

    @Test func `A segment in which live blocks are overlooked is kept`() throws {
        let disk = try TestDisk(sizeBytes: 1 << 20, sparePercent: 100)
        try disk.write(0, 65536, 1)
        try disk.engine.checkpoint()
        let segment = UInt32(0)
        // As if the tree referred to one block more than the segment's descriptors tell of.
        disk.engine.engine.state.withLock { $0.segments[Int(segment)].liveUnits += 8 }
        for round in 0..<256 {
            try disk.write(UInt64(1 + round % 14) * 4096, 8192, 2)
            try disk.engine.flush()
            while try disk.engine.maintenanceStep() {}
        }
        let entry = disk.engine.engine.state.withLock { $0.segments[Int(segment)] }
        #expect(entry.isQuarantined)
        #expect(entry.state != .free)
        #expect(try disk.holds(0, 4096, 1))
    }

    @Test(arguments: [11, 33], [UInt64(64 << 10), 256 << 10])
    func `A full disk takes writes again whenever it is closed or killed, and opened`(
        _ sparePercent: Int,
        _ segmentSizeBytes: UInt64
    ) throws {
        var options = EngineOptions()
        options.deltaCountMax = 256
        let sizeBytes: UInt64 = 12 << 20
        var disk = try TestDisk(
            sizeBytes: sizeBytes,
            sparePercent: sparePercent,
            segmentSizeBytes: segmentSizeBytes,
            options: options
        )
        let blockCount = Int(sizeBytes / 4096)
        for block in 0..<blockCount { try disk.write(UInt64(block) * 4096, 4096, 1) }
        var random = SeededRandom(seed: 4)
        for round in 0..<Sanitizer.rounds(120, sanitized: 12) {
            for _ in 0..<random.below(700) {
                try disk.write(UInt64(random.below(blockCount)) * 4096, 4096, UInt8(round))
            }
            if round % 3 == 0 {
                try disk.engine.flush()
            } else {
                try disk.engine.close()
            }
            try disk.restart(.random)
            // Whatever it does with its time, it must not be stuck.
            for _ in 0..<random.below(200) where try !disk.engine.maintenanceStep() { break }
            let isStuck = disk.engine.engine.state.withLock { $0.isStuck }
            #expect(!isStuck, "round \(round)")
        }
    }

    @Test func `A checkpoint that never ends does not make the log longer than recovery takes`()
        throws
    {
        var options = EngineOptions()
        options.deltaCountMax = 128
        options.replay.deltaCountMax = 8 * options.deltaCountMax
        options.replay.trimRangeCountMax = 4
        var disk = try TestDisk(sizeBytes: 16 << 20, sparePercent: 300, options: options)
        var block: UInt64 = 0
        for _ in 0..<12 {
            var faults = Faults()
            faults.writeSpaceErrorOneIn = 1
            disk.store.setFaults(faults)
            while try disk.engine.maintenanceStep() {}
            disk.store.setFaults(Faults())
            while disk.engine.admits(blocks: 1) {
                try disk.write(block % 4096 * 4096, 4096, 7)
                block += 1
            }
            try disk.engine.flush()
            try disk.restart()
        }
        #expect(block >= 4 * 128)
        #expect(try disk.holds(0, 4096 * Int(min(block, 4096)), 7))
        // With space it goes on as ever.
        try disk.engine.checkpoint()
        try disk.write(0, 4096, 8)
        try disk.engine.flush()
        try disk.restart()
        #expect(try disk.holds(0, 4096, 8))
    }

    @Test func `A bad spot in what nobody needs does not keep a segment from being emptied`()
        throws
    {
        var options = EngineOptions()
        options.deltaCountMax = 64
        let disk = try TestDisk(sizeBytes: 1 << 20, sparePercent: 60, options: options)
        // The first commit of segment 0 is overwritten later; the second one is not.
        try disk.write(0, 16384, 1)
        try disk.engine.flush()
        try disk.write(512 << 10, 8192, 2)
        try disk.engine.flush()
        try disk.write(0, 16384, 3)
        try disk.engine.checkpoint()
        var faults = Faults()
        let dead = disk.geometry.offset(segment: 0, page: 1)
        faults.unreadable = dead..<dead + 4096
        disk.store.setFaults(faults)
        var round: UInt64 = 0
        while disk.engine.statistics.segmentsCollected == 0 {
            try #require(round < 400)
            try disk.write((8 + round % 60) * 4096, 8192, 4)
            try disk.engine.flush()
            _ = try disk.engine.maintenanceStep()
            round += 1
        }
        let isAnyGivenUp = disk.engine.engine.state.withLock { state in
            state.segments.contains { $0.isQuarantined }
        }
        #expect(!isAnyGivenUp)
        #expect(try disk.holds(512 << 10, 8192, 2))
    }

    @Test func `Of several commits for which there is no space the first ones are written`() throws
    {
        let disk = try TestDisk(sizeBytes: 4 << 20)
        // Three commits wait, one behind the other.
        for round in 0..<3 {
            try disk.write(UInt64(round) * 65536, 8192, UInt8(round + 1))
            disk.engine.engine.state.withLock { state in
                disk.engine.engine.seal(.user, continues: false, &state)
            }
        }
        var faults = Faults()
        let end = disk.engine.engine.state.withLock { $0.sealed[1].offset }
        faults.writeSpaceEnd = end
        disk.store.setFaults(faults)
        #expect(throws: DiskError.self) { try disk.engine.commitStep() }
        #expect(try disk.engine.commitStep())
        let waiting = disk.engine.engine.state.withLock { $0.sealed.count }
        #expect(waiting == 2)
        disk.store.setFaults(Faults())
        try disk.engine.flush()
        #expect(try disk.holds(131_072, 8192, 3))
    }

    @Test func `A full host is a clear error, and nothing is lost`() throws {
        var faults = Faults()
        faults.spaceBytesMax = 5 << 18
        var disk = try TestDisk(sizeBytes: 4 << 20, faults: faults)
        var written = 0
        let error = #expect(throws: DiskError.self) {
            while true {
                try disk.write(UInt64(written) * 4096, 4096, 3)
                written += 1
            }
        }
        #expect(error?.kind == .noSpace)
        #expect(written > 50)
        // Reads go on, and so do flushes.
        #expect(try disk.holds(0, written * 4096, 3))
        try disk.engine.flush()
        // A trim wins space.
        try disk.engine.trim(0..<UInt64(written / 2) * 4096)
        try disk.write(0, 4096, 4)
        try disk.engine.flush()
        // The host has space again: the rest can be written.
        disk.store.setFaults(Faults())
        disk.clock.advance(nanoseconds: 2_000_000_000)
        try disk.write(2 << 20, 1 << 20, 5)
        try disk.engine.flush()
        try disk.restart()
        #expect(try disk.holds(0, 4096, 4))
        #expect(try disk.holds(UInt64(written / 2) * 4096, (written - written / 2) * 4096, 3))
        #expect(try disk.holds(2 << 20, 1 << 20, 5))
        #expect(try disk.check().findings.isEmpty)
    }

    @Test func `Trimmed space goes back to the host`() throws {
        let disk = try TestDisk(sizeBytes: 16 << 20)
        let before = disk.store.spaceBytes
        try disk.write(0, 16 << 20, 1)
        try disk.engine.checkpoint()
        let full = disk.store.spaceBytes
        try disk.engine.trim(0..<16 << 20)
        try disk.engine.checkpoint()
        #expect(full > before + (16 << 20))
        #expect(disk.store.spaceBytes < before + (4 << 20))
    }

    @Test(.disabled(if: Sanitizer.isOn, "a small disk goes the same ways"))
    func `A disk of 64 TiB is quick, and small where nothing is written`() throws {
        let size: UInt64 = 64 << 40
        let geometry = try DiskOptions(sizeBytes: size).geometry()
        let store = MemoryStore(sizeBytes: geometry.containerSizeBytes)
        let clock = SimulatedClock()
        try Disk.format(
            store,
            geometry,
            identifier: Identifier(high: 1, low: 2),
            unixSeconds: 0
        )
        let options = EngineOptions()
        var engine = try EngineDriver.open(store: store, options: options, clock: clock).driver
        let buffer = AlignedBuffer(count: 8192)
        buffer.set(UInt64(0x1234), at: 0)
        let bytes = unsafe UnsafeRawBufferPointer(buffer.slice(0..<8192))
        for offset in [0, size / 2, size - 8192] {
            try unsafe engine.write(at: offset, bytes)
        }
        try engine.checkpoint()
        engine = try EngineDriver.open(store: store, options: options, clock: clock).driver
        let result = AlignedBuffer(count: 8192)
        for offset in [0, size / 2, size - 8192] {
            try unsafe engine.read(at: offset, into: result.slice(0..<8192))
            let value = result.get(UInt64.self, at: 0)
            #expect(value == 0x1234)
        }
        #expect(try DiskCheck.run(store: store).findings.isEmpty)
        try engine.trim(0..<size)
        try engine.checkpoint()
        try unsafe engine.read(at: size / 2, into: result.slice(0..<8192))
        let value = result.get(UInt64.self, at: 0)
        #expect(value == 0)
        #expect(try DiskCheck.run(store: store).blockCount == 0)
    }
}
