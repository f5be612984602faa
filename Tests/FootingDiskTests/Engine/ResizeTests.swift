import FootingSimulation
import FootingSystem
import Glibc
import Testing

@testable import FootingDisk

/// Disks that become larger and smaller.
@Suite struct ResizeTests {
    @Test func `What grows reads as zeros, takes writes, and stays after a crash`() throws {
        var disk = try TestDisk(sizeBytes: (1 << 20) + 512)
        try disk.write(0, (1 << 20) + 512, 1)
        try disk.engine.resize(toBytes: 5 << 20)
        #expect(disk.engine.sizeBytes == 5 << 20)
        #expect(try disk.holds((1 << 20) + 512, (4 << 20) - 512, 0))
        try disk.write((5 << 20) - 8192, 8192, 2)
        try disk.engine.flush()
        for _ in 0..<2 {
            try disk.restart()
            #expect(disk.engine.sizeBytes == 5 << 20)
            #expect(try disk.holds(0, (1 << 20) + 512, 1))
            #expect(try disk.holds((5 << 20) - 8192, 8192, 2))
            #expect(try disk.check().findings == [])
            try disk.engine.close()
        }
        // It can be filled and overwritten as any disk of that size.
        try disk.restart(.all)
        for round in 0..<3 {
            for piece in 0..<80 as Range<UInt64> {
                try disk.write(piece << 16, 65536, UInt8(round + 5))
            }
        }
        #expect(try disk.holds(0, 5 << 20, 7))
    }

    /// Enough segments that the table takes more pages, twice; and a deeper map each time.
    @Test func `The table moves behind the segments, and the map gets deeper`() throws {
        var disk = try TestDisk(sizeBytes: 1 << 20)
        try disk.write(0, 1 << 20, 3)
        try disk.engine.createSnapshot("small")
        var places: [UInt64] = []
        for size in [40 << 20, 600 << 20, 601 << 20, 4 << 30] as [UInt64] {
            try disk.engine.resize(toBytes: size)
            try disk.write(size - 4096, 4096, 9)
            try disk.engine.flush()
            try disk.restart(.random)
            let superblock = try OpenedContainer.readSuperblock(disk.store).0
            #expect(superblock.geometry.sizeBytes == size)
            #expect(superblock.features & Superblock.resizedFeature != 0)
            places.append(superblock.geometry.tablesOffset)
            #expect(try disk.holds(size - 4096, 4096, 9) && disk.holds(0, 1 << 20, 3))
            #expect(try disk.check().findings == [])
        }
        #expect(places.sorted() == places && Set(places).count >= 3)
        let snapshot = try disk.engine.openSnapshot("small")
        #expect(snapshot.sizeBytes == 1 << 20)
        let buffer = AlignedBuffer(count: 4096)
        try unsafe snapshot.read(at: 65536, into: buffer.bytes)
        #expect(buffer.get(UInt8.self, at: 0) == 3)
        let error = #expect(throws: DiskError.self) { try disk.engine.rollBack(to: "small") }
        #expect(error?.kind == .invalid)
    }

    @Test func `A disk shrinks to what is used, and no further`() throws {
        var disk = try TestDisk(sizeBytes: 600 << 20, segmentSizeBytes: 1 << 20)
        try disk.write(3 << 20, 8192, 4)
        try disk.write(500 << 20, 4096, 5)
        let error = #expect(throws: DiskError.self) { try disk.engine.resize(toBytes: 400 << 20) }
        #expect(error?.kind == .invalid)
        #expect(error?.detail.contains("up to byte \((500 << 20) + 4096)") == true)
        #expect(disk.engine.sizeBytes == 600 << 20)
        try disk.engine.trim(500 << 20..<600 << 20)
        #expect(throws: DiskError.self) { try disk.engine.resize(toBytes: (3 << 20) + 4096) }
        // A part of the last block has something behind the end.
        #expect(throws: DiskError.self) { try disk.engine.resize(toBytes: (3 << 20) + 5120) }
        try disk.engine.writeZeroes((3 << 20) + 5120..<4 << 20, keepsSpace: false)
        try disk.engine.resize(toBytes: (3 << 20) + 5120)
        for _ in 0..<2 {
            #expect(disk.engine.sizeBytes == (3 << 20) + 5120)
            #expect(try disk.holds(3 << 20, 5120, 4))
            #expect(throws: DiskError.self) { _ = try disk.read(3 << 20, 8192) }
            #expect(try disk.check().findings == [])
            try disk.restart()
        }
        try disk.engine.resize(toBytes: 600 << 20)
        #expect(try disk.holds((3 << 20) + 5120, 1 << 20, 0))
        #expect(try disk.check().findings == [])
    }

