import FootingSimulation
import FootingSystem
import Testing

@testable import FootingDisk

/// One snapshot, and two who change it at once.
@Suite struct SnapshotRaceTests {
    private func driver() throws -> (store: HookedStore, driver: EngineDriver) {
        let geometry = Geometry(sizeBytes: 2 << 20, sparePercent: 233, segmentSizeBytes: 64 << 10)
        let store = HookedStore(sizeBytes: geometry.containerSizeBytes)
        let identifier = Identifier(high: 1, low: 2)
        try Disk.format(store, geometry, identifier: identifier, unixSeconds: 1)
        let driver = try EngineDriver.open(
            store: store,
            options: EngineOptions(),
            clock: SimulatedClock()
        ).driver
        let buffer = AlignedBuffer(count: 65536)
        try unsafe driver.write(at: 0, UnsafeRawBufferPointer(buffer.bytes))
        try driver.createSnapshot("a")
        try driver.checkpoint()
        return (store, driver)
    }

    /// The first has found it; before it reads what it refers to, the second has deleted it, and
    /// its pages may be others' by then.
    @Test(arguments: [true, false], [true, false])
    func `Who comes second is told that it is not there`(
        isRollback: Bool,
        isOverwritten: Bool
    ) throws {
        let (store, driver) = try driver()
        let record = try driver.engine.settledSnapshot("a", "test")
        let second = Locked<DiskError?>(nil)
        store.onNextRead {
            do throws(DiskError) {
                try driver.deleteSnapshot("a")
            } catch {
                second.withLock { $0 = error }
            }
            if isOverwritten {
                store.put([UInt8](repeating: 7, count: 4096), at: record.counts.location.offset)
            }
        }
        let error = #expect(throws: DiskError.self) {
            if isRollback { try driver.rollBack(to: "a") } else { try driver.deleteSnapshot("a") }
        }
        #expect(second.withLock { $0 } == nil)
        #expect(error?.kind == .invalid)
        #expect(error?.detail.contains("there is no snapshot 'a'") == true)
        #expect(driver.snapshots().isEmpty && !driver.hasFailed)
    }

    @Test func `Damage to what is there is still told as damage`() throws {
        let (store, driver) = try driver()
        let record = try driver.engine.settledSnapshot("a", "test")
        store.put([UInt8](repeating: 7, count: 4096), at: record.counts.location.offset)
        let error = #expect(throws: DiskError.self) { try driver.deleteSnapshot("a") }
        #expect(error?.kind == .corrupt)
    }
}
