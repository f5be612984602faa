import FootingSimulation
import FootingSystem
import Testing

@testable import FootingDisk

/// A checker that is worth it names what is damaged, where, and what follows.
@Suite struct CheckTests {
    /// A disk with two leaves, an inner page, and a commit that no checkpoint has taken in.
    private func disk() throws -> (disk: TestDisk, superblock: Superblock) {
        let disk = try TestDisk(sizeBytes: 2 << 20)
        try disk.write(0, 65536, 1)
        try disk.write((2 << 20) - 8192, 8192, 2)
        try disk.engine.checkpoint()
        try disk.write(131_072, 4096, 3)
        try disk.engine.flush()
        let superblock = try OpenedContainer.readSuperblock(disk.store).0
        return (disk, superblock)
    }

    private func damage(_ disk: TestDisk, at offset: UInt64) throws -> CheckFinding {
        disk.store.rot(sector: offset / 512, bit: Int(offset % 512) * 8)
        let before = disk.store.bytes(at: 0, count: Int(disk.geometry.containerSizeBytes))
        let report = try disk.check()
        #expect(disk.store.bytes(at: 0, count: before.count) == before)
        return try #require(report.findings.first)
    }

    @Test func `A sound disk has no findings, and all of it is looked at`() throws {
        let (disk, _) = try disk()
        let steps = Locked<[CheckProgress]>([])
        let report = try DiskCheck.run(store: disk.store) { step in
            steps.withLock { $0.append(step) }
        }
        #expect(report.findings == [])
        #expect(report.blockCount == 19)
        #expect(report.mapPageCount == 3)
        #expect(report.commitCount == 1)
        #expect(!report.wasClean)
        #expect(report.bytesVerified >= 22 * 4096)
        let last = steps.withLock { $0.last }
        #expect(last?.bytesDone == last?.bytesTotal)
    }

    @Test(arguments: [0, 65536] as [UInt64])
    func `A damaged superblock is named, and the other is used`(_ offset: UInt64) throws {
        let (disk, _) = try disk()
        let finding = try damage(disk, at: offset + 60)
        #expect(finding.severity == .warning)
        #expect(finding.offset == offset)
        #expect(finding.what.hasPrefix("superblock \(offset == 0 ? "A" : "B")"))
        #expect(try disk.check().findings.count == 1)
    }

    @Test func `Two damaged superblocks are the end`() throws {
        let (disk, _) = try disk()
        disk.store.rot(sector: 0, bit: 900)
        let report = try {
            disk.store.rot(sector: 128, bit: 900)
            return try disk.check()
        }()
        #expect(report.worst == .error)
    }

    @Test func `A damaged segment table is named, and the data is checked all the same`() throws {
        let (disk, superblock) = try disk()
        let offset = disk.geometry.tableOffset(region: superblock.tableRegion)
        let finding = try damage(disk, at: offset + 4096)
        #expect(finding.severity == .error)
        #expect(finding.offset == offset)
        #expect(try disk.check().blockCount == 19)
    }

    @Test func `A damaged root hides the map, a damaged leaf only its blocks`() throws {
        let (disk, superblock) = try disk()
        let page = AlignedBuffer(count: 4096)
        let root = superblock.root.location.offset
        try unsafe disk.store.read(at: root, into: page.slice(0..<4096))
        let leaf = MapPage.entry(page, 1)
        let finding = try damage(disk, at: leaf.location.offset + 100)
        #expect(finding.severity == .error)
        #expect(finding.offset == leaf.location.offset)
        #expect(finding.what.contains("map page 1 of level 0"))
        #expect(finding.consequence == "blocks 336 to 511 cannot be read")
        #expect(try disk.check().blockCount == 17)
        let second = try damage(disk, at: root + 8)
        #expect(second.what.contains("map page 0 of level 1"))
        #expect(try disk.check().blockCount == 1)
    }

    @Test func `A damaged block is named, and the others are checked`() throws {
        let (disk, _) = try disk()
        let offset = disk.geometry.segmentsOffset + 4096 * 3
        let finding = try damage(disk, at: offset + 5)
        #expect(finding.severity == .error)
        #expect(finding.what.contains("block 2 does not have the checksum"))
        #expect(finding.offset == offset)
        #expect(try disk.check().findings.count == 1)
        #expect(try disk.check().blockCount == 19)
    }

