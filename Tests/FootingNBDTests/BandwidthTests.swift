import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingNBD

/// The limit on the bandwidth, with sockets and the clock of this machine.
@Suite struct BandwidthTests {
    private static let mebibyte = 1 << 20
    private let clock = SystemClock()

    /// A server whose burst is spent.
    private func server(_ bytesPerSecond: UInt64) throws -> TestServer {
        let test = try TestServer { $0.bandwidthBytesPerSecond = bytesPerSecond }
        let rest = Int(bytesPerSecond / 10) & ~511
        #expect(try test.client().read(0, rest).count == rest)
        #expect(try test.hasLeft(0))
        return test
    }

    /// Reads and writes with several requests under way, until the time is over.
    private func load(_ client: TestClient, bytes: Int, until end: UInt64) throws -> Int {
        var done = 0
        var isWrite = false
        // With few small requests a busy machine would be the limit.
        let depth = max(4, (128 << 10) / bytes)
        let payload = pattern(bytes)
        func ask() throws {
            let kind: Command = isWrite ? .write : .read
            isWrite.toggle()
            let request = Request(kind, cookie: 5, length: UInt32(bytes))
            try client.send(request, payload: kind == .write ? payload : [])
        }
        for _ in 0..<depth { try ask() }
        while clock.nanoseconds < end {
            guard try client.message().isLast else { continue }
            done += bytes
            try ask()
        }
        return done
    }

    /// Loads a server from three clients for 10 s.
    ///
    /// - Returns: what each of them got, by the size of its requests.
    private func shares(rate: Int) throws -> [Int] {
        let test = try server(UInt64(rate))
        let port = try test.server.listen(port: 0)
        try test.server.start()
        let end = clock.nanoseconds + 10_000_000_000
        let sums = Locked([Int](repeating: 0, count: 3))
        let threads = try [4096, 64 << 10, 256 << 10].enumerated().map { index, bytes in
            let client = try TestClient(try Socket.connect(loopbackPort: port)).negotiate()
            return try ThreadBox {
                do {
                    let sum = try load(client, bytes: bytes, until: end)
                    sums.withLock { $0[index] = sum }
                } catch {
                    Issue.record(error)
                }
            }
        }
        for thread in threads { thread.join() }
        let statistics = test.server.statistics
        #expect(statistics.heldRequests > 100)
        #expect(statistics.heldNanoseconds > 10_000_000_000)
        return sums.withLock { $0 }
    }

    /// The bar: within 5 % of the limit over 10 s, and each of the clients its share.
    ///
    /// More than the limit is a fault whenever it is seen. Less, or another share, can also be a
    /// client that got no processor: it is a fault where all had theirs. What the arithmetic alone
    /// grants is held at all times, by `BandwidthQueueTests`.
    @Test func `Clients have the limit together and equal shares of it`() throws {
        // Few enough requests that a machine with many more threads than processors serves them.
        let rate = 4 * Self.mebibyte
        var seen: [(shares: [Int], lateness: Double)] = []
        for _ in 0..<4 {
            let witness = try ProcessorWitness()
            defer { _ = witness.end() }
            let shares = try shares(rate: rate)
            seen.append((shares, witness.end()))
            let share = Double(shares.reduce(0, +)) / Double(rate * 10)
            #expect(share <= 1.05, "\(shares)")
            let parts = shares.map { Double($0) * 3 / Double(rate * 10) }
            if share >= 0.95, parts.allSatisfy((0.7...1.3).contains) { return }
        }
        if seen.contains(where: { $0.lateness < 0.05 }), !Sanitizer.isOn {
            Issue.record("\(seen)")
        } else {
            try Test.cancel("this machine has no processor to judge by: \(seen)")
        }
    }

