import FootingAcceleration
import FootingSimulation
import FootingSystem
import Testing

@testable import FootingDisk

/// A small encrypted disk on a simulated store.
struct EncryptedDisk {
    static let key = makeKey(7)

    let store: SimulatedStore
    let geometry: Geometry
    let clock = SimulatedClock()

    /// A key file's key, of which all bytes are one value.
    static func makeKey(_ value: UInt8) -> DiskKey {
        let buffer = AlignedBuffer(count: 64)
        for index in 0..<64 { buffer.set(value, at: index) }
        let bytes = unsafe UnsafeRawBufferPointer(buffer.slice(0..<64))
        guard let secret = unsafe try? SecretBytes(copying: bytes),
            let credential = try? Credential.keyFile(secret)
        else { preconditionFailure("no memory for a key") }
        return DiskKey(credential)
    }

    /// - Parameter seed: which key the disk gets; the same key file opens all of them.
    init(
        sizeBytes: UInt64 = 2 << 20,
        compression: CompressionPolicy = .none,
        seed: UInt64 = 11,
        identifier: Identifier = Identifier(high: 1, low: 2)
    ) throws {
        geometry = Geometry(
            sizeBytes: sizeBytes,
            sparePercent: 60,
            snapshotReservePercent: 100,
            segmentSizeBytes: 64 << 10,
            isEncrypted: true
        )
        store = SimulatedStore(sizeBytes: geometry.containerSizeBytes, seed: 3)
        var generator = SeededRandom(seed: seed)
        try Disk.format(
            store,
            geometry,
            identifier: identifier,
            unixSeconds: clock.unixSeconds,
            compression: compression,
            encryption: DiskEncryption(key: Self.key),
            using: &generator
        )
    }

    private init(copying other: EncryptedDisk, seed: UInt64) {
        geometry = other.geometry
        store = other.store.copy(seed: seed)
    }

    /// An independent disk with the same content.
    func copy(seed: UInt64 = 5) -> EncryptedDisk { EncryptedDisk(copying: self, seed: seed) }

    func open(_ key: DiskKey? = key) throws(DiskError) -> EngineDriver {
        var options = EngineOptions()
        options.memoryBudgetBytes = 0
        options.key = key
        return try EngineDriver.open(store: store, options: options, clock: clock).driver
    }

    func check(_ key: DiskKey? = key) throws(DiskError) -> CheckReport {
        try DiskCheck.run(store: store, key: key)
    }

    /// What block `number` holds after round `round`.
    static func content(_ number: Int, _ round: Int) -> [UInt8] {
        var random = SeededRandom(seed: UInt64(number * 1000 + round))
        // Half of it compresses.
        return (0..<4096).map {
            $0 < 2048 ? UInt8(round) : UInt8(truncatingIfNeeded: random.next())
        }
    }

    static func write(_ engine: EngineDriver, _ number: Int, _ round: Int) throws(DiskError) {
        let bytes = content(number, round)
        let buffer = AlignedBuffer(count: 4096)
        unsafe bytes.withUnsafeBytes { unsafe buffer.copy(from: $0, at: 0) }
        try unsafe engine.write(
            at: UInt64(number) * 4096,
            UnsafeRawBufferPointer(buffer.slice(0..<4096))
        )
    }

    static func read(_ engine: EngineDriver, _ number: Int) throws(DiskError) -> [UInt8] {
        let buffer = AlignedBuffer(count: 4096)
        try unsafe engine.read(at: UInt64(number) * 4096, into: buffer.slice(0..<4096))
        return unsafe [UInt8](UnsafeRawBufferPointer(buffer.slice(0..<4096)))
    }
}
