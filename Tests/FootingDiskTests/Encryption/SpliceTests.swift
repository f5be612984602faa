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
        func isPrefix(_ changed: EncryptedDisk) -> Bool {
            guard let engine = try? changed.open() else { return true }
            var found: [[UInt8]?] = []
            for number in 0..<Self.blockCount {
                found.append(try? EncryptedDisk.read(engine, number))
            }
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

    @Test func `Commits from elsewhere in the log give no wrong data`() throws {
        let logged = try Logged(EncryptedDisk())
        let other = try Logged(EncryptedDisk(seed: 78, identifier: Identifier(high: 5, low: 6)))
        let headers = logged.headers
        #expect(headers.count > 12 && other.headers == headers)
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
                    #expect(logged.isPrefix(copy), "\(source) at \(target), \(count) bytes")
                }
            }
        }
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
        for segment in segments(first) {
            let copy = logged.disk.copy()
            let start = copy.geometry.range(ofSegment: segment).lowerBound
            copy.store.damage(at: start, bytes(segment, older))
            #expect(logged.isPrefix(copy), "segment \(segment)")
        }
    }
}