    @Test func `A flush does not wait behind reads that do`() throws {
        let test = try server(512 << 10)
        let client = try test.client()
        var requests = (1...4).map { Request(.read, cookie: $0, length: 256 << 10) }
        requests.append(Request(.flush, cookie: 99))
        requests.append(Request(.trim, cookie: 98, length: 4096))
        // At once: however busy this machine is, no read has its turn before.
        try client.send(requests.flatMap { TestClient.bytes(of: $0) })
        // Both before any of the reads, in whatever order.
        let first = try Set([client.message().cookie, client.message().cookie])
        #expect(first == [98, 99])
        // The reads come in order, at their time.
        for cookie in 1...4 { #expect(try client.message().cookie == UInt64(cookie)) }
    }

    @Test func `What waits is not kept in memory`() throws {
        let test = try server(64 << 10)
        let client = try test.client()
        let bytes = 8 << 20
        try client.send(TestClient.bytes(of: Request(.write, cookie: 1, length: UInt32(bytes))))
        let part = [UInt8](repeating: 7, count: 256 << 10)
        var sent = 0
        // The socket holds some; the rest is not taken, however long it is offered.
        let pause = try Event()
        for _ in 0..<50 {
            sent += unsafe part.withUnsafeBytes { bytes in
                unsafe (try? client.socket.send(bytes, waits: false)) ?? 0
            }
            _ = try pause.wait(for: .nothing, descriptor: -1, timeoutMilliseconds: 10)
        }
        #expect(sent < 2 << 20)
        #expect(test.export.calls.withLock { $0.writes.isEmpty })
        // Another does not have to wait for it.
        let other = try test.client()
        #expect(try other.write(0, pattern(4096)) == 0)
        #expect(test.export.calls.withLock { $0.writes.count } == 1)
    }

    /// Payment in advance would let all of them through at once.
    @Test func `Writes that were announced long ago are served at the rate`() throws {
        let test = try server(2 << 20)
        let bytes = 512 << 10
        let clients = try (0..<4).map { _ in try test.client() }
        for client in clients {
            try client.send(TestClient.bytes(of: Request(.write, length: UInt32(bytes))))
        }
        // Time enough to pay for all of them.
        let pause = try Event()
        _ = try pause.wait(for: .nothing, descriptor: -1, timeoutMilliseconds: 1_300)
        let start = clock.nanoseconds
        let threads = try clients.map { client in
            try ThreadBox {
                do { try client.send(pattern(bytes)) } catch { Issue.record(error) }
            }
        }
        // What was written in the second before, at any time.
        var samples: [(nanoseconds: UInt64, bytes: UInt64)] = []
        while test.server.statistics.writtenBytes < 4 * bytes {
            samples.append((clock.nanoseconds, test.server.statistics.writtenBytes))
            _ = try pause.wait(for: .nothing, descriptor: -1, timeoutMilliseconds: 10)
        }
        for thread in threads { thread.join() }
        for client in clients { #expect(try client.message().error == 0) }
        // 2 MiB, of which the burst is a tenth of a second's.
        #expect(clock.nanoseconds - start >= 850_000_000)
        #expect(clock.nanoseconds - start <= 5_000_000_000)
        let soon = samples.last { $0.nanoseconds <= start + 500_000_000 }
        // Half a second's worth, the burst, and the part of a piece that each has under way.
        #expect(try #require(soon).bytes <= 1 << 20 + 210 << 10 + 4 * 64 << 10)
    }

    @Test func `A client that sends a write slowly is served as it arrives`() throws {
        let test = try server(2 << 20)
        let client = try test.client()
        let bytes = pattern(1 << 20)
        try client.send(TestClient.bytes(of: Request(.write, cookie: 3, length: 1 << 20)))
        let pause = try Event()
        for part in stride(from: 0, to: bytes.count, by: 100_000) {
            try client.send(Array(bytes[part..<min(part + 100_000, bytes.count)]))
            _ = try pause.wait(for: .nothing, descriptor: -1, timeoutMilliseconds: 5)
        }
        #expect(try client.message().cookie == 3)
        #expect(try client.read(0, bytes.count) == bytes)
        // As one, though it came in pieces.
        #expect(test.export.calls.withLock { $0.writes.count } == 1)
        #expect(test.server.statistics.heldRequests <= 3)
    }

    /// What it pays for while its peer does not read would be served at once later.
    @Test func `Nothing is paid for before what came before it was served`() throws {
        let limit = BandwidthLimit(bytesPerSecond: 1 << 20)
        let held = HeldRequests(limit, connection: 1, countMax: 8, wakeUp: {})
        let request = Request(.read, length: 1 << 20)
        try limit.start()
        defer { limit.stop() }
        for _ in 0..<2 { #expect(!held.admits(request, arrivalNanoseconds: 0)) }
        #expect(try eventually { held.next() != nil })
        #expect(limit.waits.count == 1)
        #expect(held.next() == nil)
        #expect(limit.waits.count == 2)
    }

    @Test func `A server that stops does not wait for a payload's share`() throws {
        let test = try server(64 << 10)
        let client = try test.client()
        let header = TestClient.bytes(of: Request(.write, cookie: 4, length: 1 << 20))
        try client.send(header + pattern(100 << 10))
        // Some of it is paid for, and the rest waits.
        #expect(try eventually { test.server.statistics.heldRequests == 1 })
        let start = clock.nanoseconds
        try test.server.stop(within: .seconds(10))
        #expect(clock.nanoseconds - start < 5_000_000_000)
        #expect(client.isCutOff())
        #expect(test.export.calls.withLock { $0.writes.isEmpty })
    }

    @Test func `A payload that stops half-way ends the connection in time`() throws {
        let test = try TestServer {
            $0.bandwidthBytesPerSecond = 64 << 10
            $0.requestTimeoutMilliseconds = 300
        }
        let client = try test.client()
        try client.send(Request(.write, length: 1 << 20), payload: pattern(30 << 10))
        #expect(client.isCutOff())
        #expect(try test.hasCutOff(1))
        #expect(test.export.calls.withLock { $0.writes.isEmpty })
    }

    @Test func `Requests that wait are bounded, and wait in the socket beyond`() throws {
        let test = try TestServer {
            $0.bandwidthBytesPerSecond = 64 << 10
            $0.maximumPendingRequests = 4
        }
        let client = try test.client()
        for cookie in 1...6 {
            try client.send(Request(.read, cookie: UInt64(cookie), length: 6 << 10))
        }
        try client.send(Request(.flush, cookie: 99))
        // One from the burst; four wait here, and one and the flush in the socket.
        let order = try (0..<7).map { _ in try client.message().cookie }
        #expect(order == [1, 2, 3, 99, 4, 5, 6])
    }

    @Test func `A server that stops answers what waits`() throws {
        let test = try server(64 << 10)
        let client = try test.client()
        for cookie in 1...3 {
            try client.send(Request(.read, cookie: UInt64(cookie), length: 1 << 20))
        }
        try client.send(Request(.write, cookie: 4, length: 1 << 20), payload: [])
        #expect(try eventually { test.server.statistics.requests == 5 })
        let start = clock.nanoseconds
        try test.server.stop(within: .seconds(10))
        #expect(clock.nanoseconds - start < 5_000_000_000)
        for cookie in 1...3 {
            let message = try client.message()
            #expect(message.cookie == UInt64(cookie))
            #expect(message.error == WireError.shutdown.rawValue)
        }
        #expect(client.isCutOff())
    }

    @Test func `A client that says goodbye gets what it asked for`() throws {
        let test = try server(1 << 20)
        let client = try test.client()
        for cookie in 1...3 {
            try client.send(Request(.read, cookie: UInt64(cookie), length: 64 << 10))
        }
        try client.send(Request(.disconnect))
        for cookie in 1...3 { #expect(try client.message().cookie == UInt64(cookie)) }
        #expect(client.isCutOff())
    }

    /// Its answers are not kept until the last of them has had its turn.
    @Test func `A client that says goodbye gets each answer when it is there`() throws {
        let test = try server(256 << 10)
        test.export.set {
            $0.readsWait = true
            $0.queuedReadsEndAfter = 2
        }
        let client = try test.client()
        for cookie in 1...8 {
            try client.send(Request(.read, cookie: UInt64(cookie), length: 64 << 10))
        }
        try client.send(Request(.disconnect))
        let first = try client.message()
        let start = clock.nanoseconds
        #expect(first.cookie == 1 && first.error == 0)
        for _ in 2...8 { #expect(try client.message().error == 0) }
        // Seven more take a quarter of a second each.
        #expect(clock.nanoseconds - start > 1_000_000_000)
        #expect(client.isCutOff())
    }

    @Test func `A client that is gone leaves its share to others`() throws {
        let test = try server(1 << 20)
        do {
            let client = try test.client()
            for cookie in 1...3 {
                try client.send(Request(.read, cookie: UInt64(cookie), length: 32 << 20))
            }
            #expect(try eventually { test.server.statistics.requests == 4 })
        }
        #expect(try test.hasLeft(0))
        let start = clock.nanoseconds
        #expect(try test.client().read(0, 256 << 10).count == 256 << 10)
        #expect(clock.nanoseconds - start < 5_000_000_000)
    }

    /// The time for which the server makes a client wait is not the client's.
    @Test func `A write that waits long is not late`() throws {
        let test = try TestServer {
            $0.bandwidthBytesPerSecond = 64 << 10
            $0.requestTimeoutMilliseconds = 300
        }
        let client = try test.client()
        let bytes = pattern(128 << 10)
        #expect(try client.write(0, bytes) == 0)
        #expect(test.server.statistics.brokenConnections == 0)
    }

    @Test(arguments: [0, 4095, 1 << 43] as [UInt64])
    func `Limits that make no sense are refused`(_ rate: UInt64) {
        #expect(throws: NBDError.self) {
            try TestServer { $0.bandwidthBytesPerSecond = rate }
        }
    }
}
