import FootingAcceleration
import FootingSimulation
import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingDisk

/// Somebody without the key changes the container, and makes the checksums right again.
@Suite struct TamperTests {
    private static let blockCount = 200

    /// A disk that was closed, with a snapshot.
    private func makeDisk() throws -> EncryptedDisk {
        let disk = try EncryptedDisk()
        let engine = try disk.open()
        for number in 0..<Self.blockCount { try EncryptedDisk.write(engine, number, 1) }
        try engine.createSnapshot("before")
        for number in 0..<Self.blockCount / 2 { try EncryptedDisk.write(engine, number, 2) }
        try engine.close()
        disk.store.restart(.all)
        return disk
    }

    /// Pages of a container of which every byte counts, and where in each a checksum is.
    private struct Used {
        var pages: [(offset: UInt64, checksum: (at: Int, from: Int)?)] = []
        var blocks: [(offset: UInt64, count: Int)] = []
    }

    /// What a disk's trees refer to, found with the key.
    private func used(_ disk: EncryptedDisk) throws -> Used {
        var used = Used()
        let driver = try disk.copy().open()
        let engine = driver.engine
        let (root, records, pages) = engine.state.withLock { state in
            (state.superblock.root, state.snapshots.records, state.snapshots.tablePages)
        }
        for page in pages { used.pages.append((page.offset, (4, 8))) }
        try collect(root, engine.geometry.levels - 1, 0, engine, &used)
        for record in records {
            try collect(record.root, engine.geometry.levels - 1, 0, engine, &used)
        }
        return used
    }

    private func collect(
        _ page: MapEntry,
        _ level: Int,
        _ index: UInt64,
        _ engine: Engine,
        _ used: inout Used
    ) throws {
        guard page.isMapped else { return }
        used.pages.append((page.location.offset, (4, 8)))
        let buffer = AlignedBuffer(count: 4096)
        try engine.reader.read(page, MapPage.Identity(level: level, index: index), into: buffer)
        for slot in 0..<engine.geometry.entriesPerPage {
            let entry = MapPage.entry(buffer, slot)
            guard entry.isMapped else { continue }
            if level == 0 {
                used.blocks.append((entry.location.offset, Int(entry.storedUnits) * 512))
            } else {
                let child = index * UInt64(engine.geometry.entriesPerPage) + UInt64(slot)
                try collect(entry, level - 1, child, engine, &used)
            }
        }
    }

    /// Flips a bit, and makes the page's checksum right if there is one.
    private func tamper(
        _ disk: EncryptedDisk,
        _ offset: UInt64,
        _ byte: Int,
        _ checksum: (at: Int, from: Int)?
    ) {
        var bytes = disk.store.bytes(at: offset, count: 4096)
        bytes[byte] ^= 0x10
        if let checksum, byte < checksum.at || byte >= checksum.at + 4 {
            let sum = unsafe bytes.withUnsafeBytes {
                unsafe Checksum.crc32c(UnsafeRawBufferPointer(rebasing: $0[checksum.from...]))
            }
            for index in 0..<4 {
                bytes[checksum.at + index] = UInt8(truncatingIfNeeded: sum >> UInt32(8 * index))
            }
        }
        disk.store.damage(at: offset, bytes)
    }

    /// Whether opening, reading or the check says so; what is read must be right all the same.
    private func isNoticed(_ disk: EncryptedDisk) -> Bool {
        var isNoticed = false
        do throws(DiskError) {
            isNoticed = try disk.check().findings.contains { $0.severity > .note }
        } catch {
            isNoticed = true
        }
        do throws(DiskError) {
            let engine = try disk.open()
            let snapshot = try engine.openSnapshot("before")
            let buffer = AlignedBuffer(count: 4096)
            for number in 0..<Self.blockCount {
                let round = number < Self.blockCount / 2 ? 2 : 1
                if let found = try? EncryptedDisk.read(engine, number) {
                    #expect(found == EncryptedDisk.content(number, round), "block \(number)")
                } else {
                    isNoticed = true
                }
                let place = unsafe buffer.slice(0..<4096)
                if (try? unsafe snapshot.read(at: UInt64(number) * 4096, into: place)) != nil {
                    let found = unsafe [UInt8](UnsafeRawBufferPointer(place))
                    #expect(found == EncryptedDisk.content(number, 1), "block \(number) before")
                } else {
                    isNoticed = true
                }
            }
        } catch {
            return true
        }
        return isNoticed
    }