    @Test func `The room beyond the data stays the same part, also after a disk was smaller`()
        throws
    {
        let disk = try TestDisk(sizeBytes: 600 << 20, sparePercent: 33, segmentSizeBytes: 1 << 20)
        let made = disk.geometry.segmentCount
        try disk.engine.resize(toBytes: 1 << 20)
        try disk.engine.resize(toBytes: 600 << 20)
        #expect(disk.engine.engine.geometry.segmentCount == made)
        try disk.engine.resize(toBytes: 1200 << 20)
        let planned = Geometry(sizeBytes: 1200 << 20, sparePercent: 33, segmentSizeBytes: 1 << 20)
        let count = Int(disk.engine.engine.geometry.segmentCount)
        #expect(abs(count - Int(planned.segmentCount)) < Int(planned.segmentCount) / 50)
    }

    @Test func `A disk that its memory could not hold is refused before anything is changed`()
        throws
    {
        var options = EngineOptions()
        options.memoryBudgetBytes = 0
        let disk = try TestDisk(sizeBytes: 4 << 20, options: options)
        let engine = disk.engine.engine
        let (before, calls) = (disk.store.sizeBytes, disk.store.callCount)
        let needed = try #require(disk.engine.memoryFloorBytes(forSizeBytes: 2 << 30))
        #expect(needed > disk.engine.memory.budgetBytes)
        let error = #expect(throws: DiskError.self) { try disk.engine.resize(toBytes: 2 << 30) }
        #expect(error?.kind == .noMemory)
        #expect(error?.detail.contains("\(needed) bytes of memory") == true)
        #expect(disk.store.sizeBytes == before && disk.store.callCount == calls)
        #expect(disk.engine.sizeBytes == 4 << 20)
        // Smaller ones need no more, also back to what it was.
        try disk.engine.resize(toBytes: 1 << 20)
        try disk.engine.resize(toBytes: 4 << 20)
        disk.engine.setMemoryBudget(needed - 1)
        #expect(throws: DiskError.self) { try disk.engine.resize(toBytes: 2 << 30) }
        disk.engine.setMemoryBudget(needed)
        try disk.engine.resize(toBytes: 2 << 30)
        #expect(disk.engine.memory.floorBytes == needed)
        #expect(engine.state.withLock { $0.memory.budgetBytes } == needed)
        try disk.write((2 << 30) - 4096, 4096, 1)
    }

    @Test func `A budget that changes while a disk grows stays`() throws {
        let disk = try TestDisk()
        let engine = disk.engine.engine
        let thread = try engine.budgetChange.withLock { _ in
            let thread = try Thread(name: "grown") { engine.refitMemory() }
            // It waits for this change, and must not go by what was before.
            usleep(50_000)
            engine.state.withLock { state in
                state.memory = MemoryPlan(
                    budgetBytes: 40 << 20,
                    geometry: engine.geometry,
                    deltaCountMax: 32768
                )
            }
            return thread
        }
        thread.join()
        #expect(disk.engine.memory.budgetBytes == 40 << 20)
    }

