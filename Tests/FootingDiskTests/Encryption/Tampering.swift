import FootingAcceleration
import FootingSimulation
import FootingSystem
import Testing

@testable import FootingDisk

/// What somebody without the key does to a container, and whether it is found.
struct Tampering {
    let blockCount: Int

    /// Where a page's checksum is, and what it covers.
    struct Sum {
        var at: Int
        var range: Range<Int>

        static let superblock = Sum(at: 8, range: 12..<4096)
        static let keySlots = Sum(at: 4092, range: 0..<4092)
        static let page = Sum(at: 4, range: 8..<4096)
    }

    /// A disk that was closed, with a snapshot: half of its blocks are of round 2, half of 1.
    func makeDisk(
        sizeBytes: UInt64 = 2 << 20,
        seed: UInt64 = 11,
        identifier: Identifier = Identifier(high: 1, low: 2)
    ) throws -> EncryptedDisk {
        let disk = try EncryptedDisk(sizeBytes: sizeBytes, seed: seed, identifier: identifier)
        let engine = try disk.open()
        for number in 0..<blockCount { try EncryptedDisk.write(engine, number, 1) }
        try engine.createSnapshot("before")
        for number in 0..<blockCount / 2 { try EncryptedDisk.write(engine, number, 2) }
        try engine.close()
        disk.store.restart(.all)
        return disk
    }

    /// Pages of a container of which every byte counts, and where in each a checksum is.
    struct Used {
        var pages: [(offset: UInt64, sum: Sum?)] = []
        var blocks: [(offset: UInt64, count: Int)] = []
    }

    /// What a disk's trees refer to, found with the key.
    static func used(_ disk: EncryptedDisk) throws -> Used {
        var used = Used()
        let driver = try disk.copy().open()
        let engine = driver.engine
        let (root, records, pages) = engine.state.withLock { state in
            (state.superblock.root, state.snapshots.records, state.snapshots.tablePages)
        }
        for page in pages { used.pages.append((page.offset, .page)) }
        try collect(root, engine.geometry.levels - 1, 0, engine, &used)
        for record in records {
            try collect(record.root, engine.geometry.levels - 1, 0, engine, &used)
        }
        return used
    }

    private static func collect(
        _ page: MapEntry,
        _ level: Int,
        _ index: UInt64,
        _ engine: Engine,
        _ used: inout Used
    ) throws {
        guard page.isMapped else { return }
        used.pages.append((page.location.offset, .page))
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

    /// A page of which a bit is another, with the right checksum if it has one.
    static func changed(_ page: [UInt8], _ byte: Int, _ sum: Sum?) -> [UInt8] {
        var bytes = page
        bytes[byte] ^= 0x10
        if let sum, byte < sum.at || byte >= sum.at + 4 { correct(&bytes, sum) }
        return bytes
    }

    static func correct(_ bytes: inout [UInt8], _ sum: Sum) {
        let value = unsafe bytes.withUnsafeBytes {
            unsafe Checksum.crc32c(UnsafeRawBufferPointer(rebasing: $0[sum.range]))
        }
        for index in 0..<4 {
            bytes[sum.at + index] = UInt8(truncatingIfNeeded: value >> UInt32(8 * index))
        }
    }

    /// Flips a bit, and makes the page's checksum right if there is one.
    static func tamper(_ disk: EncryptedDisk, _ offset: UInt64, _ byte: Int, _ sum: Sum?) {
        let page = disk.store.bytes(at: offset, count: 4096)
        disk.store.damage(at: offset, changed(page, byte, sum))
    }

    /// Whether a check says so, or cannot even begin.
    static func isChecked(_ disk: EncryptedDisk) -> Bool {
        do throws(DiskError) {
            return try disk.check().findings.contains { $0.severity > .note }
        } catch {
            return true
        }
    }

    /// Whether opening, reading or the check says so; what is read must be right all the same.
    func isNoticed(_ disk: EncryptedDisk) -> Bool {
        var isNoticed = Self.isChecked(disk)
        do throws(DiskError) {
            let engine = try disk.open()
            let snapshot = try engine.openSnapshot("before")
            let buffer = AlignedBuffer(count: 4096)
            for number in 0..<blockCount {
                let round = number < blockCount / 2 ? 2 : 1
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
}