    @Test func `Every byte of superblocks, key slots and the table that is changed is found`()
        throws
    {
        let disk = try makeDisk()
        let superblock = try OpenedContainer.readSuperblock(disk.store).0
        let table = disk.geometry.tableOffset(region: superblock.tableRegion)
        var random = SeededRandom(seed: 31)
        let places: [(offset: UInt64, checksum: (at: Int, from: Int)?)] = [
            (0, (8, 12)), (64 << 10, (8, 12)), (4 << 10, nil), (68 << 10, nil), (table, nil),
            (table + 4096, nil),
        ]
        for place in places {
            for _ in 0..<Sanitizer.rounds(12, sanitized: 2) {
                let copy = disk.copy()
                let byte = random.below(4096)
                tamper(copy, place.offset, byte, place.checksum)
                #expect(isNoticed(copy), "byte \(byte) at \(place.offset)")
            }
        }
    }

    @Test func `Both superblocks that were changed alike do not open`() throws {
        let disk = try makeDisk()
        var random = SeededRandom(seed: 32)
        for _ in 0..<Sanitizer.rounds(40, sanitized: 4) {
            let copy = disk.copy()
            // The last bytes are not the least: also where nothing is yet.
            let byte = 12 + random.below(400)
            for offset in Geometry.superblockOffsets { tamper(copy, offset, byte, (8, 12)) }
            #expect(throws: DiskError.self, "byte \(byte)") { _ = try copy.open() }
        }
    }

    @Test func `Every byte of a page or a block that is changed is found`() throws {
        let disk = try makeDisk()
        let used = try used(disk)
        #expect(used.pages.count >= 6 && used.blocks.count >= Self.blockCount)
        var random = SeededRandom(seed: 33)
        for _ in 0..<Sanitizer.rounds(60, sanitized: 4) {
            let copy = disk.copy()
            let page = used.pages[random.below(used.pages.count)]
            let byte = random.below(4096)
            tamper(copy, page.offset, byte, random.oneIn(2) ? page.checksum : nil)
            #expect(isNoticed(copy), "byte \(byte) of the page at \(page.offset)")
        }
        for _ in 0..<Sanitizer.rounds(40, sanitized: 4) {
            let copy = disk.copy()
            let block = used.blocks[random.below(used.blocks.count)]
            tamper(copy, block.offset, random.below(block.count), nil)
            #expect(isNoticed(copy), "the block at \(block.offset)")
        }
    }

    @Test func `A block or page that is put in another's place is found`() throws {
        let disk = try makeDisk()
        let used = try used(disk)
        var random = SeededRandom(seed: 34)
        for places in [used.blocks.map { $0.offset }, used.pages.map { $0.offset }] {
            for _ in 0..<Sanitizer.rounds(10, sanitized: 2) {
                let (from, to) = (random.below(places.count), random.below(places.count))
                if places[from] == places[to] { continue }
                let copy = disk.copy()
                copy.store.damage(
                    at: places[to],
                    copy.store.bytes(at: places[from], count: 4096)
                )
                #expect(isNoticed(copy), "\(places[from]) at \(places[to])")
            }
        }
    }

    /// Where the current tree says that a block is.
    private func place(_ number: UInt64, _ engine: EngineDriver) throws -> UInt64 {
        let root = engine.engine.state.withLock { $0.superblock.mapRoot }
        let answer = try engine.engine.reader.find(number, root: root)
        return try #require(answer).entry.location.offset
    }