    /// The last four calls of a checkpoint: superblock A, a sync, superblock B, a sync.
    @Test(arguments: 0..<5, [Survival.none, .all, .random, .subset(1), .subset(2)])
    func `A crash about the superblocks of a moved table leaves the one or the other`(
        _ callsLeft: Int,
        _ survival: Survival
    ) throws {
        func grown(crashAtCall call: Int?) throws -> TestDisk {
            let disk = try TestDisk(sizeBytes: 1 << 20)
            try disk.write(0, 1 << 20, 3)
            try disk.engine.createSnapshot("small")
            try disk.engine.checkpoint()
            if let call { disk.store.crash(atCall: call - disk.store.callCount) }
            try? disk.engine.resize(toBytes: 600 << 20)
            return disk
        }
        let whole = try grown(crashAtCall: nil)
        let moved = whole.engine.engine.geometry
        #expect(moved.tablesOffset >= moved.segmentsEnd && whole.engine.sizeBytes == 600 << 20)
        var disk = try grown(crashAtCall: whole.store.callCount - callsLeft)
        #expect(disk.store.isDown)
        let copy = TestDisk(copying: disk, seed: 2)
        try disk.restart(survival)
        let size = disk.engine.sizeBytes
        #expect(size == 1 << 20 || size == 600 << 20)
        // A is durable when B is written; before A there is nothing.
        if callsLeft < 2 { #expect(size == 600 << 20) }
        if callsLeft >= 4 { #expect(size == 1 << 20) }
        #expect(try disk.holds(0, 1 << 20, 3))
        #expect(try disk.check().findings.filter { $0.severity > .note } == [])
        try disk.engine.resize(toBytes: 700 << 20)
        for piece in 0..<64 as Range<UInt64> { try disk.write(piece << 20, 65536, 9) }
        try disk.engine.checkpoint()
        try disk.restart()
        #expect(try disk.holds(63 << 20, 65536, 9) && disk.holds(65536, 65536, 3))
        #expect(try disk.check().findings == [])
        guard callsLeft == 1 else { return }
        // B has the old size and the old table: with A rotten that disk is there as it was.
        copy.store.damage(at: 100, [0xff, 0xff, 0xff, 0xff])
        let old = try EngineDriver.open(store: copy.store, options: copy.options, clock: copy.clock)
            .driver
        #expect(old.sizeBytes == 1 << 20 && old.engine.geometry.tablesOffset < 1 << 20)
        let buffer = AlignedBuffer(count: 1 << 20)
        try unsafe old.read(at: 0, into: buffer.bytes)
        #expect(unsafe buffer.bytes.allSatisfy { $0 == 3 })
    }

    @Test(arguments: [0, 513, (64 << 40) + 512] as [UInt64])
    func `A size that no disk can have is refused`(_ size: UInt64) throws {
        let disk = try TestDisk()
        let error = #expect(throws: DiskError.self) { try disk.engine.resize(toBytes: size) }
        #expect(error?.kind == .invalid)
        try disk.write(0, 4096, 1)
    }

    @Test func `Snapshots that are being made keep the size they were made with`() throws {
        var disk = try TestDisk(sizeBytes: 1 << 20, sparePercent: 333)
        try disk.write(0, 65536, 1)
        try disk.engine.createSnapshot("a")
        try disk.write(0, 65536, 2)
        try disk.engine.createSnapshot("b")
        try disk.engine.resize(toBytes: 2 << 20)
        try disk.engine.createSnapshot("c")
        try disk.engine.flush()
        try disk.restart()
        let sizes = disk.engine.snapshots().map { $0.sizeBytes }
        #expect(sizes == [1 << 20, 1 << 20, 2 << 20])
        try disk.engine.rollBack(to: "c")
        #expect(try disk.holds(0, 65536, 2))
        for name in ["a", "b", "c"] { try disk.engine.deleteSnapshot(name) }
        #expect(try disk.check().findings == [])
    }

    @Test func `A rollback and a resize at the same time come one after the other`() throws {
        for isRollbackFirst in [true, false] {
            let disk = try TestDisk(sizeBytes: 1 << 20, sparePercent: 333)
            let engine = disk.engine.engine
            try disk.write(0, 65536, 1)
            try disk.engine.createSnapshot("a")
            let record = try engine.settledSnapshot("a", "test")
            try disk.write(0, 65536, 2)
            let counts = try SnapshotTable.counts(
                of: record,
                volume: engine.volume,
                disk.store,
                disk.geometry
            ).counts
            // As two threads may ask; the map of the larger disk is deeper.
            if isRollbackFirst {
                engine.state.withLock { state in
                    state.snapshots.rollback = SnapshotRollback(record: record, counts: counts)
                }
                try disk.engine.resize(toBytes: 600 << 20)
                #expect(try disk.holds(0, 65536, 1))
            } else {
                try disk.engine.resize(toBytes: 600 << 20)
                engine.state.withLock { state in
                    state.snapshots.rollback = SnapshotRollback(record: record, counts: counts)
                }
                try disk.write(1 << 20, 4096, 3)
                try disk.engine.checkpoint()
                #expect(engine.state.withLock { $0.snapshots.rollbackFailure }?.kind == .invalid)
                #expect(try disk.holds(0, 65536, 2))
            }
            #expect(try disk.check().findings == [])
        }
    }

    @Test func `Superblocks with impossible places are refused`() throws {
        let disk = try TestDisk(sizeBytes: 1 << 20)
        try disk.engine.resize(toBytes: 40 << 20)
        let good = try OpenedContainer.readSuperblock(disk.store).0
        let page = AlignedBuffer(count: 4096)
        for (offset, value) in [
            (312, 0), (312, .max), (312, good.geometry.segmentsOffset + 512), (320, 0), (320, .max),
            (320, good.geometry.segmentsOffset), (320, good.geometry.segmentsEnd - 4096),
            (320, 1 << 60),
        ] as [(Int, UInt64)] {
            good.store(in: page)
            page.set(value, at: offset)
            page.set(page.checksum(12..<4096), at: 8)
            #expect(throws: Superblock.Refusal.self) { _ = try Superblock(page) }
        }
    }

    /// Readers and writers go on while it grows, on a real file; the map gets deeper under them.
    @Test func `A disk grows under its clients`() throws {
        let file = TemporaryFile()
        defer { file.remove() }
        var options = DiskOptions(sizeBytes: 1 << 20)
        options.segmentSizeBytes = 128 << 10
        try Disk.create(path: file.path, options)
        let disk = try Disk(path: file.path)
        let isStopping = Locked(false)
        let problems = Locked<[String]>([])
        func client(_ index: UInt64) throws -> Thread {
            try Thread(name: "client") {
                let buffer = AlignedBuffer(count: 4096)
                var number: UInt64 = 0
                while !isStopping.withLock({ $0 }) {
                    number += 1
                    let block = (number &* 13 % 128) * 2 + index
                    do throws(DiskError) {
                        for word in 0..<512 { buffer.set(number, at: word * 8) }
                        let bytes = UnsafeRawBufferPointer(unsafe buffer.bytes)
                        try unsafe disk.write(at: block * 4096, bytes)
                        if number % 64 == 0 { try disk.checkpoint() }
                        try unsafe disk.read(at: block * 4096, into: buffer.bytes)
                        if buffer.get(UInt64.self, at: 2048) != number {
                            problems.withLock { $0.append("block \(block)") }
                        }
                    } catch {
                        return problems.withLock { $0.append("\(error)") }
                    }
                }
            }
        }
        let first = try client(0)
        let second = try client(1)
        for mebibytes in [2, 3, 100, 101, 600, 1200] as [UInt64] {
            try disk.resize(toBytes: mebibytes << 20)
            #expect(disk.sizeBytes == mebibytes << 20)
            let buffer = AlignedBuffer(count: 4096)
            try unsafe disk.write(
                at: disk.sizeBytes - 4096,
                UnsafeRawBufferPointer(buffer.bytes)
            )
        }
        isStopping.withLock { $0 = true }
        first.join()
        second.join()
        #expect(problems.withLock { $0 } == [])
        try disk.close()
        #expect(try DiskCheck.run(path: file.path).findings == [])
        #expect(try DiskInformation(path: file.path).geometry.sizeBytes == 1200 << 20)
    }
}
