import FootingAcceleration
import FootingSimulation
import FootingSystem
import Testing

@testable import FootingDisk

/// Encrypted disks that get another size, are compacted, verified and copied.
@Suite struct EncryptedManageTests {
    /// Writes and reads the last block of a disk.
    private func touchEnd(_ engine: EngineDriver, _ round: Int) throws {
        let number = Int(engine.sizeBytes / 4096) - 1
        try EncryptedDisk.write(engine, number, round)
        #expect(try EncryptedDisk.read(engine, number) == EncryptedDisk.content(number, round))
    }

    /// A leaf has 144 entries: the map is deeper from 81 MiB on, and again from 11.4 GiB on.
    @Test func `The table moves, the map gets deeper, and a crash takes nothing`() throws {
        let disk = try EncryptedDisk(sizeBytes: 1 << 20)
        var engine = try disk.open()
        for number in 0..<256 { try EncryptedDisk.write(engine, number, 1) }
        try engine.createSnapshot("small")
        var tables: [UInt64] = []
        var levels: [Int] = []
        let sizes: [UInt64] = [40 << 20, 600 << 20, 601 << 20, 12 << 30, 300 << 20, 40 << 20]
        for size in sizes {
            if size < engine.sizeBytes { try engine.trim(size..<engine.sizeBytes) }
            // Enough for its segments.
            engine.setMemoryBudget(64 << 20)
            try engine.resize(toBytes: size)
            try touchEnd(engine, 2)
            try engine.flush()
            disk.store.restart(.random)
            let geometry = try OpenedContainer.readSuperblock(disk.store).0.geometry
            #expect(geometry.sizeBytes == size && geometry.isEncrypted)
            tables.append(geometry.tablesOffset)
            levels.append(geometry.levels)
            engine = try disk.open()
            try touchEnd(engine, 3)
            #expect(try EncryptedDisk.read(engine, 255) == EncryptedDisk.content(255, 1))
            #expect(try disk.check().findings == [])
        }
        #expect(levels == [2, 3, 3, 4, 3, 2] && Set(tables).count >= 3)
        let snapshot = try engine.openSnapshot("small")
        let buffer = AlignedBuffer(count: 4096)
        try unsafe snapshot.read(at: 77 * 4096, into: buffer.bytes)
        let found = unsafe [UInt8](UnsafeRawBufferPointer(buffer.bytes))
        #expect(snapshot.sizeBytes == 1 << 20 && found == EncryptedDisk.content(77, 1))
        try engine.resize(toBytes: 700 << 20)
        try touchEnd(engine, 4)
        #expect(engine.segmentsSetAside == 0)
    }

    @Test func `A superblock with another size is no longer proved`() throws {
        let disk = try EncryptedDisk(sizeBytes: 1 << 20)
        let engine = try disk.open()
        engine.setMemoryBudget(64 << 20)
        try engine.resize(toBytes: 40 << 20)
        try engine.close()
        disk.store.restart(.all)
        let page = AlignedBuffer(count: 4096)
        for at in [56, 312, 320, 328, 340] {
            let copy = disk.copy()
            for offset in Geometry.superblockOffsets {
                let bytes = disk.store.bytes(at: offset, count: 4096)
                unsafe bytes.withUnsafeBytes { unsafe page.copy(from: $0, at: 0) }
                page.set(page.get(UInt64.self, at: at) ^ 4096, at: at)
                page.set(page.checksum(12..<4096), at: 8)
                let changed = unsafe [UInt8](UnsafeRawBufferPointer(page.slice(0..<4096)))
                copy.store.damage(at: offset, changed)
            }
            let error = #expect(throws: DiskError.self) { _ = try copy.open() }
            #expect(error?.kind == .corrupt, "byte \(at)")
        }
        _ = try disk.open()
    }

    @Test func `Compacting moves what is needed to other places, and it stays readable`() throws {
        let disk = try EncryptedDisk(sizeBytes: 4 << 20)
        var engine = try disk.open()
        for number in 0..<1024 { try EncryptedDisk.write(engine, number, 1) }
        for number in stride(from: 0, to: 1024, by: 2) as StrideTo<UInt64> {
            try engine.trim(number * 4096..<(number + 1) * 4096)
        }
        try engine.checkpoint()
        let before = disk.store.spaceBytes
        let status = try engine.compact()
        #expect(status.failure == nil && status.doneCount > 20)
        #expect(disk.store.spaceBytes < before * 8 / 10, "\(before), \(disk.store.spaceBytes)")
        for _ in 0..<2 {
            for number in stride(from: 1, to: 1024, by: 2) {
                let found = try EncryptedDisk.read(engine, number)
                #expect(found == EncryptedDisk.content(number, 1))
            }
            #expect(try disk.check().findings == [])
            disk.store.restart(.none)
            engine = try disk.open()
        }
    }

