import FootingSystem

@testable import FootingNBD

/// A server with a disk whose faults a test decides; it ends with the test.
final class TestServer {
    let export: FaultyExport
    let server: Server
    private let lines = Locked([String]())

    init(
        _ export: FaultyExport = FaultyExport(),
        _ change: (inout Configuration) -> Void = { _ in }
    ) throws {
        self.export = export
        var configuration = Configuration()
        let lines = lines
        configuration.log = { line in lines.withLock { $0.append(line) } }
        change(&configuration)
        server = try Server(export: export, configuration: configuration)
    }

    deinit {
        export.set {
            $0.readsBlock = false
            $0.readsBlockBelow = 0
        }
        _ = export.releaseFlushes()
        try? server.stop(within: .seconds(5))
    }

    /// What the server logged.
    var log: [String] { lines.withLock { $0 } }

    /// A client that has not said anything yet.
    func newcomer() throws -> TestClient { try TestClient(server: server) }

    /// A client after its handshake.
    func client(structured: Bool = true, contexts: Bool = false) throws -> TestClient {
        try newcomer().negotiate(structured: structured, contexts: contexts)
    }

    /// Waits until so many connections were cut off.
    func hasCutOff(_ count: UInt64) throws -> Bool {
        try eventually { server.statistics.brokenConnections == count }
    }

    /// Waits until so many connections are left.
    func hasLeft(_ count: UInt64) throws -> Bool {
        try eventually { server.statistics.activeConnections == count }
    }
}

/// A client that must not notice what others do to the server.
struct Bystander {
    private let client: TestClient
    private let offset: UInt64
    private let bytes = pattern(8192, seed: 77)

    /// Connects, and writes what it expects to find again.
    init(_ test: TestServer, at offset: UInt64 = 60 << 20) throws {
        client = try test.client()
        self.offset = offset
        guard try client.write(offset, bytes) == 0 else { throw TestClient.Ended() }
    }

    /// Whether reads, writes and flushes still work.
    func isServed() throws -> Bool {
        try client.read(offset, bytes.count) == bytes
            && client.write(offset, bytes, flags: .forceUnitAccess) == 0
            && client.error(.flush) == 0
    }
}
