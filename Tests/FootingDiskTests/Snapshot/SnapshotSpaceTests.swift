import FootingSimulation
import FootingSystem
import FootingTestSupport
import Glibc
import Testing

@testable import FootingDisk

/// What snapshots are said to keep, and what that costs.
@Suite struct SnapshotSpaceTests {
    private func disk() throws -> TestDisk {
        try TestDisk(sizeBytes: 1 << 20, sparePercent: 233)
    }

    private func freeCount(_ disk: TestDisk) -> Int {
        disk.engine.engine.state.withLock { state in state.segments.count { $0.state == .free } }
    }

    @Test func `Where the log goes on is nobody's alone`() throws {
        let disk = try disk()
        try disk.write(0, 8192, 1)
        try disk.engine.createSnapshot("a")
        try disk.engine.trim(0..<1 << 20)
        try disk.engine.checkpoint()
        // All that it keeps is in the segments of the streams' heads.
        #expect(disk.engine.snapshots().map { $0.exclusiveBytes } == [0])
        let before = freeCount(disk)
        try disk.engine.deleteSnapshot("a")
        #expect(freeCount(disk) <= before)
    }

    @Test func `What is told is what the counts of all say, however they come and go`() throws {
        let disk = try TestDisk(sizeBytes: 1 << 20, sparePercent: 1233)
        var random = SeededRandom(seed: 11)
        var names: [String] = []
        for number in 0..<60 {
            for _ in 0..<random.below(60) {
                try disk.write(UInt64(random.below(250)) * 4096, 4096 * 5, UInt8(number + 1))
            }
            if names.count < 6, random.oneIn(2) || names.isEmpty {
                names.append("\(number)")
                try disk.engine.createSnapshot("\(number)")
            } else {
                let name = names.remove(at: random.below(names.count))
                try disk.engine.deleteSnapshot(name)
            }
            try disk.engine.checkpoint()
            try expectCounted(disk)
        }
    }

    /// Counts anew, from what is stored.
    private func expectCounted(_ disk: TestDisk) throws {
        let engine = disk.engine.engine
        let superblock = engine.state.withLock { $0.superblock }
        let table = try SnapshotTable.records(superblock, disk.store)
        var users = [Set<UInt64>](repeating: [], count: Int(disk.geometry.segmentCount))
        for page in table.pages.locations {
            users[Int(disk.geometry.segment(of: page))].insert(0)
        }
        for record in table.records {
            let found = try SnapshotTable.counts(
                of: record,
                volume: superblock.volume,
                disk.store,
                disk.geometry
            )
            for (segment, count) in found.counts.enumerated() where count > 0 {
                users[segment].insert(record.identifier)
            }
            for page in found.pages.locations {
                users[Int(disk.geometry.segment(of: page))].insert(record.identifier)
            }
        }
        let kept = engine.state.withLock { state in
            let streams = engine.segmentsOfStreams(state)
            return state.segments.indices.filter { segment in
                state.segments[segment].liveUnits > 0
                    || state.lastLSN[segment] > state.superblock.lsn
                    || streams.contains(UInt32(segment))
            }
        }
        for information in disk.engine.snapshots() {
            let count = users.enumerated().count { segment, identifiers in
                identifiers == [information.identifier] && !kept.contains(segment)
            }
            let bytes = UInt64(count) * disk.geometry.segmentSizeBytes
            #expect(information.exclusiveBytes == bytes, "\(information.name)")
        }
    }

    @Test func `Listing reads nothing, and reads nobody`() throws {
        let geometry = Geometry(sizeBytes: 1 << 20, sparePercent: 233, segmentSizeBytes: 64 << 10)
        let store = HookedStore(sizeBytes: geometry.containerSizeBytes)
        let identifier = Identifier(high: 1, low: 2)
        try Disk.format(store, geometry, identifier: identifier, unixSeconds: 1)
        let engine = try EngineDriver.open(
            store: store,
            options: EngineOptions(),
            clock: SystemClock()
        ).driver
        try engine.createSnapshot("a")
        try engine.checkpoint()
        let isRead = Locked(false)
        store.onNextRead { isRead.withLock { $0 = true } }
        #expect(engine.snapshots().map { $0.readerCount } == [0])
        #expect(!isRead.withLock { $0 })
    }

    @Test func `What snapshots keep is not called dead`() throws {
        let disk = try disk()
        try disk.write(0, 1 << 20, 1)
        try disk.engine.checkpoint()
        try disk.engine.createSnapshot("a")
        try disk.engine.trim(0..<1 << 20)
        try disk.engine.checkpoint()
        let space = disk.engine.space
        #expect(space.pinnedBytes >= 1 << 20 && space.deadBytes < 1 << 19)
        try disk.engine.deleteSnapshot("a")
        #expect(disk.engine.space.pinnedBytes == 0)
    }

