import FootingSystem
import Testing

@testable import FootingDisk

/// What is written can be read back, and what is damaged or hostile is refused without harm.
@Suite struct FormatTests {
    private let geometry = Geometry(
        sizeBytes: 8 << 20,
        sparePercent: 33,
        segmentSizeBytes: 64 << 10
    )

    private func superblock() -> Superblock {
        Superblock(
            identifier: Identifier(high: 0x1122_3344_5566_7788, low: 0x99aa_bbcc_ddee_ff00),
            generation: 7,
            geometry: geometry,
            root: MapEntry(location: geometry.location(segment: 3, page: 2), checksum: 99),
            lsn: 41,
            lsnChecksum: 0xdead_beef,
            epoch: 5,
            isClean: true,
            tableRegion: 1,
            tableChecksum: 17,
            user: Superblock.Head(sequence: 11, segment: 1, page: 4, next: 5),
            collector: Superblock.Head(sequence: 12, segment: 2, page: 16, next: 6),
            createdUnixSeconds: 1_700_000_000,
            durableLSN: 40
        )
    }

    private func header() -> CommitHeader {
        CommitHeader(
            lsn: 42,
            sequence: 9,
            previousChecksum: 3,
            epoch: 2,
            durableLSN: 40,
            nextSegment: 8,
            descriptorCount: 3,
            payloadCount: 2,
            stream: .collector,
            continues: true,
            page: 5,
            segment: 4
        )
    }

    @Test func `A superblock comes back as it was`() throws {
        let page = AlignedBuffer(count: 4096)
        superblock().store(in: page)
        #expect(try Superblock(page) == superblock())
    }

    @Test func `No flipped bit of a superblock goes unnoticed`() {
        let page = AlignedBuffer(count: 4096)
        superblock().store(in: page)
        for bit in 0..<4096 * 8 where bit < 200 * 8 || bit % 97 == 0 {
            let byte = page.get(UInt8.self, at: bit / 8)
            page.set(byte ^ (1 << UInt8(bit % 8)), at: bit / 8)
            #expect(throws: Superblock.Refusal.self) { _ = try Superblock(page) }
            page.set(byte, at: bit / 8)
        }
    }

    @Test func `An unknown version and unknown features are refused as what they are`() {
        let page = AlignedBuffer(count: 4096)
        superblock().store(in: page)
        page.set(UInt32(2), at: 12)
        page.set(page.checksum(12..<4096), at: 8)
        #expect(throws: Superblock.Refusal.version(2)) { _ = try Superblock(page) }
        superblock().store(in: page)
        page.set(UInt64(1) << 40, at: 32)
        page.set(page.checksum(12..<4096), at: 8)
        #expect(throws: Superblock.Refusal.features(1 << 40)) { _ = try Superblock(page) }
        // Features that may be ignored are.
        superblock().store(in: page)
        page.set(UInt64(4), at: 40)
        page.set(page.checksum(12..<4096), at: 8)
        #expect(throws: Never.self) { _ = try Superblock(page) }
    }

    @Test(
        arguments: [
            (56, 0), (56, 513), (56, UInt64.max), (64, 0), (64, 3 << 16), (64, 1 << 40),
            (72, 0xffff_ffff), (76, 512), (80, UInt64.max), (92, 9), (112, 0x0500),
            (128, 0xffff_ffff), (132, 0xffff_ffff), (136, 0xffff_ffff),
        ] as [(Int, UInt64)]
    )
    func `Impossible numbers under a right checksum are refused`(_ at: Int, _ value: UInt64) {
        let page = AlignedBuffer(count: 4096)
        superblock().store(in: page)
        let isLong = [56, 64, 80].contains(at)
        if isLong { page.set(value, at: at) } else { page.set(UInt32(value), at: at) }
        page.set(page.checksum(12..<4096), at: 8)
        #expect(throws: Superblock.Refusal.self) { _ = try Superblock(page) }
    }

    @Test func `A segment table comes back as it was, and only for its superblock`() {
        var random = SeededRandom(seed: 3)
        let entries = (0..<Int(geometry.segmentCount)).map { _ in
            SegmentEntry(
                sequence: UInt64(random.below(77)),
                liveUnits: UInt32(random.below(128)),
                state: SegmentEntry.State(rawValue: UInt8(random.below(3))) ?? .free,
                hasSpace: random.oneIn(2),
                isQuarantined: random.oneIn(2),
                pagesWritten: random.below(17)
            )
        }
        let region = AlignedBuffer(count: Int(geometry.tableRegionSizeBytes))
        var block = superblock()
        block.tableChecksum = SegmentTable.store(
            entries,
            nextSequence: 77,
            volume: block.volume,
            generation: 7,
            in: region
        )
        let loaded = SegmentTable.load(region, block)
        #expect(loaded?.entries == entries)
        #expect(loaded?.nextSequence == 77)
        for _ in 0..<500 {
            let bit = random.below(region.count * 8)
            let byte = region.get(UInt8.self, at: bit / 8)
            region.set(byte ^ (1 << UInt8(bit % 8)), at: bit / 8)
            #expect(SegmentTable.load(region, block) == nil)
            region.set(byte, at: bit / 8)
        }
        block.tableChecksum ^= 1
        #expect(SegmentTable.load(region, block) == nil)
    }

