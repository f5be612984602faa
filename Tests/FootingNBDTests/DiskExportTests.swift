import FootingDisk
import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingNBD

/// A real disk behind the server.
@Suite struct DiskExportTests {
    private static let sizeBytes: UInt64 = (48 << 20) + 512

    private func serve(
        _ directory: TemporaryDirectory,
        _ body: (Server, Disk) throws -> Void
    ) throws {
        let disk = try Disk(path: directory.path("disk"))
        let server = try Server(export: DiskExport(disk, name: "disk"))
        try body(server, disk)
        try server.stop(within: .seconds(10))
        try disk.close()
    }

    private func create(_ directory: TemporaryDirectory) throws {
        try Disk.create(path: directory.path("disk"), DiskOptions(sizeBytes: Self.sizeBytes))
    }

    /// Small, large and staged writes at odd places, read back, and again after a restart.
    @Test func everythingIsThereAgain() throws {
        let directory = try TemporaryDirectory()
        try create(directory)
        let writes: [(offset: Int, count: Int)] = [
            (0, 4096), (512, 512), (4608, 1024), (1 << 20, 256 << 10), (3 << 20, 1 << 20),
            ((5 << 20) + 512, 256 << 10), (8 << 20, (256 << 10) + 512), (16 << 20, 9 << 20),
            (Int(Self.sizeBytes) - 512, 512), ((1 << 20) + 1024, 8192), (4096, 300_032),
        ]
        var expected = [UInt8](repeating: 0, count: Int(Self.sizeBytes))
        try serve(directory) { server, _ in
            let client = try TestClient(server: server).negotiate()
            for (index, write) in writes.enumerated() {
                let bytes = pattern(write.count, seed: UInt8(index + 1))
                #expect(try client.write(UInt64(write.offset), bytes) == 0)
                expected.replaceSubrange(write.offset..<write.offset + write.count, with: bytes)
                #expect(try client.read(UInt64(write.offset), write.count) == bytes)
            }
            #expect(try client.error(.flush) == 0)
            #expect(try client.read(16 << 20, 32 << 20) == Array(expected[16 << 20..<48 << 20]))
        }
        try serve(directory) { server, _ in
            let client = try TestClient(server: server).negotiate(structured: false)
            for offset in stride(from: 0, to: expected.count, by: 16 << 20) {
                let count = min(16 << 20, expected.count - offset)
                #expect(
                    try client.read(UInt64(offset), count)
                        == Array(expected[offset..<offset + count])
                )
            }
        }
    }

    @Test func largeWritesAreStaged() throws {
        let directory = try TemporaryDirectory()
        try create(directory)
        try serve(directory) { server, disk in
            #expect(disk.stage(at: 0, count: 256 << 10) != nil)
            let client = try TestClient(server: server).negotiate()
            let before = pattern(512 << 10, seed: 3)
            #expect(try client.write(0, before, flags: .forceUnitAccess) == 0)
            do {
                let broken = try TestClient(server: server).negotiate()
                let write = TestClient.bytes(of: Request(.write, cookie: 1, length: 512 << 10))
                try broken.send(write + pattern(300_000, seed: 9))
            }
            #expect(try eventually { server.statistics.brokenConnections == 1 })
            // Half of a write has not happened, and its place in the log is given back.
            #expect(try client.read(0, 512 << 10) == before)
            for index in 0..<24 {
                let bytes = pattern(512 << 10, seed: UInt8(index))
                #expect(try client.write(UInt64(index) << 19, bytes) == 0)
            }
            #expect(try client.error(.flush) == 0)
            #expect(try client.read(23 << 19, 512 << 10) == pattern(512 << 10, seed: 23))
        }
    }

    @Test func zeroesTrimsAndStatus() throws {
        let directory = try TemporaryDirectory()
        try create(directory)
        try serve(directory) { server, _ in
            let client = try TestClient(server: server).negotiate(contexts: true)
            #expect(try client.write(0, pattern(65536)) == 0)
            #expect(try client.error(.trim, 4096, 4096) == 0)
            #expect(try client.error(.writeZeroes, 8192, 512) == 0)
            #expect(try client.error(.writeZeroes, 16384, 8192, flags: .fastZero) == 0)
            #expect(try client.error(.writeZeroes, 32768, 4096, flags: .noHole) == 0)
            #expect(
                try client.error(.writeZeroes, 32768, 4096, flags: [.noHole, .fastZero])
                    == WireError.notSupported.rawValue
            )
            var expected = pattern(65536)
            for range in [4096..<8192, 8192..<8704, 16384..<24576, 32768..<36864] {
                for index in range { expected[index] = 0 }
            }
            #expect(try client.read(0, 65536) == expected)
            try client.send(Request(.blockStatus, cookie: 1, length: 1 << 20))
            let payload = try client.message().payload
            let runs: [UInt32] = stride(from: 4, to: payload.count, by: 4).map {
                payload.number(at: $0)
            }
            #expect(
                runs == [
                    4096, 0, 4096, 3, 8192, 0, 8192, 3, 40960, 0, (1 << 20) - 65536, 3,
                ]
            )
            #expect(try client.error(.cache, 0, 65536) == 0)
        }
    }

    /// Two connections on one disk: what one flushed, the other's flush covers too.
    @Test func severalConnections() throws {
        let directory = try TemporaryDirectory()
        try create(directory)
        try serve(directory) { server, _ in
            let clients = try (0..<4).map { _ in try TestClient(server: server).negotiate() }
            for (index, client) in clients.enumerated() {
                let bytes = pattern(8192, seed: UInt8(index))
                #expect(try client.write(UInt64(index) * 8192, bytes) == 0)
            }
            #expect(try clients[0].error(.flush) == 0)
            for index in 0..<4 {
                let bytes = try clients[3 - index].read(UInt64(index) * 8192, 8192)
                #expect(bytes == pattern(8192, seed: UInt8(index)))
            }
        }
    }
}
