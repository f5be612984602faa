import FootingAcceleration
import FootingSimulation
import FootingSystem
import Testing

@testable import FootingDisk

/// A cipher that gets no memory: an error that passes, and never taken for damage.
@Suite struct RefusedCipherTests {
    private let disk: EncryptedDisk
    private let accelerator = RefusingAccelerator()

    init() throws { disk = try EncryptedDisk() }

    private func open() throws(DiskError) -> EngineDriver {
        var options = EngineOptions()
        options.memoryBudgetBytes = 0
        options.key = EncryptedDisk.key
        options.accelerator = accelerator
        let store = disk.store
        return try EngineDriver.open(store: store, options: options, clock: disk.clock).driver
    }

    private func refuse(_ refuses: Bool) { accelerator.refuses.withLock { $0 = refuses } }

    private func requireRefused(_ body: () throws -> Void) {
        let error = #expect(throws: DiskError.self, performing: body)
        #expect(error?.kind == .noMemory, "\(String(describing: error))")
    }

    /// Lets as much time pass as the engine gives the machine before it tries again.
    private func wait() { disk.clock.advance(nanoseconds: 1_100_000_000) }

    private func expect(_ engine: EngineDriver, _ numbers: [Int], _ round: Int) throws {
        for number in numbers {
            let found = try EncryptedDisk.read(engine, number)
            #expect(found == EncryptedDisk.content(number, round), "block \(number)")
        }
    }

    @Test func `Reads and scrubbing fail, and succeed afterwards`() throws {
        let writer = try disk.open()
        for number in 0..<300 { try EncryptedDisk.write(writer, number, 1) }
        try writer.close()
        disk.store.restart(.all)
        let engine = try open()
        refuse(true)
        requireRefused { _ = try EncryptedDisk.read(engine, 3) }
        requireRefused { _ = try engine.engine.scrubStep() }
        refuse(false)
        try expect(engine, [3], 1)
        // The page of the map is known by now, the block is not.
        refuse(true)
        requireRefused { _ = try EncryptedDisk.read(engine, 200) }
        requireRefused { _ = try engine.engine.scrubStep() }
        refuse(false)
        try expect(engine, [200], 1)
    }

    @Test func `The log is not taken for torn, and nothing of it is lost`() throws {
        let writer = try disk.open()
        for number in 0..<200 { try EncryptedDisk.write(writer, number, 1) }
        try writer.flush()
        disk.store.restart(.none)
        let calls = disk.store.callCount
        refuse(true)
        requireRefused { _ = try open() }
        requireRefused {
            _ = try DiskCheck.run(
                store: disk.store,
                key: EncryptedDisk.key,
                accelerator: accelerator
            )
        }
        #expect(disk.store.callCount == calls, "something was written")
        refuse(false)
        try expect(try open(), Array(0..<200), 1)
    }

    @Test func `The check of a closed disk finds no damage`() throws {
        let writer = try disk.open()
        for number in 0..<50 { try EncryptedDisk.write(writer, number, 1) }
        try writer.createSnapshot("one")
        try EncryptedDisk.write(writer, 3, 2)
        try writer.close()
        disk.store.restart(.all)
        for allowed in 0..<50 {
            accelerator.allowance.withLock { $0 = allowed }
            requireRefused {
                _ = try DiskCheck.run(
                    store: disk.store,
                    key: EncryptedDisk.key,
                    accelerator: accelerator
                )
            }
        }
        accelerator.allowance.withLock { $0 = nil }
        #expect(try disk.check().findings == [])
    }

    @Test func `The collector sets no segment aside, and goes on`() throws {
        var engine = try open()
        for number in 0..<512 { try EncryptedDisk.write(engine, number, 1) }
        for number in stride(from: 0, to: 512, by: 2) as StrideTo<UInt64> {
            try engine.trim(number * 4096..<(number + 1) * 4096)
        }
        try engine.checkpoint()
        // Before the first header, between blocks, at a page of the map.
        for allowed in [0, 1, 2, 5, 20, 40] {
            accelerator.allowance.withLock { $0 = allowed }
            var failure: DiskError?
            do throws(DiskError) { failure = try engine.compact().failure } catch {
                failure = error
            }
            #expect(failure?.kind == .noMemory, "\(String(describing: failure))")
            #expect(engine.segmentsSetAside == 0 && !engine.hasFailed)
            wait()
        }
        accelerator.allowance.withLock { $0 = nil }
        #expect(try engine.compact().failure == nil)
        #expect(engine.segmentsSetAside == 0)
        let kept = Array(stride(from: 1, to: 512, by: 2))
        for _ in 0..<2 {
            try expect(engine, kept, 1)
            disk.store.restart(.none)
            engine = try open()
        }
    }

    @Test func `Commits and checkpoints are tried again`() throws {
        var engine = try open()
        for number in 0..<20 { try EncryptedDisk.write(engine, number, 1) }
        for allowed in [0, 1, 7] {
            accelerator.allowance.withLock { $0 = allowed }
            requireRefused { try engine.flush() }
            #expect(!engine.hasFailed)
        }
        accelerator.allowance.withLock { $0 = nil }
        try engine.flush()
        try engine.checkpoint()
        for number in 0..<20 { try EncryptedDisk.write(engine, number, 2) }
        try engine.flush()
        for _ in 0..<3 {
            refuse(true)
            requireRefused { try engine.checkpoint() }
            refuse(false)
            #expect(!engine.hasFailed)
        }
        try expect(engine, Array(0..<20), 2)
        try engine.checkpoint()
        disk.store.restart(.none)
        engine = try open()
        try expect(engine, Array(0..<20), 2)
        #expect(try disk.check().findings == [])
    }

    private func allowProofs(_ count: Int?) { accelerator.proofAllowance.withLock { $0 = count } }

    @Test func `A proof without memory ends nothing`() throws {
        var engine = try open()
        for number in 0..<20 { try EncryptedDisk.write(engine, number, 1) }
        // The table's and the superblock's.
        for allowed in [0, 1, 0, 1] {
            allowProofs(allowed)
            requireRefused { try engine.checkpoint() }
            #expect(!engine.hasFailed)
        }
        // The superblock's that tells of snapshots.
        allowProofs(0)
        requireRefused { try engine.createSnapshot("one") }
        #expect(!engine.hasFailed)
        allowProofs(nil)
        wait()
        try engine.createSnapshot("two")
        for number in 0..<10 { try EncryptedDisk.write(engine, number, 2) }
        try engine.flush()
        disk.store.restart(.none)
        let bytes = disk.store.writtenBytes
        for allowed in 0..<4 {
            allowProofs(allowed)
            requireRefused { _ = try open() }
        }
        #expect(disk.store.writtenBytes == bytes, "something was written")
        allowProofs(nil)
        engine = try open()
        try expect(engine, Array(0..<10), 2)
        try expect(engine, Array(10..<20), 1)
        _ = try engine.openSnapshot("two")
    }

    @Test func `A writer who waits for space is told of memory`() throws {
        let engine = try open()
        refuse(true)
        var error: DiskError?
        for round in 0..<200 {
            do throws(DiskError) {
                for number in 0..<500 { try EncryptedDisk.write(engine, number, round) }
            } catch let failure {
                error = failure
                break
            }
        }
        #expect(error?.kind == .noMemory, "\(String(describing: error))")
        refuse(false)
        wait()
        for number in 0..<500 { try EncryptedDisk.write(engine, number, 250) }
        try engine.flush()
        disk.store.restart(.none)
        try expect(try open(), Array(0..<500), 250)
    }
}
