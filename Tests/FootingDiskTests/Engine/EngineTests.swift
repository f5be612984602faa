import FootingSimulation
import FootingSystem
import Testing

@testable import FootingDisk

/// What the engine promises, one test for each promise.
@Suite struct EngineTests {
    @Test func `A new disk reads as zeros`() throws {
        let disk = try TestDisk()
        #expect(try disk.holds(0, 1 << 20, 0))
    }

    @Test func `A write can be read at once, and after a flush survives a crash`() throws {
        var disk = try TestDisk()
        try disk.write(8192, 12288, 7)
        #expect(try disk.holds(8192, 12288, 7))
        try disk.engine.flush()
        try disk.restart()
        #expect(try disk.holds(8192, 12288, 7))
        #expect(try disk.holds(0, 8192, 0))
    }

    @Test func `What was not flushed is gone as a whole`() throws {
        var disk = try TestDisk()
        try disk.write(0, 40960, 1)
        try disk.engine.flush()
        try disk.write(0, 40960, 2)
        try disk.restart()
        #expect(try disk.holds(0, 40960, 1))
    }

    @Test func `Sectors of 512 bytes are written without touching their neighbours`() throws {
        let disk = try TestDisk(sizeBytes: (1 << 20) - 512)
        try disk.write(0, 16384, 1)
        try disk.write(3584, 1024, 2)
        #expect(try disk.holds(0, 3584, 1))
        #expect(try disk.holds(3584, 1024, 2))
        #expect(try disk.holds(4608, 16384 - 4608, 1))
        // The last, partial block.
        try disk.write((1 << 20) - 1024, 512, 3)
        #expect(try disk.holds((1 << 20) - 1024, 512, 3))
        #expect(try disk.holds((1 << 20) - 2048, 1024, 0))
    }

    @Test func `Nothing beyond the end can be read, written or trimmed`() throws {
        let disk = try TestDisk()
        #expect(throws: DiskError.self) { try disk.write(1 << 20, 512, 1) }
        #expect(throws: DiskError.self) { try disk.write((1 << 20) - 512, 1024, 1) }
        #expect(throws: DiskError.self) { try disk.read(1 << 40, 512) }
        #expect(throws: DiskError.self) { try disk.engine.trim(0..<(1 << 20) + 512) }
        let error = #expect(throws: DiskError.self) { try disk.read(.max - 511, 512) }
        #expect(error?.kind == .invalid)
    }

    @Test func `A trim takes whole blocks, a zeroing exactly its range`() throws {
        var disk = try TestDisk()
        try disk.write(0, 65536, 9)
        try disk.engine.trim(2048..<14336)
        #expect(try disk.holds(0, 4096, 9))
        #expect(try disk.holds(4096, 8192, 0))
        #expect(try disk.holds(12288, 4096, 9))
        try disk.engine.writeZeroes(20992..<30208, keepsSpace: false)
        try disk.engine.writeZeroes(40960..<45056, keepsSpace: true)
        try disk.engine.flush()
        try disk.restart()
        #expect(try disk.holds(16384, 4608, 9))
        #expect(try disk.holds(20992, 9216, 0))
        #expect(try disk.holds(30208, 40960 - 30208, 9))
        #expect(try disk.holds(40960, 4096, 0))
        let extents = try disk.engine.extents(0..<65536, limit: 100)
        #expect(extents.map { $0.isAllocated } == [true, false, true, false, true])
        #expect(extents.reduce(0) { $0 + $1.count } == 65536)
    }

    @Test func `A write of many segments is there after a crash`() throws {
        var disk = try TestDisk()
        try disk.write(4096, 512 << 10, 5)
        try disk.engine.flush()
        try disk.restart(.random)
        #expect(try disk.holds(4096, 512 << 10, 5))
    }

    @Test func `After a checkpoint there is nothing to replay`() throws {
        var disk = try TestDisk()
        try disk.write(0, 200 << 10, 5)
        try disk.engine.checkpoint()
        let report = try disk.restart()
        #expect(report.commitCount == 0)
        #expect(!report.wasClean)
        #expect(try disk.holds(0, 200 << 10, 5))
    }

