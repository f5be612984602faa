import FootingAcceleration
import FootingSimulation
import FootingSystem
import Testing

@testable import FootingDisk

/// Somebody without the key puts parts of containers in place of others.
@Suite struct SpliceTests {
    private let tampering = Tampering(blockCount: 200)

    /// Another disk that the same key file opens, with the same content.
    private func makeOther() throws -> EncryptedDisk {
        try tampering.makeDisk(seed: 77, identifier: Identifier(high: 5, low: 6))
    }

    private func segments(_ disk: EncryptedDisk) -> Range<UInt32> {
        0..<UInt32(disk.geometry.segmentCount)
    }

    private func bytes(_ segment: UInt32, _ disk: EncryptedDisk) -> [UInt8] {
        let range = disk.geometry.range(ofSegment: segment)
        return disk.store.bytes(
            at: range.lowerBound,
            count: Int(range.upperBound - range.lowerBound)
        )
    }

    /// Segments that a disk's trees refer to.
    private func usedSegments(_ disk: EncryptedDisk) throws -> Set<UInt32> {
        let used = try Tampering.used(disk)
        let offsets = used.pages.map { $0.offset } + used.blocks.map { $0.offset }
        return Set(offsets.map { disk.geometry.segment(of: Location(units: $0 / 512)) })
    }

    @Test func `A whole segment from elsewhere is found`() throws {
        let disk = try tampering.makeDisk()
        let other = try makeOther()
        let used = try usedSegments(disk)
        #expect(used.count > 20)
        var random = SeededRandom(seed: 41)
        for target in used.sorted() where random.oneIn(2) {
            let start = disk.geometry.range(ofSegment: target).lowerBound
            let own = bytes(target, disk)
            let source = UInt32(random.below(Int(disk.geometry.segmentCount)))
            for (name, donor) in [
                ("segment \(source)", bytes(source, disk)),
                ("the other disk's", bytes(target, other)),
            ] where donor != own {
                let copy = disk.copy()
                copy.store.damage(at: start, donor)
                #expect(tampering.isNoticed(copy), "\(name) in place of segment \(target)")
            }
        }
    }

    /// Two disks that went on from one have the same keys: what proves a part of the one does not
    /// lead to the blocks of the other.
    @Test func `A superblock or a table of a copy that went on by itself is found`() throws {
        let disk = try tampering.makeDisk()
        let fork = disk.copy(seed: 9)
        let engine = try fork.open()
        for number in 0..<tampering.blockCount { try EncryptedDisk.write(engine, number, 3) }
        try engine.close()
        fork.store.restart(.all)
        let forked = fork.geometry
        // Its superblock is the later one, and proved by the same key.
        for offset in Geometry.superblockOffsets {
            let copy = disk.copy()
            copy.store.damage(at: offset, fork.store.bytes(at: offset, count: 4096))
            #expect(tampering.isNoticed(copy))
        }
        let superblock = try OpenedContainer.readSuperblock(fork.store).0
        let table = forked.tableOffset(region: superblock.tableRegion)
        let size = Int(forked.tableRegionSizeBytes)
        for region in 0..<2 as Range<Int> {
            let copy = disk.copy()
            let target = forked.tableOffset(region: region)
            copy.store.damage(at: target, fork.store.bytes(at: table, count: size))
            let current = try OpenedContainer.readSuperblock(disk.store).0.tableRegion
            #expect(tampering.isNoticed(copy) == (region == current), "region \(region)")
        }
    }

    @Test func `Superblocks, tables and slots of another disk are found`() throws {
        let disk = try tampering.makeDisk()
        let other = try makeOther()
        let table = disk.geometry.tableOffset(region: 0)
        let tableSize = Int(2 * disk.geometry.tableRegionSizeBytes)
        let parts: [(offsets: [UInt64], count: Int)] = [
            (Geometry.superblockOffsets, 4096), (Geometry.keySlotsOffsets, 4096),
            ([table], tableSize), (Geometry.superblockOffsets + Geometry.keySlotsOffsets, 4096),
        ]
        for part in parts {
            let copy = disk.copy()
            for offset in part.offsets {
                copy.store.damage(at: offset, other.store.bytes(at: offset, count: part.count))
            }
            #expect(tampering.isNoticed(copy), "\(part.count) bytes at \(part.offsets)")
        }
    }

    // MARK: - The log

    /// How many of the changed containers opened, and what could be read of them.
    private struct Tally {
        var openings = 0
        var blocksRead = 0
    }

    /// A disk whose log was not closed, and what was written after its checkpoint, in order.
    private struct Logged {
        let disk: EncryptedDisk
        let writes: [(number: Int, round: Int)]
        static let blockCount = 24
        static let rounds = 2...4

        init(_ disk: EncryptedDisk) throws {
            let engine = try disk.open()
            for number in 0..<Self.blockCount { try EncryptedDisk.write(engine, number, 1) }
            try engine.checkpoint()
            var writes: [(number: Int, round: Int)] = []
            for round in Self.rounds {
                for number in stride(from: 0, to: Self.blockCount, by: 2) {
                    try EncryptedDisk.write(engine, number, round)
                    writes.append((number: number, round: round))
                    if number % 6 == 0 { try engine.flush() }
                }
            }
            try engine.flush()
            disk.store.restart(.none)
            self.disk = disk
            self.writes = writes
        }

        /// Pages with the header of a commit.
        var headers: [UInt64] {
            (0..<disk.store.sizeBytes / 4096).map { $0 * 4096 }.filter { offset in
                let start = disk.store.bytes(at: offset, count: 4)
                return start == Array("FTCM".utf8)
            }
        }

