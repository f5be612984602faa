import FootingSystem
import FootingTestSupport
import Glibc
import Testing

@testable import FootingDisk

/// Changes of snapshots while threads get into each other's way.
@Suite struct SnapshotThreadTests {
    private static func geometry(_ sparePercent: Int) -> Geometry {
        Geometry(sizeBytes: 2 << 20, sparePercent: sparePercent, segmentSizeBytes: 64 << 10)
    }

    private func open(_ store: any BlockStore) throws -> Disk {
        try Disk(store: store, options: EngineOptions(), clock: SystemClock())
    }

    private func format(_ store: any BlockStore, _ geometry: Geometry) throws {
        let identifier = Identifier(high: 1, low: 2)
        try Disk.format(store, geometry, identifier: identifier, unixSeconds: 1)
    }

    private static func write(
        _ disk: Disk,
        _ block: UInt64,
        _ value: UInt8
    ) throws(DiskError) {
        let buffer = AlignedBuffer(count: 4096)
        unsafe buffer.bytes.initializeMemory(as: UInt8.self, repeating: value)
        try unsafe disk.write(at: block * 4096, UnsafeRawBufferPointer(buffer.bytes))
    }

    private static func value(_ disk: Disk, _ block: UInt64) throws(DiskError) -> UInt8 {
        let buffer = AlignedBuffer(count: 4096)
        try unsafe disk.read(at: block * 4096, into: buffer.bytes)
        return buffer.get(UInt8.self, at: 0)
    }

    /// The maintenance thread is held in a checkpoint until the disk is being closed.
    @Test(arguments: [true, false])
    func `What is told to have failed while the disk is closed was not made`(
        isRollback: Bool
    ) throws {
        let geometry = Self.geometry(200)
        let store = HookedStore(sizeBytes: geometry.containerSizeBytes)
        try format(store, geometry)
        let disk = try open(store)
        try Self.write(disk, 0, 1)
        try disk.createSnapshot("a")
        try disk.checkpoint()
        try Self.write(disk, 0, 2)
        try disk.flush()
        let gate = Locked((isHeld: false, isOpen: false))
        store.onNextWrite {
            gate.withLock { state in
                state.isHeld = true
                while !state.isOpen { gate.wait(&state, nanoseconds: 10_000_000) }
            }
        }
        let checkpoint = try Thread(name: "checkpoint") { try? disk.checkpoint() }
        while !gate.withLock({ $0.isHeld }) { usleep(1000) }
        let told = Locked<DiskError?>(nil)
        let change = try Thread(name: "change") {
            do throws(DiskError) {
                if isRollback { try disk.rollBack(to: "a") } else { try disk.deleteSnapshot("a") }
            } catch {
                told.withLock { $0 = error }
            }
        }
        // Until it waits for the next checkpoint.
        while !disk.engine.state.withLock({ $0.snapshots.isCheckpointWanted }) { usleep(1000) }
        let closer = try Thread(name: "close") { try? disk.close() }
        usleep(100_000)
        gate.withLock { $0.isOpen = true }
        gate.wakeAll()
        checkpoint.join()
        change.join()
        closer.join()
        let error = told.withLock { $0 }
        let again = try open(store)
        if isRollback {
            #expect(try Self.value(again, 0) == (error == nil ? 1 : 2), "\(error as Any)")
        } else {
            #expect(again.snapshots().isEmpty == (error == nil), "\(error as Any)")
        }
        try again.close()
    }

