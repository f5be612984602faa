import FootingSimulation
import FootingSystem
import Testing

@testable import FootingDisk

/// What is written to the container, and what is in it: as the store saw it.
@Suite struct TrafficTests {
    @Test func `every byte that the store gets is counted, by what it is for`() throws {
        var disk = try TestDisk(sizeBytes: 4 << 20)
        let formatted = disk.store.writtenBytes
        try disk.restart()
        let opened = disk.store.writtenBytes
        let start = disk.engine.statistics.written
        #expect(start.superblockBytes == opened - formatted)
        #expect(start.totalBytes == start.superblockBytes)
        #expect(disk.engine.statistics.writeAmplification == nil)
        for block in 0..<100 as Range<UInt64> { try disk.write(block * 4096, 4096, 7) }
        try disk.engine.flush()
        let log = disk.engine.statistics.written
        #expect(log.logBytes == disk.store.writtenBytes - opened)
        #expect(log.logBytes > 100 * 4096)
        try disk.engine.checkpoint()
        let written = disk.engine.statistics.written
        #expect(written.totalBytes == disk.store.writtenBytes - formatted)
        #expect(written.mapBytes == disk.engine.statistics.mapPagesWritten * 4096)
        #expect(written.mapBytes > 0)
        #expect(written.tableBytes == disk.geometry.tableRegionSizeBytes)
        #expect(
            disk.engine.statistics.writeAmplification
                == Double(disk.store.writtenBytes - formatted) / (100 * 4096)
        )
    }

    @Test func `what is overwritten is dead until the collector wins it back`() throws {
        let disk = try TestDisk(sizeBytes: 4 << 20)
        for _ in 0..<3 {
            for block in 0..<200 as Range<UInt64> { try disk.write(block * 4096, 4096, 7) }
            try disk.engine.flush()
        }
        try disk.engine.checkpoint()
        let space = disk.engine.space
        let live = 200 * 4096 + disk.engine.statistics.mapPagesWritten * 4096
        #expect(space.liveBytes <= live && space.liveBytes > 200 * 4096)
        #expect(space.deadBytes > 0)
        let all =
            space.freeSegmentCount + space.unallocatedSegmentCount + space.usedSegmentCount
        #expect(all == UInt64(disk.geometry.segmentCount))
        #expect(space.segmentBytes == disk.geometry.segmentSizeBytes)
        #expect(space.liveBytes + space.deadBytes <= space.usedSegmentCount * space.segmentBytes)
        try disk.engine.trim(0..<4 << 20)
        try disk.engine.checkpoint()
        #expect(disk.engine.space.liveBytes < 200 * 4096)
    }

    @Test func `flushes of one synchronization are one group`() throws {
        let disk = try TestDisk()
        try disk.write(0, 4096, 1)
        try disk.engine.flush()
        try disk.engine.flush()
        // The second found everything durable: it waited for nothing.
        #expect(disk.engine.statistics.flushGroups.flushCount == 1)
        #expect(disk.engine.statistics.flushGroups.counts[0] == 1)
    }

    @Test func `groups of flushes are counted by the next power of two`() {
        var groups = FlushGroups()
        for size in [0, 1, 2, 3, 4, 5, 256, 257, 100_000] { groups.add(size) }
        #expect(groups.counts == [1, 1, 2, 1, 0, 0, 0, 0, 1, 2])
        #expect(groups.flushCount == 1 + 2 + 3 + 4 + 5 + 256 + 257 + 100_000)
    }
}
