import FootingSimulation
import FootingSystem
import Glibc
import Testing

@testable import FootingDisk

/// Containers that become as small as what is in them.
@Suite struct CompactTests {
    /// Every segment half outdated.
    private func halfEmpty() throws -> TestDisk {
        let disk = try TestDisk(sizeBytes: 8 << 20, sparePercent: 100)
        for block in 0..<2048 as Range<UInt64> { try disk.write(block * 4096, 4096, 1) }
        for block in stride(from: 0, to: 2048, by: 2) as StrideTo<UInt64> {
            try disk.engine.trim(block * 4096..<(block + 1) * 4096)
        }
        try disk.engine.checkpoint()
        return disk
    }

    @Test func `What is outdated goes back to the host, and nothing else changes`() throws {
        var disk = try halfEmpty()
        let before = disk.store.spaceBytes
        let status = try disk.engine.compact()
        #expect(status.failure == nil && status.doneCount > 40 && status.returnedBytes > 0)
        // 4 MiB of blocks, their headers, the map, and what is kept to be written at once.
        #expect(disk.store.spaceBytes < before * 7 / 10, "\(before) to \(disk.store.spaceBytes)")
        for round in 0..<2 {
            for block in 0..<2048 as Range<UInt64> {
                #expect(try disk.holds(block * 4096, 4096, UInt8(block % 2)))
            }
            #expect(try disk.check().findings == [])
            if round == 0 { try disk.restart() }
        }
        // There is nothing more to be won.
        let again = try disk.engine.compact()
        #expect(again.doneCount < status.doneCount / 3, "\(again)")
    }

    @Test func `What snapshots keep stays`() throws {
        let disk = try TestDisk(sizeBytes: 4 << 20, sparePercent: 300)
        for block in 0..<1024 as Range<UInt64> { try disk.write(block * 4096, 4096, 1) }
        try disk.engine.createSnapshot("a")
        try disk.engine.trim(0..<4 << 20)
        try disk.engine.checkpoint()
        _ = try disk.engine.compact()
        let snapshot = try disk.engine.openSnapshot("a")
        let buffer = AlignedBuffer(count: 4096)
        for block in 0..<1024 as Range<UInt64> {
            try unsafe snapshot.read(at: block * 4096, into: buffer.bytes)
            #expect(buffer.get(UInt8.self, at: 77) == 1)
        }
        #expect(try disk.check().findings == [])
    }

    @Test func `It ends when it is told to, and on a host without space`() throws {
        let disk = try halfEmpty()
        try disk.engine.engine.startCompaction()
        for _ in 0..<20 { _ = try disk.engine.maintenanceStep() }
        disk.engine.engine.stopCompaction()
        var steps = 0
        while disk.engine.engine.compaction.isRunning {
            _ = try disk.engine.commitStep()
            _ = try disk.engine.maintenanceStep()
            steps += 1
            try #require(steps < 100)
        }
        #expect(disk.engine.engine.compaction.failure == nil)
        var faults = Faults()
        faults.writeSpaceErrorOneIn = 1
        disk.store.setFaults(faults)
        let status = try disk.engine.compact()
        #expect(status.failure?.kind == .noSpace)
        disk.store.setFaults(Faults())
        disk.clock.advance(nanoseconds: 2_000_000_000)
        #expect(try disk.engine.compact().failure == nil)
        #expect(try disk.holds(4096, 4096, 1))
    }

    @Test func `What is free is given back in pieces, and what is urgent comes between them`()
        throws
    {
        let disk = try TestDisk(sizeBytes: 4 << 30, segmentSizeBytes: 1 << 20)
        let engine = disk.engine.engine
        try disk.write(0, 1 << 20, 1)
        try engine.startCompaction()
        var told: [UInt64] = []
        var (checkpointsBefore, steps) = (UInt64(0), 0)
        while engine.compaction.isRunning {
            _ = try disk.engine.commitStep()
            _ = try disk.engine.maintenanceStep()
            told.append(engine.compaction.discardedBytes)
            // In the midst of it somebody waits.
            if told.last ?? 0 > 1 << 30, checkpointsBefore == 0 {
                checkpointsBefore = disk.engine.statistics.checkpoints
                engine.state.withLock { $0.checkpointRequested = true }
                _ = try disk.engine.maintenanceStep()
                #expect(disk.engine.statistics.checkpoints == checkpointsBefore + 1)
                #expect(engine.compaction.discardedBytes == told.last)
            }
            steps += 1
            try #require(steps < 1000)
        }
        let end = engine.compaction
        #expect(end.failure == nil && end.unusedBytes > 4 << 30)
        #expect(end.discardedBytes == end.unusedBytes && checkpointsBefore > 0)
        #expect(disk.store.discardBytesMost <= 256 << 20)
        #expect(Set(told).count > 16)
        // One that is told to stop leaves what was free before.
        try engine.startCompaction()
        while engine.compaction.discardedBytes == 0 { _ = try disk.engine.maintenanceStep() }
        engine.stopCompaction()
        for _ in 0..<3 { _ = try disk.engine.maintenanceStep() }
        #expect(!engine.compaction.isRunning)
        #expect(engine.compaction.discardedBytes < end.unusedBytes)
    }

    /// On a real file, by what the kernel says that it takes.
    @Test func `Trimming and collecting give blocks of the host's file system back`() throws {
        let file = TemporaryFile()
        defer { file.remove() }
        var options = DiskOptions(sizeBytes: 64 << 20)
        options.segmentSizeBytes = 1 << 20
        try Disk.create(path: file.path, options)
        let disk = try Disk(path: file.path)
        let buffer = AlignedBuffer(count: 1 << 20)
        unsafe buffer.bytes.initializeMemory(as: UInt8.self, repeating: 7)
        let bytes = UnsafeRawBufferPointer(unsafe buffer.bytes)
        for piece in 0..<64 as Range<UInt64> { try unsafe disk.write(at: piece << 20, bytes) }
        try disk.checkpoint()
        let full = try DiskUsage(path: file.path).allocatedBytes
        #expect(full >= 64 << 20)
        // Whole segments die; the checkpoint gives back what is more than is soon needed.
        try disk.trim(16 << 20..<64 << 20)
        try disk.checkpoint()
        // Right after the checkpoint that this waited for.
        var trimmed = full
        for _ in 0..<1000 where trimmed >= full - (16 << 20) {
            usleep(10_000)
            trimmed = try DiskUsage(path: file.path).allocatedBytes
        }
        #expect(trimmed < full - (16 << 20), "\(full) to \(trimmed)")
        for piece in 0..<32 as Range<UInt64> { try disk.trim(piece << 19..<piece << 19 | 1 << 18) }
        let status = try disk.compact()
        let compacted = try DiskUsage(path: file.path).allocatedBytes
        #expect(
            status.doneCount > 0 && compacted < trimmed - (4 << 20),
            "\(trimmed) to \(compacted)"
        )
        try disk.close(returnsSpace: true)
        let closed = try DiskUsage(path: file.path).allocatedBytes
        #expect(closed < compacted && closed < 14 << 20, "\(compacted) to \(closed)")
        #expect(try DiskCheck.run(path: file.path).findings == [])
        let again = try Disk(path: file.path)
        try unsafe again.read(at: 1 << 18, into: buffer.slice(0..<1 << 18))
        #expect(unsafe buffer.bytes[..<(1 << 18)].allSatisfy { $0 == 7 })
        try again.close()
    }
}
