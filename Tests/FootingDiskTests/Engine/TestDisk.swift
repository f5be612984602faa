import FootingSimulation
import FootingSystem
import Testing

@testable import FootingDisk

/// A small disk on a simulated store, driven by the test.
struct TestDisk {
    let store: SimulatedStore
    let clock = SimulatedClock()
    var options = EngineOptions()
    let geometry: Geometry
    var engine: EngineDriver

    init(
        sizeBytes: UInt64 = 1 << 20,
        sparePercent: Int = 33,
        segmentSizeBytes: UInt64 = 64 << 10,
        faults: Faults = Faults(),
        options: EngineOptions = EngineOptions()
    ) throws {
        geometry = Geometry(
            sizeBytes: sizeBytes,
            sparePercent: sparePercent,
            segmentSizeBytes: segmentSizeBytes
        )
        self.options = options
        store = SimulatedStore(sizeBytes: geometry.containerSizeBytes, seed: 1)
        try Disk.format(
            store,
            geometry,
            identifier: Identifier(high: 1, low: 2),
            unixSeconds: clock.unixSeconds
        )
        store.setFaults(faults)
        engine = try EngineDriver.open(store: store, options: options, clock: clock).driver
    }

    /// Another one with the same content, and the other's engine.
    init(copying other: TestDisk, seed: UInt64) {
        geometry = other.geometry
        options = other.options
        store = other.store.copy(seed: seed)
        engine = other.engine
    }

    /// Opens again, after a crash that kept what it kept.
    @discardableResult
    mutating func restart(_ survival: Survival = .none) throws -> RecoveryReport {
        store.restart(survival)
        let opened = try EngineDriver.open(store: store, options: options, clock: clock)
        engine = opened.driver
        return opened.report
    }

    func write(_ offset: UInt64, _ count: Int, _ value: UInt8) throws(DiskError) {
        let buffer = AlignedBuffer(count: count)
        let bytes = unsafe buffer.slice(0..<count)
        unsafe bytes.initializeMemory(as: UInt8.self, repeating: value)
        try unsafe engine.write(at: offset, UnsafeRawBufferPointer(bytes))
    }

    /// Not inlined: an array that nobody looks at is freed before it is filled, by Swift 6.3.
    @inline(never)
    func read(_ offset: UInt64, _ count: Int) throws(DiskError) -> [UInt8] {
        let buffer = AlignedBuffer(count: count)
        let bytes = unsafe buffer.slice(0..<count)
        try unsafe engine.read(at: offset, into: bytes)
        return unsafe [UInt8](bytes)
    }

    /// Whether a range holds nothing but one value.
    func holds(_ offset: UInt64, _ count: Int, _ value: UInt8) throws(DiskError) -> Bool {
        try read(offset, count).allSatisfy { $0 == value }
    }

    func check() throws -> CheckReport {
        try DiskCheck.run(store: store)
    }
}
