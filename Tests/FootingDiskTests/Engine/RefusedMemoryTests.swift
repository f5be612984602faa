import FootingSimulation
import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingDisk

/// Memory that the kernel refuses at run time.
@Suite struct RefusedMemoryTests {
    private func disk(
        _ buffers: ScarceBuffers,
        budgetBytes: Int,
        mebibytes: UInt64 = 4
    ) throws -> TestDisk {
        var options = EngineOptions()
        options.memoryBudgetBytes = budgetBytes
        options.buffers = buffers
        return try TestDisk(
            sizeBytes: mebibytes << 20,
            segmentSizeBytes: mebibytes << 17,
            options: options
        )
    }

    /// Overwrites a disk, so that commits go round, checkpoints are made and space is won.
    private func work(_ disk: TestDisk) throws {
        for round in 1...3 as ClosedRange<UInt8> {
            for piece in 0..<4 as Range<UInt64> {
                try disk.write(piece << 20, 1 << 20, round &+ UInt8(piece))
                try disk.engine.flush()
            }
            try disk.engine.checkpoint()
        }
        for piece in 0..<4 as Range<UInt64> {
            #expect(try disk.holds(piece << 20, 1 << 20, 3 &+ UInt8(piece)))
        }
    }

    @Test(.timeLimit(.minutes(2)), arguments: [0, 1, 3, 7])
    func `A budget that grows where memory is refused keeps the commits at hand`(given: Int)
        throws
    {
        let buffers = ScarceBuffers()
        let disk = try disk(buffers, budgetBytes: 0)
        let before = disk.engine.memory.commits.usedBytes
        buffers.allow(given)
        disk.engine.setMemoryBudget(256 << 20)
        #expect(disk.engine.statistics.refusedCommits == 1)
        let memory = disk.engine.memory
        #expect(memory.commits.usedBytes >= before)
        #expect(memory.commits.usedBytes < memory.commits.limitBytes)
        try work(disk)
        #expect(disk.engine.statistics.refusedCommits == 1, "asked again at once")
        buffers.allow(.max)
        disk.engine.setMemoryBudget(256 << 20)
        try work(disk)
        #expect(disk.engine.memory.commits.usedBytes == memory.commits.limitBytes)
    }

    @Test func `Commits that were refused are asked for again after some seconds`() throws {
        let buffers = ScarceBuffers()
        let disk = try disk(buffers, budgetBytes: 0)
        let before = disk.engine.memory.commits.usedBytes
        func maintain(afterMilliseconds milliseconds: UInt64) throws -> UInt64 {
            disk.clock.advance(nanoseconds: milliseconds * 1_000_000)
            while try disk.engine.maintenanceStep() {}
            return disk.engine.statistics.refusedCommits
        }
        buffers.allow(0)
        disk.engine.setMemoryBudget(256 << 20)
        #expect(try maintain(afterMilliseconds: 0) == 1)
        #expect(try maintain(afterMilliseconds: 4_999) == 1)
        #expect(try maintain(afterMilliseconds: 1) == 2)
        #expect(try maintain(afterMilliseconds: 1) == 2)
        #expect(disk.engine.memory.commits.usedBytes == before)
        buffers.allow(.max)
        #expect(try maintain(afterMilliseconds: 4_998) == 2)
        #expect(disk.engine.memory.commits.usedBytes == before)
        #expect(try maintain(afterMilliseconds: 1) == 2)
        let commits = disk.engine.memory.commits
        #expect(commits.usedBytes > before && commits.usedBytes == commits.limitBytes)
        // There is nothing left to ask for.
        buffers.allow(0)
        #expect(try maintain(afterMilliseconds: 60_000) == 2)
        buffers.allow(.max)
        try work(disk)
    }

    @Test func `A budget that shrinks where memory is refused keeps the commits at hand`() throws {
        let buffers = ScarceBuffers()
        let disk = try disk(buffers, budgetBytes: 256 << 20)
        buffers.allow(0)
        disk.engine.setMemoryBudget(0)
        #expect(disk.engine.statistics.refusedCommits == 1)
        try work(disk)
        // Those that are left, in huge pages as they are.
        let count = MemoryPlan.userBatchCountMin + EngineLimits.collectorBatchCount
        #expect(disk.engine.memory.commits.usedBytes == count * 2 << 20)
        try disk.engine.close()
    }

    @Test func `Opening a disk without memory is an error that says so`() throws {
        let buffers = ScarceBuffers()
        var disk = try disk(buffers, budgetBytes: 0, mebibytes: 2)
        try disk.write(0, 64 << 10, 7)
        try disk.engine.flush()
        var refused = 0
        while refused < 100 {
            buffers.allow(refused)
            do throws(DiskError) {
                disk.store.restart(.all)
                disk.engine = try EngineDriver.open(
                    store: disk.store,
                    options: disk.options,
                    clock: disk.clock
                ).driver
                break
            } catch {
                #expect(error.kind == .noMemory && error.errno == .noMemory, "\(error)")
                #expect("\(error)".contains("the kernel refuses"), "\(error)")
                refused += 1
            }
        }
        // The table, the log, the commits it cannot do without, the window, the checkpoint's.
        #expect((10..<30).contains(refused), "\(refused)")
        buffers.allow(.max)
        #expect(try disk.holds(0, 64 << 10, 7))
    }

    @Test func `A write without memory for it fails, and changes nothing`() throws {
        let buffers = ScarceBuffers()
        let disk = try disk(buffers, budgetBytes: 0)
        try disk.write(0, 1 << 20, 1)
        buffers.allow(0)
        let partial = #expect(throws: DiskError.self) { try disk.write(512, 128 << 10, 2) }
        #expect(partial?.kind == .noMemory)
        let zeroes = #expect(throws: DiskError.self) {
            try disk.engine.writeZeroes(0..<256 << 10, keepsSpace: true)
        }
        #expect(zeroes?.kind == .noMemory)
        #expect(try disk.holds(0, 1 << 20, 1))
        // A checkpoint has what it needs.
        try disk.engine.checkpoint()
        buffers.allow(.max)
        try disk.write(512, 128 << 10, 2)
        #expect(try disk.holds(512, 128 << 10, 2))
    }

    @Test func `Zeroes without memory for all of them are written in whole pieces`() throws {
        let buffers = ScarceBuffers()
        let disk = try disk(buffers, budgetBytes: 0)
        // Parts of two blocks, and what lies between them.
        let pieces: [Range<UInt64>] = [512..<4096, 4096..<64 << 10, 64 << 10..<(64 << 10) + 512]
        let range = pieces[0].lowerBound..<pieces[2].upperBound
        var partial = 0
        for given in 0..<20 {
            buffers.allow(.max)
            try disk.write(0, 128 << 10, 1)
            buffers.allow(given)
            var error: DiskError?
            do throws(DiskError) {
                try disk.engine.writeZeroes(range, keepsSpace: true)
            } catch let refusal {
                error = refusal
            }
            #expect(error == nil || error?.kind == .noMemory)
            buffers.allow(.max)
            var written = 0
            for piece in pieces {
                let isZero = try disk.holds(piece.lowerBound, piece.count, 0)
                #expect(try isZero || disk.holds(piece.lowerBound, piece.count, 1), "\(given)")
                if isZero { written += 1 }
            }
            #expect(try disk.holds(0, 512, 1) && disk.holds(range.upperBound, 4096, 1))
            if error == nil {
                #expect(written == 3)
                break
            }
            if written > 0 { partial += 1 }
        }
        #expect(partial > 0, "none was refused midway")
    }
}
