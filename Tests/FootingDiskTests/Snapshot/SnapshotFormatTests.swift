import FootingSimulation
import FootingSystem
import Testing

@testable import FootingDisk

/// What is written of snapshots comes back, and what is damaged or hostile does no harm.
@Suite struct SnapshotFormatTests {
    private func made() throws -> (disk: TestDisk, superblock: Superblock) {
        let disk = try TestDisk(sizeBytes: 1 << 20, sparePercent: 200)
        for number in 0..<9 as Range<UInt64> {
            try disk.write(number * 8192, 8192, UInt8(number + 1))
            try disk.engine.createSnapshot("snapshot \(number)")
        }
        try disk.engine.close()
        return (disk, try OpenedContainer.readSuperblock(disk.store).0)
    }

    @Test func `A snapshot in the log comes back as it was`() throws {
        for length in [1, 9, 10, 18, 100, 255] {
            let pending = PendingSnapshot(
                identifier: 0xff_ffff_fffe,
                name: String(repeating: "n", count: length),
                createdUnixSeconds: 0x1122_3344_5566_7788
            )
            let descriptors = pending.descriptors
            #expect(descriptors.count <= PendingSnapshot.descriptorCountMax)
            let page = AlignedBuffer(count: 4096)
            for (slot, descriptor) in descriptors.enumerated() {
                Descriptor.store(descriptor, slot, in: page)
            }
            #expect(try PendingSnapshot(header(descriptors.count), page) == pending)
            // One descriptor less, or more, and it is none.
            #expect(throws: DiskError.self) {
                _ = try PendingSnapshot(header(descriptors.count - 1), page)
            }
            Descriptor.store(descriptors[1], descriptors.count, in: page)
            #expect(throws: DiskError.self) {
                _ = try PendingSnapshot(header(descriptors.count + 1), page)
            }
        }
    }

    private func header(_ count: Int) -> CommitHeader {
        CommitHeader(
            lsn: 1,
            sequence: 1,
            previousChecksum: 0,
            epoch: 1,
            durableLSN: 0,
            nextSegment: 1,
            descriptorCount: count,
            payloadCount: 0,
            stream: .user,
            continues: false,
            page: 0,
            segment: 0
        )
    }

    @Test func `The table comes back as it was, over more than one page`() throws {
        let (disk, superblock) = try made()
        let table = try SnapshotTable.records(superblock, disk.store)
        #expect(table.records.map { $0.name } == (0..<9).map { "snapshot \($0)" })
        #expect(table.pages.locations.count == 2)
        for record in table.records {
            let counts = try SnapshotTable.counts(
                of: record,
                volume: superblock.volume,
                disk.store,
                disk.geometry
            ).counts
            #expect(counts.reduce(0) { $0 + UInt64($1) } == record.unitCount)
        }
    }

    @Test func `Damage to the table or to counts is named by the check`() throws {
        for isTable in [true, false] {
            let (disk, superblock) = try made()
            let table = try SnapshotTable.records(superblock, disk.store)
            let record = try #require(table.records.dropFirst(4).first)
            let place = isTable ? superblock.snapshots.table : record.counts
            disk.store.rot(sector: place.location.units, bit: 800)
            let report = try disk.check()
            #expect(report.worst == .error)
            let wanted = isTable ? "the table of snapshots" : "what snapshot 5 refers to"
            #expect(report.findings.contains { $0.what.contains(wanted) })
            let error = #expect(throws: DiskError.self) {
                _ = try EngineDriver.open(
                    store: disk.store,
                    options: disk.options,
                    clock: disk.clock
                )
            }
            #expect(error?.kind == .corrupt)
        }
    }

    @Test func `A damaged block that only a snapshot has is named with the snapshot`() throws {
        let disk = try TestDisk(sizeBytes: 1 << 20, sparePercent: 200)
        try disk.write(0, 65536, 1)
        try disk.engine.createSnapshot("old")
        try disk.engine.checkpoint()
        let record = try disk.engine.engine.settledSnapshot("old", "test")
        let answer = try disk.engine.engine.reader.find(
            3,
            root: MapRoot(record.root, disk.geometry)
        )
        try disk.write(0, 65536, 2)
        try disk.engine.close()
        #expect(try disk.check().findings == [])
        #expect(try disk.check().snapshotCount == 1)
        disk.store.rot(sector: try #require(answer).entry.location.units, bit: 7)
        let findings = try disk.check().findings
        #expect(findings.count == 1)
        #expect(findings.first?.what.hasPrefix("snapshot 'old': block 3 ") == true)
    }

    @Test func `Counts that the tree contradicts are found`() throws {
        let (disk, superblock) = try made()
        let table = try SnapshotTable.records(superblock, disk.store)
        let record = try #require(table.records.last)
        var page = disk.store.bytes(at: record.counts.location.offset, count: 4096)
        page[64] ^= 8
        try reseal(disk, superblock, record, page)
        let findings = try disk.check().findings
        #expect(findings.contains { $0.what.contains("is said to") && $0.severity > .note })
    }

    /// Puts a changed page of counts back, with right checksums all the way up.
    private func reseal(
        _ disk: TestDisk,
        _ superblock: Superblock,
        _ record: SnapshotRecord,
        _ bytes: [UInt8]
    ) throws {
        let counts = seal(disk, record.counts.location.offset, bytes)
        // The last record is the second one of the table's second page.
        let first = superblock.snapshots.table.location.offset
        var head = disk.store.bytes(at: first, count: 4096)
        let second = number(head, at: 40, bytes: 5) * 512
        var tail = disk.store.bytes(at: second, count: 4096)
        put(counts, in: &tail, at: 64 + 512 + 64)
        put(seal(disk, second, tail), in: &head, at: 48)
        var changed = superblock
        changed.snapshots.table = MapEntry(
            word: superblock.snapshots.table.word,
            checksum: seal(disk, first, head)
        )
        store(changed, disk)
    }

    private func store(_ superblock: Superblock, _ disk: TestDisk) {
        let page = AlignedBuffer(count: 4096)
        superblock.store(in: page)
        for offset in Geometry.superblockOffsets {
            disk.store.damage(at: offset, unsafe [UInt8](page.bytes))
        }
    }

    private func number(_ bytes: [UInt8], at offset: Int, bytes count: Int) -> UInt64 {
        (0..<count).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64($1 * 8) }
    }

    private func put(_ value: UInt32, in bytes: inout [UInt8], at offset: Int) {
        for index in 0..<4 { bytes[offset + index] = UInt8(value >> UInt32(index * 8) & 255) }
    }

    /// Writes a page with a right checksum, which is returned.
    private func seal(_ disk: TestDisk, _ offset: UInt64, _ bytes: [UInt8]) -> UInt32 {
        var bytes = bytes
        let checksum = unsafe bytes[8...].withUnsafeBytes { unsafe Checksum.crc32c($0) }
        put(checksum, in: &bytes, at: 4)
        disk.store.damage(at: offset, bytes)
        return checksum
    }

    /// Random bytes in every field, all checksums right: nothing may trap, whatever it says.
    @Test func `A hostile table does no harm`() throws {
        let (disk, superblock) = try made()
        let first = superblock.snapshots.table.location.offset
        let original = disk.store.bytes(at: first, count: 4096)
        var random = SeededRandom(seed: 11)
        var openedCount = 0
        for round in 0..<400 {
            let copy = TestDisk(copying: disk, seed: UInt64(round))
            var page = original
            var changed = superblock
            for _ in 0..<1 + random.below(3) {
                let at = random.oneIn(3) ? random.below(64) : 64 + random.below(512)
                page[at] = UInt8(truncatingIfNeeded: random.next())
            }
            if random.oneIn(4) { changed.snapshots.count = UInt32(random.below(9)) }
            changed.snapshots.table = MapEntry(
                word: superblock.snapshots.table.word,
                checksum: seal(copy, first, page)
            )
            store(changed, copy)
            _ = try? copy.check()
            guard
                let driver = try? EngineDriver.open(
                    store: copy.store,
                    options: copy.options,
                    clock: copy.clock
                ).driver
            else { continue }
            openedCount += 1
            for snapshot in driver.snapshots() { use(snapshot.name, driver, random) }
            try? driver.close()
        }
        #expect(openedCount > 10)
    }

    private func use(_ name: String, _ driver: EngineDriver, _ random: SeededRandom) {
        let buffer = AlignedBuffer(count: 65536)
        if let snapshot = try? driver.openSnapshot(name) {
            let end = min(snapshot.sizeBytes, 65536) / 512 * 512
            try? unsafe snapshot.read(at: 0, into: buffer.slice(0..<Int(end)))
            _ = try? snapshot.extents(0..<snapshot.sizeBytes, limit: 16)
        }
        var random = random
        if random.oneIn(2) { try? driver.rollBack(to: name) }
        if random.oneIn(2) { try? driver.deleteSnapshot(name) }
        for _ in 0..<4 where driver.admits(blocks: 20) {
            try? unsafe driver.write(at: 0, UnsafeRawBufferPointer(buffer.bytes))
        }
    }
}
