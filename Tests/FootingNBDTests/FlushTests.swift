import FootingSystem
import Testing

@testable import FootingNBD

/// Flushes: joined where one answer holds for several, and never where it does not.
@Suite struct FlushTests {
    private func flushes(_ cookies: ClosedRange<UInt64>) -> [UInt8] {
        cookies.flatMap { TestClient.bytes(of: Request(.flush, cookie: $0)) }
    }

    @Test func flushesOfOneSendAreOne() throws {
        let test = try TestServer()
        let client = try test.client()
        test.export.set { $0.flushesBlock = true }
        try client.send(flushes(1...100))
        #expect(try eventually { test.export.pendingFlushes > 0 })
        #expect(try client.read(0, 512).count == 512)
        let calls = test.export.releaseFlushes()
        #expect(calls >= 1 && calls < 100)
        let answers = try (0..<100).map { _ in try client.message() }
        #expect(answers.allSatisfy { $0.error == 0 })
        #expect(Set(answers.map(\.cookie)) == Set(1...100))
    }

    @Test func errorsReachEveryFlush() throws {
        let test = try TestServer()
        let client = try test.client()
        test.export.set { $0.flushesBlock = true }
        try client.send(flushes(1...8))
        #expect(try client.read(0, 512).count == 512)
        _ = test.export.releaseFlushes(.inputOutput)
        for _ in 0..<8 {
            #expect(try client.message().error == WireError.inputOutput.rawValue)
        }
    }

    /// A flush after a write is not answered by one that was asked for before that write.
    @Test func aWriteDividesFlushes() throws {
        let test = try TestServer()
        let client = try test.client()
        test.export.set { $0.flushesBlock = true }
        let write = Request(.write, cookie: 50, length: 512)
        try client.send(
            flushes(1...1) + TestClient.bytes(of: write) + pattern(512) + flushes(2...2)
        )
        #expect(try client.message().cookie == 50)
        #expect(try eventually { test.export.pendingFlushes == 2 })
        test.export.releaseOldestFlush()
        #expect(try client.message().cookie == 1)
        #expect(test.export.pendingFlushes == 1)
        // The second is still open: what comes next is answered first.
        #expect(try client.error(.trim, 0, 4096) == 0)
        test.export.releaseOldestFlush()
        #expect(try client.message().cookie == 2)
    }

    /// Nor by one that was asked for before another connection's write was acknowledged.
    @Test func anotherConnectionsWriteDividesFlushes() throws {
        let test = try TestServer()
        let client = try test.client()
        let other = try test.client()
        test.export.set { $0.flushesBlock = true }
        try client.send(flushes(1...1))
        #expect(try eventually { test.export.pendingFlushes == 1 })
        #expect(try other.write(0, pattern(512)) == 0)
        try client.send(flushes(2...2))
        #expect(try eventually { test.export.pendingFlushes == 2 })
        test.export.releaseOldestFlush()
        #expect(try client.message().cookie == 1)
        test.export.releaseOldestFlush()
        #expect(try client.message().cookie == 2)
    }

    /// Flushes without end come up against the limit of pending requests, and all are answered.
    @Test func aFloodOfFlushes() throws {
        let test = try TestServer(FaultyExport()) { $0.maximumPendingRequests = 4 }
        let bystander = try Bystander(test)
        let client = try test.client()
        test.export.set { $0.flushesBlock = true }
        let sender = Locked<Bool>(false)
        let bytes = flushes(1...5000)
        try Thread(name: "sender") {
            try? client.send(bytes)
            sender.withLock { $0 = true }
        }.detach()
        #expect(try eventually { test.export.pendingFlushes > 0 })
        #expect(test.export.pendingFlushes <= 4)
        _ = test.export.releaseFlushes()
        var cookies: Set<UInt64> = []
        for _ in 0..<5000 { cookies.insert(try client.message().cookie) }
        #expect(cookies.count == 5000)
        #expect(try eventually { sender.withLock { $0 } })
        #expect(try bystander.isServed())
    }
}
