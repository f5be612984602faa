import FootingDisk
import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingNBD

/// Snapshots of a served disk, as exports beside it.
@Suite struct SnapshotExportTests {
    private func serve(_ body: (Server, Disk) throws -> Void) throws {
        let directory = try TemporaryDirectory()
        var options = DiskOptions(sizeBytes: 8 << 20)
        options.snapshotReservePercent = 200
        try Disk.create(path: directory.path("disk"), options)
        let disk = try Disk(path: directory.path("disk"))
        let server = try Server(
            export: DiskExport(disk, name: "disk"),
            others: SnapshotSource(disk, diskName: "disk")
        )
        try body(server, disk)
        try server.stop(within: .seconds(10))
        try disk.close()
    }

    private func client(_ server: Server, _ name: String) throws -> TestClient {
        try TestClient(server: server).negotiate(contexts: true, name: name)
    }

    @Test func aSnapshotIsReadBesideTheDisk() throws {
        try serve { server, disk in
            let live = try client(server, "disk")
            let old = pattern(1 << 20, seed: 1)
            let new = pattern(1 << 20, seed: 2)
            #expect(try live.write(0, old) == 0)
            try disk.createSnapshot("a")
            #expect(try live.write(0, new) == 0)
            let kept = try client(server, "disk@a")
            let short = try client(server, "@a")
            for _ in 0..<2 {
                // The two take turns in the same cache.
                #expect(try kept.read(0, 1 << 20) == old)
                #expect(try live.read(0, 1 << 20) == new)
                #expect(try short.read(4096, 8192) == Array(old[4096..<12288]))
            }
            #expect(try kept.write(0, new) == WireError.notPermitted.rawValue)
            #expect(try kept.error(.trim, 0, 4096) == WireError.notPermitted.rawValue)
            #expect(try kept.error(.writeZeroes, 0, 4096) == WireError.notPermitted.rawValue)
            #expect(try kept.error(.flush) == 0)
            #expect(try kept.error(.cache, 0, 65536) == 0)
            #expect(try kept.read(0, 1 << 20) == old)
        }
    }

    @Test func theNamesAreListedAndUnknownOnesRefused() throws {
        try serve { server, disk in
            try disk.createSnapshot("one")
            try disk.createSnapshot("two")
            #expect(
                SnapshotSource(disk, diskName: "disk").list().map { $0.name }
                    == ["disk@one", "disk@two"]
            )
            for name in ["disk@three", "other@one", "one", "@", "disk@", "disk@one@"] {
                #expect(throws: (any Error).self) {
                    try TestClient(server: server).negotiate(name: name)
                }
            }
        }
    }

    @Test func itIsNotDeletedWhileAClientReadsIt() throws {
        try serve { server, disk in
            try disk.createSnapshot("a")
            do {
                let reader = try client(server, "disk@a")
                #expect(try reader.read(0, 512) == [UInt8](repeating: 0, count: 512))
                let error = #expect(throws: DiskError.self) { try disk.deleteSnapshot("a") }
                #expect(error?.kind == .busy)
                #expect(disk.snapshots().first?.readerCount == 1)
            }
            #expect(try eventually { server.statistics.activeConnections == 0 })
            #expect(try eventually { (try? disk.deleteSnapshot("a")) != nil })
            #expect(throws: (any Error).self) {
                try TestClient(server: server).negotiate(name: "disk@a")
            }
        }
    }

    @Test func nothingIsDoneWithoutClientsWhileThereAreSome() throws {
        try serve { server, disk in
            try disk.createSnapshot("a")
            do {
                let live = try client(server, "")
                #expect(try live.write(0, pattern(4096, seed: 3)) == 0)
                let isDone = try server.withoutClients { () throws(DiskError) in
                    try disk.rollBack(to: "a")
                    return true
                }
                #expect(isDone == nil)
            }
            #expect(try eventually { server.statistics.activeConnections == 0 })
            let isDone = try server.withoutClients { () throws(DiskError) in
                try disk.rollBack(to: "a")
                return true
            }
            #expect(isDone == true)
            let live = try client(server, "")
            #expect(try live.read(0, 4096) == [UInt8](repeating: 0, count: 4096))
        }
    }
}
