import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingDisk

/// Clients that write different sectors of one block at the same time.
@Suite(.serialized) struct SharedBlockTests {
    private static let clientCount = 4
    private static let rounds = Sanitizer.rounds(30_000, sanitized: 1000)

    /// Each sector has one writer, so what it wrote last is there when it looks.
    @Test(arguments: [false, true])
    func `No client's sector is lost`(isEncrypted: Bool) throws {
        let file = TemporaryFile()
        defer { file.remove() }
        var creation = DiskOptions(sizeBytes: 8 << 20)
        var options = EngineOptions()
        if isEncrypted {
            creation.encryption = DiskEncryption(key: EncryptedDisk.key)
            options.key = EncryptedDisk.key
        }
        try Disk.create(path: file.path, creation)
        let disk = try Disk(path: file.path, options: options)
        let losses = Locked<[String]>([])
        let clients = try (0..<Self.clientCount).map { number in
            try ThreadBox {
                let problem = Self.write(disk, sector: UInt64(number))
                if let problem { losses.withLock { $0.append(problem) } }
            }
        }
        for client in clients { client.join() }
        #expect(losses.withLock { $0 } == [])
        try disk.close()
    }

    /// Writes a sector again and again.
    ///
    /// - Returns: what was there instead, if it was something else.
    private static func write(_ disk: Disk, sector: UInt64) -> String? {
        let buffer = AlignedBuffer(count: 4096)
        let bytes = unsafe buffer.slice(0..<512)
        for round in 1...UInt64(rounds) {
            do throws(DiskError) {
                buffer.set(round, at: 0)
                try unsafe disk.write(at: sector * 512, UnsafeRawBufferPointer(bytes))
                try unsafe disk.read(at: sector * 512, into: bytes)
            } catch {
                return "sector \(sector): \(error)"
            }
            let found = buffer.get(UInt64.self, at: 0)
            if found != round { return "sector \(sector): \(found) instead of \(round)" }
        }
        return nil
    }
}