    @Test func `A commit header comes back as it was`() {
        let page = AlignedBuffer(count: 4096)
        let checksum = header().seal(page, volume: 5)
        #expect(CommitHeader(page, volume: 5) == header())
        #expect(CommitHeader.checksum(of: page) == checksum)
        #expect(CommitHeader(page, volume: 6) == nil)
        var random = SeededRandom(seed: 4)
        for _ in 0..<1000 {
            let bit = random.below(4096 * 8)
            let byte = page.get(UInt8.self, at: bit / 8)
            page.set(byte ^ (1 << UInt8(bit % 8)), at: bit / 8)
            #expect(CommitHeader(page, volume: 5) == nil)
            page.set(byte, at: bit / 8)
        }
    }

    @Test func `A commit header with impossible counts is refused`() {
        let page = AlignedBuffer(count: 4096)
        for (descriptors, payload) in [(0, 0), (337, 1), (65535, 65535), (3, 4)] {
            _ = header().seal(page, volume: 5)
            page.set(UInt16(descriptors), at: 52)
            page.set(UInt16(payload), at: 54)
            page.set(page.checksum(8..<4096), at: 4)
            #expect(CommitHeader(page, volume: 5) == nil)
        }
    }

    @Test func `Descriptors come back as they were, and unknown ones are refused`() throws {
        let page = AlignedBuffer(count: 4096)
        let descriptors = [
            Descriptor(0xff_ffff_ffff, .plain(0xffff_ffff)),
            Descriptor(kind: .trim, block: 0, value: 1 << 31),
            Descriptor(void: 12, units: 3),
            Descriptor(7, try #require(BlockForm(encoding: 2, units: 1, checksum: 9))),
        ]
        for (slot, descriptor) in descriptors.enumerated() {
            Descriptor.store(descriptor, slot, in: page)
        }
        #expect((0..<4).map { Descriptor.load($0, from: page) } == descriptors)
        page.set(UInt8(7), at: 64 + 5)
        #expect(Descriptor.load(0, from: page) == nil)
        page.set(UInt8(1), at: 64 + 12 + 6)
        #expect(Descriptor.load(1, from: page) == nil)
        // Encodings and units that no block has: encoding, units.
        for (encoding, units) in [(0, 7), (0, 9), (1, 0), (1, 8), (2, 8), (3, 1)]
            as [(UInt8, UInt8)]
        {
            page.set(encoding, at: 64 + 36 + 6)
            page.set(units, at: 64 + 36 + 7)
            #expect(Descriptor.load(3, from: page) == nil, "\(encoding) in \(units)")
        }
    }

    @Test func `A map page comes back as it was, and tells what it is`() {
        let page = AlignedBuffer(count: 4096)
        let entry = MapEntry(location: geometry.location(segment: 1, page: 1), checksum: 5)
        MapPage.setEntry(page, 335, entry)
        let identity = MapPage.Identity(level: 2, index: 77)
        _ = MapPage.seal(page, identity, volume: 9, generation: 3)
        #expect(MapPage.identity(page, volume: 9) == identity)
        #expect(MapPage.identity(page, volume: 8) == nil)
        #expect(MapPage.entry(page, 335) == entry)
        #expect(MapPage.entry(page, 0) == .unmapped)
        let isEmpty = MapPage.isEmpty(page)
        #expect(!isEmpty)
    }

    @Test func `A map entry that points anywhere else is refused`() {
        let good = MapEntry(location: geometry.location(segment: 0, page: 0), checksum: 1)
        #expect(good.isValid(in: geometry))
        #expect(MapEntry.unmapped.isValid(in: geometry))
        #expect(!MapEntry(word: 0, checksum: 1).isValid(in: geometry))
        #expect(!MapEntry(word: good.word + 1, checksum: 1).isValidPage(in: geometry))
        #expect(!MapEntry(word: good.word | 1 << 48, checksum: 1).isValid(in: geometry))
        #expect(!MapEntry(word: good.word | 3 << 48, checksum: 1).isValid(in: geometry))
        // Seven units of LZ4 at the very end of a segment, and one further on.
        let end = geometry.location(segment: 1, page: 0).units
        for (start, isValid) in [(end - 7, true), (end - 6, false), (end, true)] {
            let entry = MapEntry(word: start | 7 << 40 | 1 << 48, checksum: 1)
            #expect(entry.isValid(in: geometry) == isValid)
            #expect(!entry.isValidPage(in: geometry))
        }
        let last = geometry.containerSizeBytes / 512
        #expect(!MapEntry(word: (last - 6) | 7 << 40 | 1 << 48, checksum: 1).isValid(in: geometry))
        #expect(!MapEntry(word: 8 | 8 << 40, checksum: 1).isValid(in: geometry))
        #expect(!MapEntry(word: 0xff_ffff_fff8 | 8 << 40, checksum: 1).isValid(in: geometry))
    }

    @Test func `Random bytes are nothing`() {
        let page = AlignedBuffer(count: 4096)
        var random = SeededRandom(seed: 5)
        for _ in 0..<200 {
            for word in 0..<512 { page.set(random.next(), at: word * 8) }
            if random.oneIn(2) {
                // With magics, volumes and checksums that are right.
                page.set(CommitHeader.magic, at: 0)
                page.set(UInt64(5), at: 8)
                page.set(page.checksum(8..<4096), at: 4)
            }
            #expect(throws: Superblock.Refusal.self) { _ = try Superblock(page) }
            if let header = CommitHeader(page, volume: 5) {
                #expect(header.descriptorCount <= 336 && header.payloadCount <= 336)
            }
            for slot in 0..<336 { _ = Descriptor.load(slot, from: page) }
            #expect(MapPage.identity(page, volume: 5) == nil)
        }
    }
}