    /// One pass of scrubbing.
    private func scrub(_ engine: EngineDriver) throws -> [ScrubDamage] {
        var damages: [ScrubDamage] = []
        for _ in 0..<1000 {
            let step = try engine.engine.scrubStep()
            damages += step.damages
            if step.isAtEnd { return damages }
        }
        Issue.record("a pass without an end")
        return damages
    }

    @Test(arguments: [CompressionPolicy.none, .lz4])
    func `Scrubbing finds rot, and what has its checksum and not its tag`(
        _ policy: CompressionPolicy
    ) throws {
        let disk = try EncryptedDisk(compression: policy)
        let engine = try disk.open()
        for number in 0..<400 { try EncryptedDisk.write(engine, number, 1) }
        try engine.createSnapshot("before")
        for number in 0..<100 { try EncryptedDisk.write(engine, number, 2) }
        try engine.checkpoint()
        #expect(try scrub(engine) == [])
        let root = engine.engine.state.withLock { $0.superblock.mapRoot }
        func place(_ block: UInt64) throws -> Location {
            try #require(try engine.engine.reader.find(block, root: root)).entry.location
        }
        disk.store.rot(sector: try place(5).units, bit: 9)
        // A multiple of the checksum's polynomial: x^32 first, in the order in which bits go in.
        let polynomial: UInt64 = 0x1_1edc_6f41
        var bytes = disk.store.bytes(at: try place(250).offset, count: 512)
        for bit in 0...32 where polynomial >> UInt64(32 - bit) & 1 == 1 {
            bytes[100 + bit / 8] ^= 1 << UInt8(bit % 8)
        }
        disk.store.damage(at: try place(250).offset, bytes)
        let damages = try scrub(engine)
        #expect(damages.map { $0.block } == [5, 250])
        #expect(damages.first?.problem == "does not have the checksum it was written with")
        #expect(damages.last?.problem == "is not what was encrypted there")
        // A page of the map hides the 144 blocks below it.
        let page = AlignedBuffer(count: 4096)
        let identity = MapPage.Identity(level: root.levels - 1, index: 0)
        try engine.engine.reader.read(root.entry, identity, into: page)
        disk.store.rot(sector: MapPage.entry(page, 1).location.units, bit: 900)
        let more = try scrub(engine).filter { $0.snapshot == nil }
        #expect(more.map { $0.block } == [5, 144] && more.map { $0.blockCount } == [1, 144])
    }

    @Test func `A resized disk is cloned, with a key or without, and exported`() throws {
        let source = TemporaryFile()
        let targets = [TemporaryFile(), TemporaryFile()]
        let image = TemporaryFile()
        defer { for file in targets + [source, image] { file.remove() } }
        var options = DiskOptions(sizeBytes: 1 << 20)
        options.segmentSizeBytes = 128 << 10
        options.encryption = DiskEncryption(key: EncryptedDisk.key)
        try Disk.create(path: source.path, options)
        var engineOptions = EngineOptions()
        engineOptions.key = EncryptedDisk.key
        let disk = try Disk(path: source.path, options: engineOptions)
        try disk.resize(toBytes: 100 << 20)
        let buffer = AlignedBuffer(count: 4096)
        buffer.set(UInt64(77), at: 8)
        try unsafe disk.write(at: 90 << 20, UnsafeRawBufferPointer(buffer.slice(0..<4096)))
        try disk.createSnapshot("one")
        try disk.checkpoint()
        let other = EncryptedDisk.makeKey(9)
        for (target, key) in zip(targets, [other, nil]) {
            _ = try SnapshotClone.run(
                path: source.path,
                snapshot: "one",
                to: target.path,
                key: EncryptedDisk.key,
                encryption: key.map { DiskEncryption(key: $0) }
            )
            #expect(try DiskCheck.run(path: target.path, key: key).findings == [])
            engineOptions.key = key
            let copy = try Disk(path: target.path, options: engineOptions)
            buffer.clear(0..<4096)
            try unsafe copy.read(at: 90 << 20, into: buffer.slice(0..<4096))
            #expect(buffer.get(UInt64.self, at: 8) == 77 && copy.sizeBytes == 100 << 20)
            try copy.close()
        }
        #expect(throws: DiskError.self) {
            _ = try SnapshotClone.open(path: source.path, snapshot: "one")
        }
        let key = EncryptedDisk.key
        let snapshot = try SnapshotClone.open(path: source.path, snapshot: "one", key: key)
        #expect(try RawImage.export(snapshot, to: image.path) == 4096)
        try disk.close()
        #expect(try DiskCheck.run(path: source.path, key: key).findings == [])
    }
}