    @Test func `An orderly end is recorded`() throws {
        var disk = try TestDisk()
        try disk.write(0, 8192, 5)
        try disk.engine.close()
        let report = try disk.restart()
        #expect(report.wasClean)
        #expect(try disk.holds(0, 8192, 5))
        try disk.engine.flush()
        #expect(try !disk.restart().wasClean)
    }

    @Test func `A failed sync ends the engine for good`() throws {
        var disk = try TestDisk()
        try disk.write(0, 4096, 1)
        try disk.engine.flush()
        try disk.write(0, 4096, 2)
        var faults = Faults()
        faults.syncErrorOneIn = 1
        disk.store.setFaults(faults)
        #expect(throws: DiskError.self) { try disk.engine.flush() }
        disk.store.setFaults(Faults())
        let error = #expect(throws: DiskError.self) { try disk.engine.flush() }
        #expect(error?.kind == .inputOutput)
        let second = #expect(throws: DiskError.self) { try disk.write(0, 4096, 3) }
        #expect(second?.kind == .failed)
        try disk.restart(.random)
        let value = try disk.read(0, 1)[0]
        #expect(value == 1 || value == 2)
    }

    @Test func `Volatile data is made durable after a second without being asked`() throws {
        var disk = try TestDisk()
        try disk.write(0, 4096, 1)
        disk.clock.advance(nanoseconds: 1_100_000_000)
        while try disk.engine.commitStep() {}
        disk.clock.advance(nanoseconds: 1_100_000_000)
        while try disk.engine.commitStep() {}
        try disk.restart()
        #expect(try disk.holds(0, 4096, 1))
    }

    @Test func `A superblock that rots is healed by the other`() throws {
        for sector in [0, 128] as [UInt64] {
            var disk = try TestDisk()
            try disk.write(0, 4096, 1)
            try disk.engine.flush()
            disk.store.rot(sector: sector, bit: 900)
            #expect(try disk.restart().healedSuperblock)
            #expect(try disk.holds(0, 4096, 1))
            #expect(try disk.check().findings.isEmpty)
        }
    }

    @Test func `Data that rots is an error, never wrong bytes`() throws {
        var disk = try TestDisk()
        try disk.write(0, 4096, 1)
        try disk.write(4096, 4096, 2)
        try disk.engine.close()
        try disk.restart()
        // The first commit of the first segment: header, then the two blocks.
        disk.store.rot(sector: (disk.geometry.segmentsOffset + 4096) / 512, bit: 77)
        let error = #expect(throws: DiskError.self) { try disk.read(0, 512) }
        #expect(error?.kind == .corrupt)
        #expect(error?.offset == disk.geometry.segmentsOffset + 4096)
        #expect(try disk.holds(4096, 4096, 2))
    }

    @Test func `A durable commit that is damaged is not taken for a torn one`() throws {
        var disk = try TestDisk()
        for value in 1..<6 as Range<UInt8> {
            try disk.write(UInt64(value) * 4096, 4096, value)
            try disk.engine.flush()
        }
        // The header of the second of five commits.
        disk.store.rot(sector: (disk.geometry.segmentsOffset + 8192) / 512, bit: 100)
        let error = #expect(throws: DiskError.self) { try disk.restart() }
        #expect(error?.kind == .corrupt)
    }

    @Test func `A container that was cut off is refused`() throws {
        let disk = try TestDisk()
        let short = SimulatedStore(
            sizeBytes: disk.geometry.containerSizeBytes - 65536,
            seed: 1
        )
        short.damage(at: 0, disk.store.bytes(at: 0, count: 256 << 10))
        let error = #expect(throws: DiskError.self) {
            try EngineDriver.open(store: short, options: EngineOptions(), clock: disk.clock)
        }
        #expect(error?.kind == .corrupt)
    }

    @Test func `Something else is not taken for a container`() {
        let empty = SimulatedStore(sizeBytes: 1 << 20, seed: 1)
        let error = #expect(throws: DiskError.self) {
            try EngineDriver.open(
                store: empty,
                options: EngineOptions(),
                clock: SimulatedClock()
            )
        }
        #expect(error?.kind == .unsupported)
    }
}
