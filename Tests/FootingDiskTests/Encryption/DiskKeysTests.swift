import FootingAcceleration
import FootingSimulation
import FootingSystem
import Testing

@testable import FootingDisk

/// Changing what opens an encrypted disk.
@Suite struct DiskKeysTests {
    private func change(
        _ disk: EncryptedDisk,
        _ change: DiskKeys.Change,
        _ key: DiskKey = EncryptedDisk.key
    ) throws(DiskError) -> Int {
        var generator = SeededRandom(seed: 21)
        return try DiskKeys.change(
            disk.store,
            change,
            key,
            unixSeconds: 5,
            using: &generator
        )
    }

    @Test func `Slots are added, replaced and removed, but for the last`() throws {
        let disk = try EncryptedDisk()
        let (second, third) = (EncryptedDisk.makeKey(2), EncryptedDisk.makeKey(3))
        var new = DiskEncryption(key: second)
        new.label = "spare"
        #expect(try change(disk, .add(new)) == 1)
        #expect(try DiskKeys.list(disk.store).map { $0.label } == ["", "spare"])
        try EncryptedDisk.write(disk.open(second), 4, 1)
        disk.store.restart(.all)
        _ = try change(disk, .replace(1, DiskEncryption(key: third)), second)
        #expect(try DiskKeys.list(disk.store).map { $0.label } == ["", "spare"])
        #expect(throws: DiskError.self) { _ = try disk.open(second) }
        _ = try change(disk, .remove(0))
        #expect(throws: DiskError.self) { _ = try disk.open(EncryptedDisk.key) }
        let error = #expect(throws: DiskError.self) { _ = try change(disk, .remove(1), third) }
        #expect(error?.kind == .invalid)
        _ = try disk.open(third)
        #expect(try disk.check(third).findings == [])
    }