    @Test func `A durable commit that is gone is named`() throws {
        let (disk, superblock) = try disk()
        for value in 1..<5 as Range<UInt8> {
            try disk.write(200_704, 4096, value)
            try disk.engine.flush()
        }
        let offset = disk.geometry.offset(
            segment: superblock.user.segment,
            page: superblock.user.page
        )
        let finding = try damage(disk, at: offset + 20)
        #expect(finding.severity == .error)
        #expect(finding.what.hasPrefix("the log"))
        #expect(finding.consequence.hasPrefix("the disk cannot be opened"))
    }

    @Test func `Wrong live counts and blocks in free segments are named`() throws {
        let (disk, superblock) = try disk()
        let region = AlignedBuffer(count: Int(disk.geometry.tableRegionSizeBytes))
        let offset = disk.geometry.tableOffset(region: superblock.tableRegion)
        try unsafe disk.store.read(at: offset, into: region.slice(0..<region.count))
        let loaded = SegmentTable.load(region, superblock)
        var (entries, next) = try #require(loaded)
        let segment = Int(disk.geometry.segment(of: superblock.root.location))
        entries[segment].liveUnits += 8
        entries[segment].state = .free
        try store(entries, next, superblock, disk)
        let report = try disk.check()
        #expect(report.findings.map { $0.severity } == [.warning, .error])
        #expect(report.findings[0].what.contains("segment \(segment) has"))
        #expect(report.findings[1].what.contains("free in the table"))
    }

    /// Stores a table and the superblocks that name it, with checksums that are right.
    private func store(
        _ entries: [SegmentEntry],
        _ nextSequence: UInt64,
        _ superblock: Superblock,
        _ disk: TestDisk
    ) throws {
        let region = AlignedBuffer(count: Int(disk.geometry.tableRegionSizeBytes))
        var superblock = superblock
        superblock.tableChecksum = SegmentTable.store(
            entries,
            nextSequence: nextSequence,
            volume: superblock.volume,
            generation: superblock.generation,
            in: region
        )
        disk.store.damage(
            at: disk.geometry.tableOffset(region: superblock.tableRegion),
            unsafe [UInt8](region.slice(0..<Int(disk.geometry.tableRegionSizeBytes)))
        )
        try storeSuperblock(superblock, disk)
    }

    private func storeSuperblock(_ superblock: Superblock, _ disk: TestDisk) throws {
        let page = AlignedBuffer(count: 4096)
        superblock.store(in: page)
        for offset in Geometry.superblockOffsets {
            disk.store.damage(at: offset, unsafe [UInt8](page.slice(0..<4096)))
        }
    }

    @Test func `Two blocks in one place, and blocks that cannot be, are named`() throws {
        var (disk, superblock) = try disk()
        let geometry = disk.geometry
        let page = AlignedBuffer(count: 4096)
        let root = AlignedBuffer(count: 4096)
        let rootOffset = superblock.root.location.offset
        try unsafe disk.store.read(at: rootOffset, into: root.slice(0..<4096))
        let leaf = MapPage.entry(root, 0).location
        try unsafe disk.store.read(at: leaf.offset, into: page.slice(0..<4096))
        MapPage.setEntry(page, 1, MapPage.entry(page, 0))
        MapPage.setEntry(page, 2, MapEntry(word: 9 | 8 << 40, checksum: 1))
        let identity = MapPage.Identity(level: 0, index: 0)
        let sum = MapPage.seal(page, identity, volume: superblock.volume, generation: 9)
        disk.store.damage(at: leaf.offset, unsafe [UInt8](page.slice(0..<4096)))
        MapPage.setEntry(root, 0, MapEntry(location: leaf, checksum: sum))
        let top = MapPage.Identity(level: geometry.levels - 1, index: 0)
        let rootSum = MapPage.seal(root, top, volume: superblock.volume, generation: 9)
        disk.store.damage(at: rootOffset, unsafe [UInt8](root.slice(0..<4096)))
        superblock.root = MapEntry(location: superblock.root.location, checksum: rootSum)
        try storeSuperblock(superblock, disk)
        let report = try disk.check()
        #expect(report.findings.contains { $0.what == "block 1 is where something else is" })
        #expect(report.findings.contains { $0.what.contains("block 2 is where none can be") })
        #expect(report.worst == .error)
    }

    @Test func `What is no container is no finding but an error`() throws {
        let error = #expect(throws: DiskError.self) {
            try DiskCheck.run(store: SimulatedStore(sizeBytes: 1 << 20, seed: 1))
        }
        #expect(error?.kind == .unsupported)
    }
}
