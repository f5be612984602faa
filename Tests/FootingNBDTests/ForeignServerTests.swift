import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingNBD

/// What is known of another program's clients.
@Suite struct ForeignServerTests {
    @Test func `connections and requests are counted by what became of them`() {
        let server = ForeignServer()
        let first = server.connect()
        let second = server.connect()
        #expect(first != second)
        #expect(server.measure(.read, bytes: 4096, connection: first) { 0 } == 0)
        #expect(server.measure(.write, bytes: 512, connection: second) { 0 } == 0)
        #expect(server.measure(.write, bytes: 1024, connection: second) { -28 } == -28)
        server.disconnect()
        var expected = Statistics()
        expected.connections = 2
        expected.activeConnections = 1
        expected.requests = 3
        expected.readBytes = 4096
        expected.writtenBytes = 512
        #expect(server.statistics == expected)
        let writes = server.requestStatistics[.write]
        #expect(writes.latency.count == 2)
        #expect(writes.errors == 1)
        #expect(server.requestStatistics[.flush].latency.count == 0)
    }

    @Test func `what wants no client is refused while there is one`() {
        let server = ForeignServer()
        _ = server.connect()
        #expect(server.withoutClients { 1 } == nil)
        server.disconnect()
        #expect(server.withoutClients { 1 } == 1)
        // One at a time.
        #expect(server.withoutClients { server.withoutClients { 1 } == nil } == true)
        #expect(server.withoutClients { 1 } == 1)
    }

    @Test func `who connects meanwhile waits until it is done`() throws {
        let server = ForeignServer()
        let order = Locked<[String]>([])
        let begun = try Event()
        var client: FootingSystem.Thread?
        let isDone = try server.withoutClients {
            client = try Thread(name: "client") {
                begun.set()
                _ = server.connect()
                order.withLock { $0.append("connected") }
            }
            _ = try begun.wait(for: .nothing, descriptor: -1, timeoutMilliseconds: 10_000)
            // Long enough for who would not wait.
            _ = try Event().wait(for: .nothing, descriptor: -1, timeoutMilliseconds: 50)
            #expect(server.statistics.activeConnections == 0)
            order.withLock { $0.append("done") }
            return true
        }
        #expect(isDone == true)
        client.take()?.join()
        #expect(order.withLock { $0 } == ["done", "connected"])
        #expect(server.statistics.activeConnections == 1)
    }
}