    @Test func `A wrong key changes nothing`() throws {
        let disk = try EncryptedDisk()
        let calls = disk.store.callCount
        let error = #expect(throws: DiskError.self) {
            _ = try change(disk, .remove(0), EncryptedDisk.makeKey(1))
        }
        #expect(error?.kind == .locked)
        #expect(disk.store.callCount == calls)
    }

    /// Two writes and two syncs, each of which the power may go at.
    @Test(arguments: 1...4)
    func `A crash leaves the old key or the new one, and the next opening mends the copies`(
        _ call: Int
    ) throws {
        for survival in [Survival.none, .all, .random] {
            let disk = try EncryptedDisk()
            let new = EncryptedDisk.makeKey(2)
            disk.store.crash(atCall: call)
            #expect(throws: DiskError.self) {
                _ = try change(disk, .replace(0, DiskEncryption(key: new)))
            }
            disk.store.restart(survival)
            let keys = try [EncryptedDisk.key, new].filter {
                try DiskKeyDriver.opens(disk.store, $0)
            }
            try #require(keys.count == 1)
            _ = try disk.open(keys[0])
            #expect(try KeySlotStore.read(disk.store).allSatisfy { $0.slots != nil })
            #expect(try disk.check(keys[0]).findings == [])
        }
    }

    /// A disk one copy of whose slots is not what the other is.
    private func makeDamaged(_ damage: Damage) throws -> (disk: EncryptedDisk, key: DiskKey) {
        let disk = try EncryptedDisk()
        switch damage {
        case .first: disk.store.rot(sector: Geometry.keySlotsOffsets[0] / 512, bit: 99)
        case .second: disk.store.rot(sector: Geometry.keySlotsOffsets[1] / 512 + 7, bit: 99)
        case .older:
            // The power went when the first copy was durable, and not the second.
            let key = EncryptedDisk.makeKey(9)
            disk.store.crash(atCall: 3)
            #expect(throws: DiskError.self) {
                _ = try change(disk, .replace(0, DiskEncryption(key: key)))
            }
            disk.store.restart(.none)
            return (disk, key)
        }
        return (disk, EncryptedDisk.key)
    }

    enum Damage: CaseIterable {
        case first
        case second
        case older
    }

    /// A repair before the two writes, and a sync after each.
    @Test(arguments: Damage.allCases, 1...6)
    func `A crash while one copy is damaged leaves a key, too`(
        _ damage: Damage,
        _ call: Int
    ) throws {
        let (damaged, old) = try makeDamaged(damage)
        for seed in 0..<20 as Range<UInt64> {
            let disk = damaged.copy(seed: seed)
            let new = EncryptedDisk.makeKey(2)
            disk.store.crash(atCall: call)
            #expect(throws: DiskError.self) {
                _ = try change(disk, .replace(0, DiskEncryption(key: new)), old)
            }
            disk.store.restart([.none, .all, .random][Int(seed) % 3])
            let keys = try [old, new].filter { try DiskKeyDriver.opens(disk.store, $0) }
            try #require(keys.count == 1, "seed \(seed)")
            if old !== EncryptedDisk.key {
                #expect(try !DiskKeyDriver.opens(disk.store, EncryptedDisk.key))
            }
            _ = try disk.open(keys[0])
            #expect(try disk.check(keys[0]).findings == [])
        }
    }

    /// Puts a copy in place that only somebody without the key could have made.
    private func forge(_ disk: EncryptedDisk, _ copy: Int, salt: Bool = true) {
        let offset = Geometry.keySlotsOffsets[copy]
        var bytes = disk.store.bytes(at: offset, count: 4096)
        // Its generation is a later one.
        bytes[33] = 1
        if salt { bytes[64 + 16] ^= 1 }
        let sum = unsafe bytes.withUnsafeBytes {
            unsafe Checksum.crc32c(UnsafeRawBufferPointer(rebasing: $0[..<4092]))
        }
        for index in 0..<4 { bytes[4092 + index] = UInt8(truncatingIfNeeded: sum >> (8 * index)) }
        disk.store.damage(at: offset, bytes)
    }

    @Test(arguments: [(0, true), (0, false), (1, true), (1, false)])
    func `A forged copy does not hide the other`(_ copy: Int, _ salt: Bool) throws {
        let disk = try EncryptedDisk()
        forge(disk, copy, salt: salt)
        #expect(throws: DiskError.self) { _ = try disk.open(EncryptedDisk.makeKey(2)) }
        _ = try disk.open()
        disk.store.restart(.none)
        let copies = try KeySlotStore.read(disk.store)
        #expect(copies[0].slots != nil && copies[0].slots == copies[1].slots)
        #expect(try disk.check().findings == [])
        for copy in 0...1 { forge(disk, copy, salt: salt) }
        let error = #expect(throws: DiskError.self) { _ = try disk.open() }
        #expect(error?.kind == (salt ? .locked : .corrupt))
    }

    /// The slots of another disk that the same key file opens, changed more often than this one's.
    private func foreignSlots() throws -> [UInt8] {
        let other = try EncryptedDisk(seed: 50, identifier: Identifier(high: 8, low: 9))
        for number in 1...3 as ClosedRange<UInt8> {
            _ = try change(other, .add(DiskEncryption(key: EncryptedDisk.makeKey(100 + number))))
        }
        return other.store.bytes(at: Geometry.keySlotsOffsets[0], count: 4096)
    }

    @Test(arguments: 0...1)
    func `A later copy of another disk that the key opens, too, does not hide this one's`(
        _ copy: Int
    ) throws {
        let disk = try EncryptedDisk()
        let engine = try disk.open()
        try EncryptedDisk.write(engine, 4, 1)
        try engine.close()
        disk.store.restart(.all)
        disk.store.damage(at: Geometry.keySlotsOffsets[copy], try foreignSlots())
        let listed = try DiskKeys.list(disk.store)
        #expect(listed.count == 1)
        #expect(try disk.check().findings.contains { $0.severity == .warning })
        let again = disk.copy()
        let opened = try disk.open()
        #expect(try EncryptedDisk.read(opened, 4) == EncryptedDisk.content(4, 1))
        disk.store.restart(.none)
        let copies = try KeySlotStore.read(disk.store)
        #expect(copies[0].slots != nil && copies[0].slots == copies[1].slots)
        // Whoever changes the keys changes this disk's.
        let new = EncryptedDisk.makeKey(2)
        _ = try change(again, .replace(0, DiskEncryption(key: new)))
        _ = try again.open(new)
        #expect(throws: DiskError.self) { _ = try again.open() }
    }

    @Test func `Both copies of another disk's slots open nothing, and say whose they are`() throws {
        let disk = try EncryptedDisk()
        let foreign = try foreignSlots()
        for offset in Geometry.keySlotsOffsets { disk.store.damage(at: offset, foreign) }
        let error = #expect(throws: DiskError.self) { _ = try disk.open() }
        #expect(error?.kind == .corrupt && error?.detail.contains("another disk's") == true)
        #expect(throws: DiskError.self) {
            _ = try change(disk, .remove(0))
        }
    }

    /// Nothing proves which of the two is the disk's; what the superblocks say of themselves does
    /// for a report.
    @Test(arguments: [0, 1], [0, 3])
    func `Beside superblocks that nobody proves the copy counts that says it is the disk's`(
        _ copy: Int,
        _ changes: Int
    ) throws {
        let disk = try EncryptedDisk()
        for number in 0..<changes {
            let key = EncryptedDisk.makeKey(UInt8(110 + number))
            _ = try change(disk, .add(DiskEncryption(key: key)))
        }
        let other = try EncryptedDisk(seed: 50, identifier: Identifier(high: 8, low: 9))
        _ = try change(other, .add(DiskEncryption(key: EncryptedDisk.makeKey(100))))
        let slots = other.store.bytes(at: Geometry.keySlotsOffsets[0], count: 4096)
        disk.store.damage(at: Geometry.keySlotsOffsets[copy], slots)
        for offset in Geometry.superblockOffsets { forgeSuperblock(disk, offset) }
        let unlocked = try KeySlotStore.unlock(disk.store, EncryptedDisk.key, "test")
        #expect(unlocked.keys.identifier == Identifier(high: 1, low: 2))
        let error = #expect(throws: DiskError.self) { _ = try disk.open() }
        #expect(error?.kind == .corrupt && error?.detail.contains("another disk's") == false)
        let report = try disk.check()
        #expect(report.findings.contains { $0.severity == .error })
        let finding = report.findings.first { $0.what.contains("key slots, copy") }
        #expect(finding?.consequence.contains("cannot be opened") == true)
    }

    /// Changes a superblock as somebody without the key can.
    private func forgeSuperblock(_ disk: EncryptedDisk, _ offset: UInt64) {
        let page = AlignedBuffer(count: 4096)
        let bytes = disk.store.bytes(at: offset, count: 4096)
        unsafe bytes.withUnsafeBytes { unsafe page.copy(from: $0, at: 0) }
        guard var superblock = try? Superblock(page) else {
            Issue.record("no superblock")
            return
        }
        superblock.generation += 1
        superblock.store(in: page)
        disk.store.damage(
            at: offset,
            unsafe [UInt8](UnsafeRawBufferPointer(page.slice(0..<4096)))
        )
    }

    @Test func `Damaged copies are named, and no key is asked for where none helps`() throws {
        let disk = try EncryptedDisk()
        disk.store.rot(sector: Geometry.keySlotsOffsets[1] / 512, bit: 99)
        let wrong = #expect(throws: DiskError.self) {
            _ = try disk.open(EncryptedDisk.makeKey(2))
        }
        #expect(wrong?.kind == .locked)
        #expect(wrong?.detail.contains("wrong key") == true)
        #expect(wrong?.detail.contains("copy B: the key slots are damaged") == true)
        #expect(try DiskInformation(disk.store).keySlotsFailure == nil)
        disk.store.rot(sector: Geometry.keySlotsOffsets[0] / 512, bit: 99)
        for key in [nil, EncryptedDisk.key] {
            let error = #expect(throws: DiskError.self) { _ = try disk.open(key) }
            #expect(error?.kind == .corrupt)
            #expect(error?.detail.contains("both copies of the key slots are damaged") == true)
            let found = #expect(throws: DiskError.self) { _ = try disk.check(key) }
            #expect(found?.kind == .corrupt)
        }
        let information = try DiskInformation(disk.store)
        #expect(information.isEncrypted && information.keySlots.isEmpty)
        #expect(information.keySlotsFailure?.kind == .corrupt)
    }

    @Test(arguments: 0...1)
    func `A copy that cannot be written is a remark, and the other is left alone`(
        _ copy: Int
    ) throws {
        let disk = try EncryptedDisk()
        let offset = Geometry.keySlotsOffsets[copy]
        disk.store.rot(sector: offset / 512, bit: 99)
        disk.store.setFaults(Faults(writeErrorOffset: offset))
        var options = EngineOptions()
        options.memoryBudgetBytes = 0
        options.key = EncryptedDisk.key
        for _ in 0..<2 {
            let opened = try EngineDriver.open(
                store: disk.store,
                options: options,
                clock: disk.clock
            )
            #expect(opened.report.keySlotsFailure?.offset == offset)
            try EncryptedDisk.write(opened.driver, 3, 1)
            try opened.driver.close()
        }
        // Nothing is changed while only one copy can be written.
        #expect(throws: DiskError.self) {
            _ = try change(disk, .replace(0, DiskEncryption(key: EncryptedDisk.makeKey(2))))
        }
        disk.store.setFaults(Faults())
        let opened = try EngineDriver.open(store: disk.store, options: options, clock: disk.clock)
        #expect(opened.report.keySlotsFailure == nil)
        #expect(try EncryptedDisk.read(opened.driver, 3) == EncryptedDisk.content(3, 1))
        disk.store.restart(.none)
        #expect(try KeySlotStore.read(disk.store).allSatisfy { $0.slots != nil })
    }
}