        /// Whether what can be read of a container was there after one of the writes.
        ///
        /// - Parameter tally: so that what opens nothing at all does not pass for right.
        func isPrefix(_ changed: EncryptedDisk, _ tally: inout Tally) -> Bool {
            guard let engine = try? changed.open() else { return true }
            tally.openings += 1
            var found: [[UInt8]?] = []
            for number in 0..<Self.blockCount {
                found.append(try? EncryptedDisk.read(engine, number))
            }
            tally.blocksRead += found.count { $0 != nil }
            var state = [Int](repeating: 1, count: Self.blockCount)
            func fits() -> Bool {
                zip(found, state).enumerated().allSatisfy { number, pair in
                    pair.0.map { $0 == EncryptedDisk.content(number, pair.1) } ?? true
                }
            }
            if fits() { return true }
            for (number, round) in writes {
                state[number] = round
                if fits() { return true }
            }
            return false
        }
    }

    /// What was not changed gives all that was written.
    private func requireWhole(_ logged: Logged) throws {
        let engine = try logged.disk.copy().open()
        for number in 0..<Logged.blockCount {
            let round = number % 2 == 0 ? Logged.rounds.upperBound : 1
            let found = try EncryptedDisk.read(engine, number)
            try #require(found == EncryptedDisk.content(number, round), "block \(number)")
        }
    }

    @Test func `Commits from elsewhere in the log give no wrong data`() throws {
        let logged = try Logged(EncryptedDisk())
        let other = try Logged(EncryptedDisk(seed: 78, identifier: Identifier(high: 5, low: 6)))
        let headers = logged.headers
        #expect(headers.count > 12 && other.headers == headers)
        try requireWhole(logged)
        var (tally, copies) = (Tally(), 0)
        var random = SeededRandom(seed: 42)
        for target in headers {
            for source in headers {
                for (donor, pages) in [(logged.disk, 1), (logged.disk, 4), (other.disk, 4)] {
                    if donor.store === logged.disk.store, source == target { continue }
                    if !random.oneIn(4) { continue }
                    let copy = logged.disk.copy()
                    let count = min(pages * 4096, Int(copy.store.sizeBytes - max(source, target)))
                    copy.store.damage(
                        at: target,
                        donor.store.bytes(at: source, count: count)
                    )
                    copies += 1
                    let isPrefix = logged.isPrefix(copy, &tally)
                    #expect(isPrefix, "\(source) at \(target), \(count) bytes")
                }
            }
        }
        #expect(tally.openings >= copies / 100, "\(tally), \(copies)")
        #expect(tally.blocksRead >= 12 * tally.openings, "\(tally)")
    }

    /// The end of the log can be cut off, as docs/encryption.md says, but nothing put in its place.
    @Test func `A log of before gives what was there before, or nothing`() throws {
        let first = try EncryptedDisk()
        let engine = try first.open()
        for number in 0..<Logged.blockCount { try EncryptedDisk.write(engine, number, 9) }
        try engine.close()
        first.store.restart(.all)
        let older = first.copy(seed: 6)
        let logged = try Logged(first)
        try requireWhole(logged)
        var tally = Tally()
        for segment in segments(first) {
            let copy = logged.disk.copy()
            let start = copy.geometry.range(ofSegment: segment).lowerBound
            copy.store.damage(at: start, bytes(segment, older))
            let isPrefix = logged.isPrefix(copy, &tally)
            #expect(isPrefix, "segment \(segment)")
        }
        #expect(tally.openings >= 1, "\(tally), \(segments(first).count)")
        #expect(tally.blocksRead >= 12 * tally.openings, "\(tally)")
    }

    /// The pages that differ between two states of a disk's segments.
    private func changes(
        _ disk: EncryptedDisk,
        since before: EncryptedDisk
    ) -> [(offset: UInt64, bytes: [UInt8])] {
        let start = disk.geometry.range(ofSegment: 0).lowerBound
        return stride(from: start, to: disk.store.sizeBytes, by: 4096).compactMap { offset in
            let bytes = disk.store.bytes(at: offset, count: 4096)
            if bytes == before.store.bytes(at: offset, count: 4096) { return nil }
            return (offset: offset, bytes: bytes)
        }
    }

    @Test func `A commit that an opening has left out does not come back`() throws {
        let disk = try EncryptedDisk()
        var engine = try disk.open()
        try EncryptedDisk.write(engine, 0, 1)
        try engine.checkpoint()
        try EncryptedDisk.write(engine, 0, 2)
        try engine.flush()
        let before = disk.copy()
        try EncryptedDisk.write(engine, 0, 3)
        try engine.flush()
        let recorded = changes(disk, since: before)
        #expect(!recorded.isEmpty)
        disk.store.restart(.none)
        // As if the power had gone before it was written.
        for page in recorded {
            let bytes = before.store.bytes(at: page.offset, count: 4096)
            disk.store.damage(at: page.offset, bytes)
        }
        engine = try disk.open()
        #expect(try EncryptedDisk.read(engine, 0) == EncryptedDisk.content(0, 2))
        let opened = disk.copy()
        try EncryptedDisk.write(engine, 1, 4)
        try engine.flush()
        let later = changes(disk, since: opened)
        #expect(!later.isEmpty)
        disk.store.restart(.none)
        for page in later {
            disk.store.damage(at: page.offset, [UInt8](repeating: 0, count: 4096))
        }
        for page in recorded { disk.store.damage(at: page.offset, page.bytes) }
        engine = try disk.open()
        #expect(try EncryptedDisk.read(engine, 0) == EncryptedDisk.content(0, 2))
    }
}
