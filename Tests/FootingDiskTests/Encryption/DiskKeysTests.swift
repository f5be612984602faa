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
}
