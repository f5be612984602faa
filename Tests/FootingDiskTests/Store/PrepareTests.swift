import FootingSimulation
import FootingSystem
import FootingTestSupport
import Glibc
import Synchronization
import Testing

@testable import FootingDisk

/// Segments that are written once before the log comes to them.
@Suite(.timeLimit(.minutes(2))) struct PrepareTests {
    /// A store that overwrites in place, on a file system that reserves without writing.
    private func withStore(
        sizeBytes: UInt64,
        _ body: (FileStore) throws -> Void
    ) throws {
        let file = TemporaryFile()
        defer { file.remove() }
        _ = try FileStore(creating: file.path, sizeBytes: sizeBytes)
        let store = try FileStore(path: file.path, access: .exclusive)
        guard store.isOverwrittenInPlace else {
            try Test.cancel("the working directory is on no ext4 or XFS with direct output")
        }
        try body(store)
    }

    private func data(_ path: String, _ range: Range<UInt64>) throws -> [Range<UInt64>] {
        let file = try FileDescriptor.open(path, .readOnly)
        var found: [Range<UInt64>] = []
        var position = range.lowerBound
        while position < range.upperBound, let next = try file.nextData(from: position) {
            found.append(next.clamped(to: range))
            position = next.upperBound
        }
        return found.filter { !$0.isEmpty }
    }

    @Test func `What was only reserved is written, and what is there stays`() throws {
        try withStore(sizeBytes: 8 << 20) { store in
            let range: Range<UInt64> = 1 << 20..<5 << 20
            try store.allocate(range)
            #expect(try data(store.path, range).isEmpty)
            // Some blocks of it are in use already.
            let page = AlignedBuffer(count: 4096)
            let offsets: [UInt64] = [1 << 20, (2 << 20) + 8192, (5 << 20) - 4096]
            for offset in offsets {
                page.set(offset, at: 0)
                unsafe try store.write(at: offset, UnsafeRawBufferPointer(page.slice(0..<4096)))
            }
            // Also where the device would make them itself.
            #expect(try store.prepare(range, writeZeroes: nil) == (4 << 20) - 3 * 4096)
            #expect(try data(store.path, range) == [range])
            #expect(try data(store.path, 5 << 20..<8 << 20).isEmpty)
            let file = try FileDescriptor.open(store.path, .readOnly)
            for offset in offsets {
                let bytes = try file.read(8, at: offset)
                #expect(bytes.enumerated().allSatisfy { $1 == UInt8(offset >> ($0 * 8) & 0xff) })
            }
            #expect(try file.read(4096, at: (1 << 20) + 4096).allSatisfy { $0 == 0 })
            // A second time there is nothing to do.
            #expect(try store.prepare(range) == 0)
        }
    }

    @Test func `A new disk's first segments are written once`() throws {
        let file = TemporaryFile()
        defer { file.remove() }
        try Disk.create(path: file.path, DiskOptions(sizeBytes: 16 << 20))
        let geometry = try DiskInformation(path: file.path).geometry
        for segment in 0..<UInt32(4) {
            let range = geometry.range(ofSegment: segment)
            let isWritten = try data(file.path, range) == [range]
            let place = try FileDescriptor.open(file.path, .readOnly).fileSystem().magic
            #expect(isWritten == [0xef53, 0x5846_5342].contains(place))
        }
    }

    /// What of a new disk's segments was written, as ranges of the file, and its layout.
    private func written(
        _ options: DiskOptions,
        progress: (UInt64, UInt64) -> Void = { _, _ in }
    ) throws -> (ranges: [Range<UInt64>], geometry: Geometry) {
        let file = TemporaryFile()
        defer { file.remove() }
        try withStore(sizeBytes: 4096) { _ in }
        try Disk.create(path: file.path, options, progress: progress)
        let geometry = try DiskInformation(path: file.path).geometry
        let start = geometry.range(ofSegment: 0).lowerBound
        return (try data(file.path, start..<geometry.containerSizeBytes), geometry)
    }

    @Test func `Large segments are prepared up to a limit, and as many bytes as are asked for`()
        throws
    {
        var options = DiskOptions(sizeBytes: 64 << 20)
        options.segmentSizeBytes = 16 << 20
        let usual = try written(options)
        let start = usual.geometry.range(ofSegment: 0).lowerBound
        #expect(usual.ranges == [start..<start + 32 << 20])
        options.preparedBytes = 0
        #expect(try written(options).ranges == [])
        options.preparedBytes = 21 << 20
        #expect(try written(options).ranges == [start..<start + 21 << 20])
        options.preparedBytes = .max
        var told: [UInt64] = []
        let all = try written(options) { done, total in told += [done, total] }
        let end = all.geometry.range(ofSegment: all.geometry.segmentCount - 1).upperBound
        #expect(all.ranges == [start..<end])
        // Each piece, and the last one is all of it.
        let dones = stride(from: 0, to: told.count, by: 2).map { told[$0] }
        #expect(dones == dones.sorted() && dones.count == Int((end - start) >> 24))
        #expect(dones.last == end - start && told.last == end - start)
    }

    @Test func `What the host has no space for is refused before any of it is taken`() throws {
        let file = TemporaryFile()
        defer { file.remove() }
        var free: UInt64 = 0
        try withStore(sizeBytes: 4096) { free = try $0.freeBytes() }
        // The size of it is not what the host lacks: a file is sparse.
        let sizeBytes = (free >> 20 + 1) << 21
        guard sizeBytes <= 4 << 40 else {
            try Test.cancel("the working directory has more free than a file can be large")
        }
        var options = DiskOptions(sizeBytes: sizeBytes)
        options.preparedBytes = .max
        let error = #expect(throws: DiskError.self) {
            try Disk.create(path: file.path, options)
        }
        #expect(error?.kind == .noSpace)
        #expect(error?.detail.hasPrefix("the host has no space for ") == true, "\(error as Any)")
        #expect(unsafe access(file.path, F_OK) != 0)
    }

    @Test func `What is asked for is written, and no device is asked to make zeros of it`() throws {
        let geometry = try DiskOptions(sizeBytes: 16 << 20).geometry()
        try withStore(sizeBytes: geometry.containerSizeBytes) { store in
            try SegmentPreparation(store, geometry).run(1 << 20) { _, _ in }
            let start = geometry.range(ofSegment: 0).lowerBound
            #expect(try data(store.path, start..<start + 1 << 20) == [start..<start + 1 << 20])
            // A device that refuses is not asked again: this one was not asked.
            let isAskedNext = store.asksForZeroes.load(ordering: .relaxed)
            #expect(isAskedNext)
        }
    }

    @Test func `Where an overwrite goes elsewhere it is refused, and only if it was asked for`()
        throws
    {
        let path = "/dev/shm/footing-prepare-\(getpid())"
        guard unsafe access("/dev/shm", W_OK) == 0 else { try Test.cancel("no /dev/shm") }
        defer { FileDescriptor.remove(path) }
        var options = DiskOptions(sizeBytes: 4 << 20)
        options.preparedBytes = 1 << 20
        let error = #expect(throws: DiskError.self) { try Disk.create(path: path, options) }
        #expect(error?.kind == .invalid)
        options.preparedBytes = nil
        try Disk.create(path: path, options)
    }

    @Test func `A device that makes zeros itself is asked, and for nothing that is there`() throws {
        try withStore(sizeBytes: 16 << 20) { store in
            let range: Range<UInt64> = 1 << 20..<13 << 20
            try store.allocate(range)
            let page = AlignedBuffer(count: 4096)
            unsafe try store.write(at: 2 << 20, UnsafeRawBufferPointer(page.slice(0..<4096)))
            var asked: [Range<UInt64>] = []
            let written = try store.prepare(range) { piece in asked.append(piece) }
            #expect(written == 0)
            let there: UInt64 = (2 << 20) + 4096
            #expect(asked.first == 1 << 20..<2 << 20)
            #expect(asked.dropFirst().first == there..<there + 4 << 20)
            #expect(asked.last?.upperBound == range.upperBound)
            #expect(asked.allSatisfy { $0.count <= 4 << 20 })
            #expect(asked.reduce(0) { $0 + $1.count } == range.count - 4096)
            // Nobody has made them, and so nothing else is written.
            #expect(try data(store.path, range) == [2 << 20..<there])
        }
    }

    @Test(arguments: [Errno.notSupported, .notPermitted, .invalidArgument])
    func `A device that makes no zeros is asked once, and gets them`(_ refusal: Errno) throws {
        try withStore(sizeBytes: 8 << 20) { store in
            let range: Range<UInt64> = 0..<4 << 20
            try store.allocate(0..<8 << 20)
            var count = 0
            let written = try store.prepare(range) { (_) throws(Errno) in
                count += 1
                throw refusal
            }
            #expect(written == 4 << 20)
            #expect(try data(store.path, 0..<8 << 20) == [range])
            #expect(try store.prepare(4 << 20..<8 << 20) { _ in count += 1 } == 4 << 20)
            #expect(count == 1)
        }
    }

    @Test func `A failure of the device is one, and nothing is written instead`() throws {
        try withStore(sizeBytes: 8 << 20) { store in
            try store.allocate(0..<8 << 20)
            #expect(throws: Errno.inputOutput) {
                try store.prepare(0..<8 << 20) { (_) throws(Errno) in throw .inputOutput }
            }
            #expect(try data(store.path, 0..<8 << 20) == [])
            // The next one is asked again.
            let isAsked = store.asksForZeroes.load(ordering: .relaxed)
            #expect(isAsked)
        }
    }

    /// So many durable writes of one block each, with what else the engine does between them.
    private func write(_ disk: TestDisk, _ range: Range<UInt64>, flushes: Bool) throws {
        for block in range {
            try disk.write(block % 64 * 4096, 4096, 7)
            if flushes { try disk.engine.flush() }
            while try disk.engine.maintenanceStep() {}
        }
    }

    @Test func `Small commits have the next segments prepared, large ones do not`() throws {
        var options = EngineOptions()
        options.preparesSegments = true
        let small = try TestDisk(sizeBytes: 4 << 20, options: options)
        try write(small, 0..<60, flushes: true)
        let written = small.engine.statistics.written
        #expect(written.preparedBytes >= small.geometry.segmentSizeBytes)
        #expect(written.preparedBytes % small.geometry.segmentSizeBytes == 0)
        #expect(try small.holds(0, 4096, 7))
        #expect(try small.check().findings.isEmpty)

        options.preparesSegments = false
        let off = try TestDisk(sizeBytes: 4 << 20, options: options)
        try write(off, 0..<60, flushes: true)
        #expect(off.engine.statistics.written.preparedBytes == 0)

        options.preparesSegments = true
        let large = try TestDisk(
            sizeBytes: 32 << 20,
            segmentSizeBytes: 1 << 20,
            options: options
        )
        for piece in 0..<24 as Range<UInt64> {
            try large.write(piece << 20, 1 << 20, 7)
            try large.engine.flush()
            while try large.engine.maintenanceStep() {}
        }
        #expect(large.engine.statistics.written.preparedBytes == 0)
    }

    /// An engine on a store that a test scripts.
    private func open(_ store: ScriptedPreparation) throws -> EngineDriver {
        var options = EngineOptions()
        options.preparesSegments = true
        return try EngineDriver.open(store: store, options: options, clock: SimulatedClock())
            .driver
    }

    private func makeStore() throws -> ScriptedPreparation {
        let store = ScriptedPreparation(sizeBytes: 8 << 20)
        let geometry = Geometry(
            sizeBytes: 4 << 20,
            sparePercent: 33,
            segmentSizeBytes: 64 << 10
        )
        try Disk.format(store, geometry, identifier: Identifier(high: 1, low: 2), unixSeconds: 0)
        return store
    }

    /// Durable writes of one block each, which tell where they were made.
    private func commit(_ engine: EngineDriver, _ blocks: Range<UInt64>) throws(DiskError) {
        let page = AlignedBuffer(count: 4096)
        for block in blocks {
            page.set(block + 1, at: 0)
            unsafe try engine.write(
                at: block * 4096,
                UnsafeRawBufferPointer(page.slice(0..<4096))
            )
            try engine.flush()
        }
    }

    @Test func `A store that refuses is not asked again, and nothing else fails`() throws {
        let store = try makeStore()
        let engine = try open(store)
        for block in 0..<100 as Range<UInt64> {
            try commit(engine, block..<block + 1)
            while try engine.maintenanceStep() {}
        }
        #expect(store.asked.withLock { $0 } == 1)
        #expect(engine.statistics.written.preparedBytes == 0)
    }

    @Test func `Nobody else uses a segment while it is prepared`() throws {
        let store = try makeStore()
        let engine = try open(store)
        // A segment takes fewer than eight such commits: twenty come to the next two.
        var next: UInt64 = 0
        unsafe store.meanwhile = {
            guard next < 200 else { return }
            try? commit(engine, next..<next + 20)
            next += 20
        }
        for _ in 0..<12 where next < 200 {
            try commit(engine, next..<next + 1)
            next += 1
            while try engine.maintenanceStep() {}
        }
        #expect(engine.statistics.written.preparedBytes > 0)
        // As after a crash: nothing of it is in any cache.
        let again = try open(store)
        let page = AlignedBuffer(count: 4096)
        for block in 0..<next {
            unsafe try again.read(at: block * 4096, into: page.slice(0..<4096))
            #expect(page.get(UInt64.self, at: 0) == block + 1, "block \(block)")
        }
    }
}