    @Test func `A policy that could not be set is not set later`() throws {
        let disk = try disk()
        try disk.write(0, 8192, 1)
        var faults = Faults()
        faults.writeSpaceErrorOneIn = 1
        disk.store.setFaults(faults)
        let error = #expect(throws: DiskError.self) { try disk.engine.setCompression(.lz4) }
        #expect(error?.kind == .noSpace)
        disk.store.setFaults(Faults())
        try disk.engine.checkpoint()
        #expect(disk.engine.compression == .none)
    }

    @Test func `A page of the table in a segment that is free is found by the check`() throws {
        let disk = try disk()
        try disk.write(0, 8192, 1)
        try disk.engine.createSnapshot("a")
        try disk.engine.close()
        var superblock = try OpenedContainer.readSuperblock(disk.store).0
        let record = try #require(try SnapshotTable.records(superblock, disk.store).records.first)
        // Only its counts are there, once it is said to refer to nothing in that segment.
        let segment = Int(disk.geometry.segment(of: record.counts.location))
        let region = AlignedBuffer(count: Int(disk.geometry.tableRegionSizeBytes))
        let offset = disk.geometry.tableOffset(region: superblock.tableRegion)
        try unsafe disk.store.read(at: offset, into: region.bytes)
        let loaded = SegmentTable.load(region, superblock)
        var table = try #require(loaded)
        table.entries[segment].state = .free
        superblock.tableChecksum = SegmentTable.store(
            table.entries,
            nextSequence: table.nextSequence,
            volume: superblock.volume,
            generation: superblock.generation,
            in: region
        )
        disk.store.damage(at: offset, unsafe [UInt8](region.bytes))
        let page = AlignedBuffer(count: 4096)
        superblock.store(in: page)
        for place in Geometry.superblockOffsets {
            disk.store.damage(at: place, unsafe [UInt8](page.bytes))
        }
        let findings = try disk.check().findings
        #expect(findings.contains { $0.what.contains("the table of snapshots is in segment") })
        #expect(findings.contains { $0.what.contains("what snapshot 'a' refers to is in segment") })
    }

    @Test(.disabled(if: Sanitizer.isOn, "a sanitizer has memory for each byte that is looked at"))
    func `A segment takes what the plan says`() async {
        #expect(MemoryLayout<SegmentEntry>.stride == 16)
        await #expect(processExitsWith: .success) {
            let segmentCount: UInt32 = 1 << 18
            let geometry = Geometry(
                sizeBytes: 4 << 30,
                segmentSizeBytes: 64 << 10,
                segmentCount: segmentCount
            )
            let store = LimitedStore(sizeBytes: geometry.containerSizeBytes)
            let identifier = Identifier(high: 1, low: 2)
            try Disk.format(store, geometry, identifier: identifier, unixSeconds: 1)
            let driver = try EngineDriver.open(
                store: store,
                options: EngineOptions(),
                clock: SystemClock()
            ).driver
            // Every page that is written to is there from now on.
            for number in 0..<3 {
                try driver.createSnapshot("\(number)")
                try driver.checkpoint()
            }
            // The peak of what is resident begins anew.
            try FileDescriptor.open("/proc/self/clear_refs", .writeOnly).write("5")
            let before = try residentBytes().now
            try driver.createSnapshot("measured")
            try driver.checkpoint()
            let used = try residentBytes().most - before
            let plan = MemoryPlan(budgetBytes: 0, geometry: geometry, deltaCountMax: 1024)
            let resting = Int(segmentCount) * MemoryPlan.restingBytesPerSegment
            // The counts' pages are new in the store's memory: 4 bytes for each segment.
            precondition(
                used <= plan.tableBytes - resting + Int(segmentCount) * 4 + (3 << 20),
                "\(used) bytes of \(plan.tableBytes - resting)"
            )
        }
    }
}

/// What the kernel says that the process has of memory.
private func residentBytes() throws(Errno) -> (now: Int, most: Int) {
    let buffer = AlignedBuffer(count: 4096)
    let count = try unsafe FileDescriptor.open("/proc/self/status", .readOnly)
        .read(into: buffer.bytes)
    let text = unsafe String(decoding: buffer.bytes[..<count], as: UTF8.self)
    func kibibytes(_ name: String) -> Int {
        let line = text.split(separator: "\n").first { $0.hasPrefix(name) }
        return line?.split(separator: " ").compactMap { Int($0) }.first ?? 0
    }
    return (kibibytes("VmRSS:") << 10, kibibytes("VmHWM:") << 10)
}
