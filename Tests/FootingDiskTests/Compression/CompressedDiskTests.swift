import FootingAcceleration
import FootingSimulation
import FootingSystem
import Testing

@testable import FootingDisk

/// Disks that compress.
@Suite struct CompressedDiskTests {
    private func disk(
        _ policy: CompressionPolicy,
        sizeBytes: UInt64 = 1 << 20,
        options: EngineOptions = EngineOptions()
    ) throws -> TestDisk {
        let disk = try TestDisk(sizeBytes: sizeBytes, options: options)
        try disk.engine.setCompression(policy)
        return disk
    }

    private func write(_ disk: TestDisk, _ block: UInt64, _ bytes: [UInt8]) throws(DiskError) {
        let buffer = AlignedBuffer(count: bytes.count)
        unsafe bytes.withUnsafeBytes { unsafe buffer.copy(from: $0, at: 0) }
        let content = unsafe UnsafeRawBufferPointer(buffer.slice(0..<bytes.count))
        try unsafe disk.engine.write(at: block * 4096, content)
    }

    /// Units that the segments hold, by the table, after a checkpoint.
    private func liveUnits(_ disk: TestDisk) throws -> Int {
        try disk.engine.checkpoint()
        return disk.engine.engine.state.withLock { state in
            state.segments.reduce(0) { $0 + Int($1.liveUnits) }
        }
    }

    @Test(arguments: CompressionPolicy.allCases)
    func `What is written is read, in memory and after a crash`(
        _ policy: CompressionPolicy
    ) throws {
        var disk = try disk(policy)
        var content: [[UInt8]] = []
        for block in 0..<60 as Range<UInt64> {
            let sample = Sample.allCases[Int(block) % Sample.allCases.count]
            content.append(sample.block(block))
            try write(disk, block, content[Int(block)])
        }
        let whole = content.flatMap { $0 }
        // From the commits in memory, whole and in parts; from the log; from a replay; the cache.
        #expect(try disk.read(0, whole.count) == whole)
        try disk.engine.flush()
        #expect(try disk.read(512, 60_000) == Array(whole[512..<60_512]))
        try disk.restart()
        for _ in 0..<2 {
            #expect(try disk.read(0, whole.count) == whole)
            #expect(try disk.read(4096 * 7 + 1024, 4096) == Array(whole[29_696..<33_792]))
        }
        #expect(try disk.check().findings.isEmpty)
        try disk.engine.close()
        #expect(try disk.check().findings.isEmpty)
        #expect(try disk.check().blockCount == 60)
        let report = try disk.restart()
        #expect(report.wasClean)
        #expect(disk.engine.compression == policy)
        #expect(try disk.read(0, whole.count) == whole)
    }

    @Test func `A block rewritten in the open commit may take any other size`() throws {
        var disk = try disk(.lz4)
        var random = SeededRandom(seed: 3)
        var content = Array(repeating: [UInt8](repeating: 0, count: 4096), count: 8)
        for round in 0..<400 as Range<UInt64> {
            let block = random.below(8)
            content[block] = Sample.allCases[random.below(Sample.allCases.count)].block(round)
            try write(disk, UInt64(block), content[block])
            if random.oneIn(40) { try disk.engine.flush() }
            #expect(try disk.read(0, 8 * 4096) == content.flatMap { $0 })
        }
        try disk.engine.flush()
        try disk.restart()
        #expect(try disk.read(0, 8 * 4096) == content.flatMap { $0 })
        #expect(try disk.check().findings.isEmpty)
    }

    @Test func `Live units are those that are stored, no more and no fewer`() throws {
        let disk = try disk(.lz4)
        let empty = try liveUnits(disk)
        try write(disk, 5, Sample.zeros.block(0))
        // A leaf of the map, and one unit.
        #expect(try liveUnits(disk) == empty + 8 + 1)
        try write(disk, 6, Sample.noise.block(0))
        #expect(try liveUnits(disk) == empty + 8 + 9)
        try write(disk, 6, Sample.zeros.block(0))
        #expect(try liveUnits(disk) == empty + 8 + 2)
        try disk.engine.trim(0..<1 << 20)
        #expect(try liveUnits(disk) == 0)
    }

    @Test func `Many blocks fit where one did, and are read with one call`() throws {
        let geometry = Geometry(sizeBytes: 1 << 20, sparePercent: 33, segmentSizeBytes: 64 << 10)
        let store = HookedStore(sizeBytes: geometry.containerSizeBytes)
        try Disk.format(
            store,
            geometry,
            identifier: Identifier(high: 1, low: 2),
            unixSeconds: 0,
            compression: .lz4
        )
        var options = EngineOptions()
        options.memoryBudgetBytes = 0
        let clock = SimulatedClock()
        let engine = try EngineDriver.open(store: store, options: options, clock: clock).driver
        let bytes = AlignedBuffer(count: 64 << 10)
        bytes.set(UInt64(99), at: 5000)
        try unsafe engine.write(at: 0, UnsafeRawBufferPointer(bytes.slice(0..<64 << 10)))
        try engine.flush()
        let statistics = engine.statistics
        #expect(statistics.compressedBlocks == 16 && statistics.storedBytes == 16 * 512)
        #expect(statistics.logBytes == 3 * 4096)
        let calls = Locked(0)
        let result = AlignedBuffer(count: 64 << 10)
        store.onNextRead {
            calls.withLock { $0 += 1 }
            store.onNextRead { calls.withLock { $0 += 1 } }
        }
        try unsafe engine.read(at: 0, into: result.slice(0..<64 << 10))
        #expect(calls.withLock { $0 } == 1)
        let value = result.get(UInt64.self, at: 5000)
        #expect(value == 99)
    }