    @Test func `On a full host a deletion wins the space that writers wait for`() throws {
        let geometry = Self.geometry(200)
        let store = LimitedStore(sizeBytes: geometry.containerSizeBytes)
        try format(store, geometry)
        let disk = try open(store)
        for block in 0..<512 as Range<UInt64> { try Self.write(disk, block, 1) }
        try disk.createSnapshot("a")
        try disk.checkpoint()
        store.limit(toBytes: store.allocatedBytes)
        try fill(disk)
        // Nothing of the host's has changed: only the snapshot can give any.
        #expect(disk.engine.state.withLock { $0.hostIsFull || $0.isStuck })
        disk.engine.state.withLock { $0.hostIsFull = true }
        try disk.deleteSnapshot("a")
        #expect(disk.snapshots().isEmpty)
        for block in 0..<512 as Range<UInt64> { try Self.write(disk, block, 3) }
        try disk.close()
        #expect(try DiskCheck.run(store: store).findings == [])
    }

    /// Overwrites until there is no space any more.
    private func fill(_ disk: Disk) throws {
        for round in 0..<64 as Range<UInt64> {
            do throws(DiskError) {
                for block in 0..<512 as Range<UInt64> {
                    try Self.write(disk, block, UInt8(2 + round))
                }
            } catch {
                #expect(error.kind == .noSpace)
                return
            }
        }
        Issue.record("never full")
    }

    /// Each thread goes on until all have done their rounds; nothing may fail but for space, and
    /// what is told to be done is done.
    @Test func `Deletions, rollbacks, lists and writers on a full host end, and harm nothing`()
        throws
    {
        let geometry = Self.geometry(260)
        let store = LimitedStore(sizeBytes: geometry.containerSizeBytes)
        try format(store, geometry)
        let disk = try open(store)
        for block in 0..<512 as Range<UInt64> { try Self.write(disk, block, 1) }
        try disk.createSnapshot("base")
        try disk.checkpoint()
        store.limit(toBytes: store.allocatedBytes + (512 << 10))
        let problems = Locked<[String]>([])
        let isStopping = Locked(false)
        @Sendable func attempt(_ what: String, _ body: () throws(DiskError) -> Void) {
            do throws(DiskError) { try body() } catch {
                let isExpected = error.kind == .noSpace || error.kind == .invalid
                if !isExpected { problems.withLock { $0.append("\(what): \(error)") } }
            }
        }
        let writer = try Thread(name: "writer") {
            var number: UInt64 = 0
            while !isStopping.withLock({ $0 }) {
                number += 1
                attempt("write") { () throws(DiskError) in
                    try Self.write(disk, number &* 7 % 512, UInt8(number % 200 + 2))
                }
            }
        }
        let lister = try Thread(name: "lister") {
            while !isStopping.withLock({ $0 }) {
                let snapshots = disk.snapshots()
                if snapshots.contains(where: { $0.readerCount > 0 }) {
                    problems.withLock { $0.append("a reader that nobody is") }
                }
                usleep(100)
            }
        }
        let second = try Thread(name: "second") {
            for number in 0..<Sanitizer.rounds(20, sanitized: 4) {
                attempt("create") { () throws(DiskError) in try disk.createSnapshot("s\(number)") }
                attempt("delete") { () throws(DiskError) in try disk.deleteSnapshot("s\(number)") }
            }
        }
        for number in 0..<Sanitizer.rounds(20, sanitized: 4) {
            attempt("create") { () throws(DiskError) in try disk.createSnapshot("m\(number)") }
            attempt("roll back") { () throws(DiskError) in try disk.rollBack(to: "base") }
            attempt("delete") { () throws(DiskError) in try disk.deleteSnapshot("m\(number)") }
        }
        second.join()
        isStopping.withLock { $0 = true }
        writer.join()
        lister.join()
        #expect(problems.withLock { $0 } == [])
        for name in disk.snapshots().map({ $0.name }) where name != "base" {
            try disk.deleteSnapshot(name)
        }
        // A snapshot that is deleted while its tree is being written stays until that is done.
        try disk.rollBack(to: "base")
        for block in stride(from: 0, to: 512, by: 31) as StrideTo<UInt64> {
            #expect(try Self.value(disk, block) == 1)
        }
        try disk.close()
        #expect(try DiskCheck.run(store: store).findings == [])
    }
}