/// A store in memory that refuses to prepare, or does it as harshly as it may.
private final class ScriptedPreparation: BlockStore {
    private let memory: MemoryStore
    let asked = Locked(0)
    /// What happens meanwhile; nil: it is refused.
    nonisolated(unsafe) var meanwhile: (() -> Void)?
    let path = "memory"
    var sizeBytes: UInt64 { memory.sizeBytes }

    init(sizeBytes: UInt64) { memory = MemoryStore(sizeBytes: sizeBytes) }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) {
        unsafe try memory.read(at: offset, into: buffer)
    }

    func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        unsafe try memory.write(at: offset, bytes)
    }

    func synchronize() throws(Errno) { try memory.synchronize() }
    func allocate(_ range: Range<UInt64>) throws(Errno) { try memory.allocate(range) }
    func discard(_ range: Range<UInt64>) throws(Errno) { try memory.discard(range) }

    /// Whatever was in the range is gone, so that nobody may have come to need it meanwhile.
    func prepare(_ range: Range<UInt64>) throws(Errno) -> UInt64 {
        asked.withLock { $0 += 1 }
        guard let meanwhile = unsafe meanwhile else { throw .noSpace }
        meanwhile()
        let zeros = AlignedBuffer(count: range.count)
        unsafe try memory.write(
            at: range.lowerBound,
            UnsafeRawBufferPointer(zeros.slice(0..<range.count))
        )
        return UInt64(range.count)
    }
}