    @Test func `The collector copies what is compressed as it is, or makes it smaller`() throws {
        for policy in [CompressionPolicy.lz4, .auto] {
            var options = EngineOptions()
            options.deltaCountMax = 64
            var disk = try TestDisk(sizeBytes: 2 << 20, sparePercent: 60, options: options)
            try disk.engine.setCompression(.lz4)
            for block in 0..<512 as Range<UInt64> {
                try write(disk, block, Sample.text.block(block))
            }
            try disk.engine.checkpoint()
            try disk.engine.setCompression(policy)
            var round: UInt64 = 0
            while disk.engine.statistics.blocksMoved < 200 {
                try #require(round < 4000)
                // Half of the blocks change, one here and one there.
                let block = round * 7 % 256 * 2
                try write(disk, block, Sample.noise.block(block))
                try disk.engine.flush()
                _ = try disk.engine.maintenanceStep()
                round += 1
            }
            let isMade = disk.engine.statistics.recompressedBlocks > 0
            #expect(isMade == (policy == .auto))
            try disk.engine.flush()
            try disk.restart()
            for block in stride(from: 1, to: 512, by: 2) as StrideTo<UInt64> {
                #expect(try disk.read(block * 4096, 4096) == Sample.text.block(block))
            }
            #expect(try disk.check().findings.isEmpty)
        }
    }

    @Test func `The policy changes at any time, and the superblock says so first`() throws {
        var disk = try disk(.none)
        try write(disk, 0, Sample.text.block(1))
        let superblock = disk.engine.engine.state.withLock { $0.superblock }
        #expect(superblock.features == 0)
        try disk.engine.setCompression(.auto)
        // Durable without a flush.
        try disk.restart()
        #expect(disk.engine.compression == .auto)
        try write(disk, 1, Sample.text.block(2))
        #expect(disk.engine.statistics.compressedBlocks == 1)
        try disk.engine.setCompression(.none)
        try write(disk, 2, Sample.text.block(3))
        #expect(disk.engine.statistics.compressedBlocks == 1)
        try disk.restart()
        // What was compressed is still there, and a program must know.
        let features = disk.engine.engine.state.withLock { $0.superblock.features }
        #expect(features == Superblock.compressedFeature)
        #expect(try disk.read(4096, 4096) == Sample.text.block(2))
        try disk.engine.close()
        let failure = #expect(throws: DiskError.self) { try disk.engine.setCompression(.lz4) }
        #expect(failure?.kind == .closed)
    }

    /// What claims to be a compressed block and is none.
    private static let forgeries: [(name: String, bytes: [UInt8])] = [
        ("an LZ4 bomb", [0x1f, 0, 1, 0] + Array(repeating: 0xff, count: 3000)),
        ("too few bytes", [0x10, 0]),
        ("a literal beyond the end", [0xf0, 0xff, 0xff]),
        ("a match before the beginning", [0x10, 65, 0xff, 0x7f, 0, 0]),
        ("a deflate bomb", [0xed, 0xc1, 0x01] + Array(repeating: 0, count: 3000)),
        ("noise", Sample.noise.block(9).dropLast(600)),
        ("nothing", []),
    ]

    @Test(arguments: forgeries.indices, [CompressionPolicy.lz4, .deflate])
    func `Forged blocks with right checksums are errors, and nothing else`(
        _ index: Int,
        _ policy: CompressionPolicy
    ) throws {
        var options = EngineOptions()
        options.accelerator = Forger(Self.forgeries[index].bytes)
        var disk = try disk(policy, options: options)
        let text = Sample.text.block(1)
        try write(disk, 3, text)
        disk.engine.engine.compression.withLock { $0 = .none }
        try write(disk, 4, text)
        #expect(throws: DiskError.self) { try disk.read(3 * 4096, 4096) }
        // In memory it is decoded at once where only a part is wanted.
        #expect(throws: DiskError.self) { try disk.read(3 * 4096, 512) }
        try disk.engine.flush()
        try disk.restart()
        for _ in 0..<2 {
            let error = #expect(throws: DiskError.self) { try disk.read(3 * 4096, 4096) }
            #expect(error?.kind == .corrupt, "\(Self.forgeries[index].name)")
        }
        #expect(try disk.read(4 * 4096, 4096) == text)
        // A part of it cannot be overwritten; the whole can.
        #expect(throws: DiskError.self) { try disk.write(3 * 4096, 512, 1) }
        try disk.engine.checkpoint()
        let findings = try disk.check().findings
        #expect(findings.map(\.what) == ["block 3 cannot be decompressed"])
        disk.engine.engine.compression.withLock { $0 = .none }
        try write(disk, 3, text)
        #expect(try disk.read(3 * 4096, 4096) == text)
    }
}
