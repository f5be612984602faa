import FootingAcceleration
import FootingSimulation
import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingDisk

/// Disks that are encrypted: what they keep, who opens them, and what is in the container.
@Suite struct EncryptedDiskTests {
    /// Everything that is in the container.
    private func bytes(_ disk: EncryptedDisk) -> [UInt8] {
        disk.store.bytes(at: 0, count: Int(disk.store.sizeBytes))
    }

    @Test(arguments: CompressionPolicy.allCases)
    func `What was written is there after closing, and after a crash`(
        _ policy: CompressionPolicy
    ) throws {
        let disk = try EncryptedDisk(compression: policy)
        var engine = try disk.open()
        for round in 1...4 {
            for number in 0..<300 { try EncryptedDisk.write(engine, number, round) }
            try engine.flush()
            if round % 2 == 0 { try engine.close() }
            disk.store.restart(.none)
            engine = try disk.open()
            for number in stride(from: 0, to: 300, by: 7) {
                let found = try EncryptedDisk.read(engine, number)
                #expect(found == EncryptedDisk.content(number, round))
            }
            #expect(try disk.check().findings == [])
        }
        #expect(engine.segmentsSetAside == 0)
    }

    @Test func `Nothing of what was written, nor of names, is in the container`() throws {
        let disk = try EncryptedDisk()
        let engine = try disk.open()
        let buffer = AlignedBuffer(count: 4096)
        let mark = Array("a secret that nobody may read".utf8)
        unsafe mark.withUnsafeBytes { unsafe buffer.copy(from: $0, at: 100) }
        // Written twice in one commit, in other sizes: what is superseded stays in its memory.
        try engine.setCompression(.lz4)
        for _ in 0..<3 {
            try unsafe engine.write(at: 8192, UnsafeRawBufferPointer(buffer.slice(0..<4096)))
            var random = SeededRandom(seed: 1)
            for offset in stride(from: 200, to: 4096, by: 8) {
                buffer.set(random.next(), at: offset)
            }
        }
        try engine.createSnapshot("the name of a snapshot")
        try engine.close()
        let all = bytes(disk)
        #expect(!contains(all, mark))
        #expect(!contains(all, Array("the name of a snapshot".utf8)))
    }

    private func contains(_ all: [UInt8], _ part: [UInt8]) -> Bool {
        all.indices.contains { start in
            all[start] == part[0] && all[start...].starts(with: part)
        }
    }

    @Test func `A wrong key, and none, is refused, and not a byte is written`() throws {
        let disk = try EncryptedDisk()
        try EncryptedDisk.write(disk.open(), 1, 1)
        disk.store.restart(.all)
        let before = bytes(disk)
        let calls = disk.store.callCount
        for key in [EncryptedDisk.makeKey(8), nil] {
            let error = #expect(throws: DiskError.self) { _ = try disk.open(key) }
            #expect(error?.kind == .locked, "\(String(describing: error))")
            #expect(throws: DiskError.self) { _ = try disk.check(key) }
        }
        #expect(bytes(disk) == before)
        #expect(disk.store.callCount == calls)
    }

    @Test func `A key for a disk that is not encrypted is refused`() throws {
        let disk = try TestDisk()
        var options = EngineOptions()
        options.key = EncryptedDisk.key
        let error = #expect(throws: DiskError.self) {
            _ = try EngineDriver.open(store: disk.store, options: options, clock: disk.clock)
        }
        #expect(error?.kind == .locked)
        #expect(throws: DiskError.self) {
            _ = try DiskCheck.run(store: disk.store, key: EncryptedDisk.key)
        }
    }

    @Test func `Each opening has numbers of segments of its own`() throws {
        let disk = try EncryptedDisk()
        for epoch in 1...3 as ClosedRange<UInt64> {
            let engine = try disk.open()
            try EncryptedDisk.write(engine, 1, Int(epoch))
            try engine.flush()
            let (next, head) = engine.engine.state.withLock { ($0.nextSequence, $0.user.head) }
            #expect(next >> 32 == epoch && head.sequence >> 32 == epoch)
            disk.store.restart(.none)
        }
    }

    @Test func `A snapshot is read, and its copy has another key`() throws {
        let source = TemporaryFile()
        let target = TemporaryFile()
        defer {
            source.remove()
            target.remove()
        }
        var options = DiskOptions(sizeBytes: 4 << 20)
        options.encryption = DiskEncryption(key: EncryptedDisk.key)
        try Disk.create(path: source.path, options)
        var engineOptions = EngineOptions()
        engineOptions.key = EncryptedDisk.key
        let disk = try Disk(path: source.path, options: engineOptions)
        let buffer = AlignedBuffer(count: 4096)
        buffer.set(UInt64(77), at: 8)
        try unsafe disk.write(at: 4096, UnsafeRawBufferPointer(buffer.slice(0..<4096)))
        try disk.createSnapshot("one")
        try disk.checkpoint()
        let other = EncryptedDisk.makeKey(9)
        _ = try SnapshotClone.run(
            path: source.path,
            snapshot: "one",
            to: target.path,
            key: EncryptedDisk.key,
            encryption: DiskEncryption(key: other)
        )
        try disk.close()
        #expect(try SnapshotInformation.list(path: source.path, key: EncryptedDisk.key).count == 1)
        #expect(try DiskCheck.run(path: target.path, key: other).findings == [])
        engineOptions.key = other
        let copy = try Disk(path: target.path, options: engineOptions)
        try unsafe copy.read(at: 4096, into: buffer.slice(0..<4096))
        #expect(buffer.get(UInt64.self, at: 8) == 77)
        try copy.close()
    }

    @Test func `The last opening there may be is the last`() throws {
        let disk = try EncryptedDisk()
        let opened = try KeySlotStore.unlock(disk.store, EncryptedDisk.key, "test")
        let accelerator = SoftwareAccelerator()
        let keys = try VolumeKeys(opened.volume.key, opened.slots.volume, accelerator)
        var superblock = try OpenedContainer.readSuperblock(disk.store, keys).0
        superblock.epoch = VolumeCipher.epochMax
        superblock.generation += 1
        let page = AlignedBuffer(count: 4096)
        try superblock.store(in: page, keys)
        let bytes = unsafe [UInt8](UnsafeRawBufferPointer(page.slice(0..<4096)))
        disk.store.damage(at: 0, bytes)
        let error = #expect(throws: DiskError.self) { _ = try disk.open() }
        #expect(error?.kind == .invalid)
    }
}
