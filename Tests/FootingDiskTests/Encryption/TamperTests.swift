import FootingAcceleration
import FootingSimulation
import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingDisk

/// Somebody without the key changes the container, and makes the checksums right again.
@Suite struct TamperTests {
    private let tampering = Tampering(blockCount: 200)

    /// Superblocks and key slots, both copies of each.
    enum Structure: CaseIterable {
        case superblocks
        case keySlots

        var offsets: [UInt64] {
            self == .superblocks ? Geometry.superblockOffsets : Geometry.keySlotsOffsets
        }

        var sum: Tampering.Sum { self == .superblocks ? .superblock : .keySlots }
    }

    @Test(arguments: Structure.allCases, [[0], [1], [0, 1]])
    func `Each byte of superblocks and key slots that is changed is found`(
        _ structure: Structure,
        _ copies: [Int]
    ) throws {
        let disk = try Tampering(blockCount: 12).makeDisk(sizeBytes: 256 << 10)
        let offsets = copies.map { structure.offsets[$0] }
        let before = offsets.map { disk.store.bytes(at: $0, count: 4096) }
        for byte in stride(from: 0, to: 4096, by: Sanitizer.rounds(1, sanitized: 101)) {
            for (offset, page) in zip(offsets, before) {
                disk.store.damage(at: offset, Tampering.changed(page, byte, structure.sum))
            }
            #expect(Tampering.isChecked(disk), "byte \(byte) of copies \(copies)")
            // Of two that were changed alike none is right; with one that is the disk opens.
            if copies.count == 2 {
                #expect(throws: DiskError.self, "byte \(byte)") { _ = try disk.copy().open() }
            } else if byte % 128 == 7 {
                let opened = try disk.copy().open()
                #expect(try EncryptedDisk.read(opened, 3) == EncryptedDisk.content(3, 2))
            }
        }
        for (offset, page) in zip(offsets, before) { disk.store.damage(at: offset, page) }
        #expect(!Tampering.isChecked(disk))
    }

    @Test func `Each byte of the segment table that is changed is found`() throws {
        let disk = try Tampering(blockCount: 12).makeDisk(sizeBytes: 256 << 10)
        let superblock = try OpenedContainer.readSuperblock(disk.store).0
        let start = disk.geometry.tableOffset(region: superblock.tableRegion)
        for page in 0..<disk.geometry.tableRegionSizeBytes / 4096 {
            let offset = start + page * 4096
            let before = disk.store.bytes(at: offset, count: 4096)
            for byte in stride(from: 0, to: 4096, by: Sanitizer.rounds(1, sanitized: 101)) {
                // Whoever changes it cannot make its checksum right: that is in the superblock.
                disk.store.damage(at: offset, Tampering.changed(before, byte, nil))
                #expect(Tampering.isChecked(disk), "byte \(byte) of page \(page)")
            }
            disk.store.damage(at: offset, before)
        }
    }

    @Test(arguments: [false, true])
    func `Each byte of a small disk's pages and blocks that is changed is found`(
        isCorrected: Bool
    ) throws {
        let disk = try Tampering(blockCount: 12).makeDisk(sizeBytes: 256 << 10)
        let used = try Tampering.used(disk)
        // The snapshots' table, both trees, and blocks of each.
        #expect(used.pages.count >= 3 && used.blocks.count >= 12)
        var pages = used.pages.map { (offset: $0.offset, sum: isCorrected ? $0.sum : nil) }
        if !isCorrected { for block in used.blocks.prefix(2) { pages.append((block.offset, nil)) } }
        for page in pages {
            let before = disk.store.bytes(at: page.offset, count: 4096)
            for byte in stride(from: 0, to: 4096, by: Sanitizer.rounds(1, sanitized: 101)) {
                disk.store.damage(at: page.offset, Tampering.changed(before, byte, page.sum))
                #expect(Tampering.isChecked(disk), "byte \(byte) of the page at \(page.offset)")
            }
            disk.store.damage(at: page.offset, before)
        }
        #expect(!Tampering.isChecked(disk))
    }

    @Test func `A byte of a page or a block that is changed gives no wrong data`() throws {
        let disk = try tampering.makeDisk()
        let used = try Tampering.used(disk)
        #expect(used.pages.count >= 6 && used.blocks.count >= tampering.blockCount)
        var random = SeededRandom(seed: 33)
        for _ in 0..<Sanitizer.rounds(100, sanitized: 4) {
            let copy = disk.copy()
            let page = used.pages[random.below(used.pages.count)]
            let byte = random.below(4096)
            Tampering.tamper(copy, page.offset, byte, random.oneIn(2) ? page.sum : nil)
            #expect(tampering.isNoticed(copy), "byte \(byte) of the page at \(page.offset)")
        }
        for _ in 0..<Sanitizer.rounds(60, sanitized: 4) {
            let copy = disk.copy()
            let block = used.blocks[random.below(used.blocks.count)]
            Tampering.tamper(copy, block.offset, random.below(block.count), nil)
            #expect(tampering.isNoticed(copy), "the block at \(block.offset)")
        }
    }

    @Test func `A block or page that is put in another's place is found`() throws {
        let disk = try tampering.makeDisk()
        let used = try Tampering.used(disk)
        var random = SeededRandom(seed: 34)
        for places in [used.blocks.map { $0.offset }, used.pages.map { $0.offset }] {
            for _ in 0..<Sanitizer.rounds(20, sanitized: 2) {
                let (from, to) = (random.below(places.count), random.below(places.count))
                if places[from] == places[to] { continue }
                let copy = disk.copy()
                copy.store.damage(
                    at: places[to],
                    copy.store.bytes(at: places[from], count: 4096)
                )
                #expect(tampering.isNoticed(copy), "\(places[from]) at \(places[to])")
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
        for _ in 0..<Sanitizer.rounds(120, sanitized: 4) {
            let copy = disk.copy()
            let page = range.lowerBound + UInt64(random.below(head.page)) * 4096
            Tampering.tamper(copy, page, random.below(4096), random.oneIn(2) ? .page : nil)
            guard let opened = try? copy.open() else { continue }
            for number in 0..<60 {
                guard let found = try? EncryptedDisk.read(opened, number) else { continue }
                let rounds = number < 30 ? 1...4 : 1...1
                #expect(rounds.contains { EncryptedDisk.content(number, $0) == found })
            }
        }
    }

    @Test func `A disk that lost its mark of being encrypted does not open`() throws {
        let disk = try tampering.makeDisk()
        for count in 1...2 {
            let copy = disk.copy()
            for offset in Geometry.superblockOffsets[..<count] {
                // The byte of the features in which bit 1 is.
                var bytes = copy.store.bytes(at: offset, count: 4096)
                bytes[32] &= ~2
                Tampering.correct(&bytes, .superblock)
                copy.store.damage(at: offset, bytes)
            }
            if count == 2 { #expect(throws: DiskError.self) { _ = try copy.open() } }
            #expect(tampering.isNoticed(copy))
        }
    }
}