    @Test func `A block of before, put back where it was, is found`() throws {
        let disk = try EncryptedDisk()
        let engine = try disk.open()
        // What each block was at each place, until one comes to a place again.
        var before: [UInt64: [UInt64: [UInt8]]] = [:]
        var replayCount = 0
        for round in 1...200 where replayCount < 5 {
            for number in 0..<12 { try EncryptedDisk.write(engine, number, round) }
            try engine.checkpoint()
            for number in 0..<12 as Range<UInt64> {
                let offset = try place(number, engine)
                if let old = before[number]?[offset] {
                    let copy = disk.copy()
                    copy.store.damage(at: offset, old)
                    let opened = try copy.open()
                    let error = #expect(throws: DiskError.self) {
                        _ = try EncryptedDisk.read(opened, Int(number))
                    }
                    #expect(error?.kind == .corrupt, "block \(number) at \(offset)")
                    #expect(try copy.check().findings.isEmpty == false)
                    replayCount += 1
                }
                before[number, default: [:]][offset] = disk.store.bytes(at: offset, count: 4096)
            }
        }
        #expect(replayCount > 0)
    }

    /// What nobody can tell without a memory outside of the container: docs/encryption.md says so.
    @Test func `An older state of the whole container opens as what it was`() throws {
        let disk = try EncryptedDisk()
        let engine = try disk.open()
        for number in 0..<50 { try EncryptedDisk.write(engine, number, 1) }
        try engine.flush()
        disk.store.restart(.none)
        let older = disk.copy()
        let newer = try disk.open()
        for number in 0..<50 { try EncryptedDisk.write(newer, number, 2) }
        try newer.close()
        let opened = try older.open()
        for number in 0..<50 {
            #expect(try EncryptedDisk.read(opened, number) == EncryptedDisk.content(number, 1))
        }
        #expect(try older.check().findings == [])
    }

    /// The log after the last checkpoint: what is changed there may look like its torn end, but is
    /// never taken for data.
    @Test func `A log that was changed gives no wrong data`() throws {
        let disk = try EncryptedDisk()
        let engine = try disk.open()
        for number in 0..<60 { try EncryptedDisk.write(engine, number, 1) }
        try engine.checkpoint()
        for round in 2...4 {
            for number in 0..<30 { try EncryptedDisk.write(engine, number, round) }
            try engine.flush()
        }
        let head = engine.engine.state.withLock { $0.user.head }
        disk.store.restart(.none)
        let range = disk.geometry.range(ofSegment: head.segment)
        var random = SeededRandom(seed: 35)
        for _ in 0..<Sanitizer.rounds(60, sanitized: 4) {
            let copy = disk.copy()
            let page = range.lowerBound + UInt64(random.below(head.page)) * 4096
            tamper(copy, page, random.below(4096), random.oneIn(2) ? (4, 8) : nil)
            guard let opened = try? copy.open() else { continue }
            for number in 0..<60 {
                guard let found = try? EncryptedDisk.read(opened, number) else { continue }
                let rounds = number < 30 ? 1...4 : 1...1
                #expect(rounds.contains { EncryptedDisk.content(number, $0) == found })
            }
        }
    }

    @Test func `A disk that lost its mark of being encrypted does not open`() throws {
        let disk = try makeDisk()
        for count in 1...2 {
            let copy = disk.copy()
            for offset in Geometry.superblockOffsets[..<count] {
                // The byte of the features in which bit 1 is.
                var bytes = copy.store.bytes(at: offset, count: 4096)
                bytes[32] &= ~2
                let sum = unsafe bytes.withUnsafeBytes {
                    unsafe Checksum.crc32c(UnsafeRawBufferPointer(rebasing: $0[12...]))
                }
                for index in 0..<4 {
                    bytes[8 + index] = UInt8(truncatingIfNeeded: sum >> UInt32(8 * index))
                }
                copy.store.damage(at: offset, bytes)
            }
            if count == 2 { #expect(throws: DiskError.self) { _ = try copy.open() } }
            #expect(isNoticed(copy))
        }
    }
}
