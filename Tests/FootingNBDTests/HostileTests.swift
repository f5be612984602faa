import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingNBD

/// Clients that break the protocol, or do not go on: they are cut off, and nobody else notices.
@Suite struct HostileTests {
    @Test(
        arguments: [
            Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8),
            TestClient.flags + [UInt8](repeating: 0x41, count: 64),
            [0xff, 0xff, 0xff, 0xff],
            TestClient.flags + TestClient.option(1, Array("no such export".utf8)),
        ] as [[UInt8]]
    )
    func nonsenseInTheHandshake(_ bytes: [UInt8]) throws {
        let test = try TestServer()
        let bystander = try Bystander(test)
        let client = try test.newcomer()
        try client.send(bytes)
        #expect(client.isCutOff())
        #expect(try test.hasCutOff(1))
        #expect(test.log.count == 1)
        #expect(try bystander.isServed())
    }

    @Test func oversizedOption() throws {
        let test = try TestServer()
        let bystander = try Bystander(test)
        let client = try test.newcomer()
        _ = try client.receive(Wire.greetingBytes)
        var option = TestClient.option(Option.go.rawValue)
        option.replaceSubrange(12..<16, with: [0x7f, 0xff, 0xff, 0xff])
        try client.send(TestClient.flags + option)
        #expect(try client.optionReply().kind == .tooBig)
        #expect(client.isCutOff())
        #expect(try test.hasCutOff(1))
        #expect(try bystander.isServed())
    }

    /// The largest option that is taken is answered, also in single bytes' company.
    @Test func largestOption() throws {
        let test = try TestServer()
        let client = try test.newcomer()
        _ = try client.receive(Wire.greetingBytes)
        let data = [UInt8](repeating: 0, count: 8 << 10)
        try client.send(TestClient.flags + TestClient.option(0x1234, data))
        #expect(try client.optionReply().kind == .unsupported)
        try client.send(TestClient.option(Option.abort.rawValue))
        #expect(try client.optionReply().kind == .acknowledged)
        #expect(client.isCutOff())
        #expect(try test.hasLeft(0))
        #expect(test.server.statistics.brokenConnections == 0)
    }

    @Test func handshakeThatNeverEnds() throws {
        let test = try TestServer { $0.handshakeTimeoutMilliseconds = 50 }
        let client = try test.newcomer()
        try client.send(TestClient.flags + [0x49])
        #expect(client.isCutOff())
        #expect(try test.hasCutOff(1))
        #expect(test.log.contains { $0.hasSuffix("the handshake took too long") })
    }

    @Test func badMagicAfterValidRequests() throws {
        let test = try TestServer()
        let bystander = try Bystander(test)
        let client = try test.client()
        let write = TestClient.bytes(of: Request(.write, cookie: 1, length: 512)) + pattern(512)
        try client.send(write + [UInt8](repeating: 0x5a, count: 100))
        // What was right is answered first.
        #expect(try client.message() == TestClient.Message(cookie: 1))
        #expect(client.isCutOff())
        #expect(try test.hasCutOff(1))
        #expect(try bystander.isServed())
    }

    @Test func oversizedWrite() throws {
        let test = try TestServer()
        let bystander = try Bystander(test)
        let client = try test.client()
        try client.send(Request(.write, cookie: 4, length: UInt32.max))
        let answer = try client.message()
        #expect(answer.cookie == 4 && answer.error == WireError.invalid.rawValue)
        #expect(client.isCutOff())
        #expect(try test.hasCutOff(1))
        #expect(try bystander.isServed())
    }

    /// An oversized read needs no payload, and so the connection lives on.
    @Test func oversizedRead() throws {
        let test = try TestServer()
        let client = try test.client()
        #expect(try client.error(.read, 0, UInt32.max) == WireError.invalid.rawValue)
        #expect(try client.error(.read, UInt64.max - 511, 512) == WireError.invalid.rawValue)
        #expect(try client.read(0, 512).count == 512)
    }

    @Test func unknownCommand() throws {
        let test = try TestServer()
        let client = try test.client()
        var request = Request(.read, cookie: 9, length: 512)
        request.command = 0x1234
        try client.send(request)
        #expect(try client.message().error == WireError.invalid.rawValue)
        #expect(try client.read(0, 512).count == 512)
    }

    @Test(arguments: [1, 27, 28, 28 + 100, 28 + 200_000], [false, true])
    func leavingWithinAWrite(_ sent: Int, staged: Bool) throws {
        let test = try TestServer()
        test.export.set { $0.stagesFrom = staged ? 512 : Int.max }
        let bystander = try Bystander(test)
        let writes = test.export.calls.withLock { $0.writes.count }
        let count = 1 << 20
        do {
            let client = try test.client()
            let write = TestClient.bytes(of: Request(.write, cookie: 1, length: UInt32(count)))
            try client.send(Array((write + pattern(count))[..<sent]))
        }
        #expect(try test.hasCutOff(1))
        #expect(test.log.contains { $0.hasSuffix("the connection ended within a request") })
        #expect(try test.hasLeft(1))
        if staged {
            // What is not whole has not happened.
            #expect(test.export.calls.withLock { $0.writes.count } == writes)
            #expect(
                try eventually { test.export.calls.withLock { $0.stages == $0.endedStages } }
            )
        }
        #expect(try bystander.isServed())
    }

    @Test(arguments: [10, 28, 30, 200_000], [false, true])
    func halfARequestThatNeverEnds(_ sent: Int, staged: Bool) throws {
        let test = try TestServer { $0.requestTimeoutMilliseconds = 60 }
        test.export.set { $0.stagesFrom = staged ? 512 : Int.max }
        let bystander = try Bystander(test)
        let client = try test.client()
        let write = TestClient.bytes(of: Request(.write, cookie: 1, length: 1 << 20))
        try client.send(Array((write + pattern(1 << 20))[..<sent]))
        #expect(client.isCutOff())
        #expect(try test.hasCutOff(1))
        #expect(test.log.contains { $0.hasSuffix("a request did not arrive in time") })
        #expect(try bystander.isServed())
    }

    /// An idle client is no hostile one: it may wait as long as it likes between requests.
    @Test func idleClientsStay() throws {
        let test = try TestServer {
            $0.requestTimeoutMilliseconds = 20
            $0.idleMilliseconds = 10
        }
        let client = try test.client()
        #expect(try client.write(0, pattern(512)) == 0)
        _ = try Event().wait(for: .nothing, descriptor: -1, timeoutMilliseconds: 120)
        #expect(try client.read(0, 512) == pattern(512))
        #expect(test.log.isEmpty)
    }

    @Test func slowReader() throws {
        let test = try TestServer {
            $0.replyTimeoutMilliseconds = 100
            $0.sendBufferBytes = 16 << 10
        }
        let bystander = try Bystander(test)
        let client = try test.client()
        for _ in 0..<16 { try client.send(Request(.read, cookie: 1, length: 1 << 20)) }
        #expect(try test.hasCutOff(1))
        #expect(test.log.contains { $0.hasSuffix("the replies are not read") })
        #expect(try bystander.isServed())
    }

    /// Replies of other threads wait for a slow reader without keeping these threads.
    @Test func slowReaderOfWaitingReads() throws {
        let test = try TestServer {
            $0.sendBufferBytes = 16 << 10
            $0.readerThreads = 1
        }
        let bystander = try Bystander(test)
        let slow = try test.client()
        test.export.set { $0.readsWait = true }
        for cookie in 0..<8 {
            try slow.send(Request(.read, cookie: UInt64(cookie), length: 128 << 10))
        }
        #expect(try bystander.isServed())
        var cookies: Set<UInt64> = []
        for _ in 0..<8 {
            let message = try slow.message()
            #expect(message.payload.count == 8 + 128 << 10)
            cookies.insert(message.cookie)
        }
        #expect(cookies.count == 8)
        #expect(test.log.isEmpty)
    }

    /// As benchmarks do: nothing is wrong with a client that needs no more answers.
    @Test(arguments: [true, false])
    func leavingWithRepliesUnsent(waits: Bool) throws {
        let test = try TestServer { $0.sendBufferBytes = 16 << 10 }
        let bystander = try Bystander(test)
        do {
            let client = try test.client()
            test.export.set { $0.readsWait = waits }
            for _ in 0..<16 { try client.send(Request(.read, cookie: 1, length: 1 << 20)) }
            // The first replies are on their way, and the others wait behind them.
            _ = try client.receive(1)
        }
        #expect(try test.hasLeft(1))
        test.export.set { $0.readsWait = false }
        #expect(try bystander.isServed())
        #expect(test.log.isEmpty)
        #expect(test.server.statistics.brokenConnections == 0)
    }

    @Test func leavingWhileReadsWait() throws {
        let test = try TestServer()
        let bystander = try Bystander(test)
        do {
            let client = try test.client()
            test.export.set {
                $0.readsWait = true
                $0.readsBlock = true
            }
            for _ in 0..<4 { try client.send(Request(.read, cookie: 1, length: 4096)) }
            #expect(try eventually { test.export.calls.withLock { $0.waitingReads } == 4 })
        }
        test.export.set {
            $0.readsWait = false
            $0.readsBlock = false
        }
        #expect(try test.hasLeft(1))
        #expect(try bystander.isServed())
        #expect(test.log.isEmpty)
    }

    @Test func oneConnectionTooMany() throws {
        let test = try TestServer { $0.maximumConnections = 2 }
        let first = try test.client()
        let second = try test.client()
        let third = try test.newcomer()
        #expect(throws: TestClient.Ended.self) { try third.negotiate() }
        #expect(test.server.statistics.activeConnections == 2)
        #expect(try first.read(0, 512).count == 512)
        try second.send(Request(.disconnect))
        #expect(try test.hasLeft(1))
        #expect(try test.client().read(0, 512).count == 512)
        #expect(test.server.statistics.refusedConnections == 1)
    }

    @Test func aThousandConnections() throws {
        let directory = try TemporaryDirectory()
        let test = try TestServer { $0.maximumConnections = 16 }
        let path = directory.path("socket")
        try test.server.listen(unixPath: path)
        try test.server.start()
        let bystander = try Bystander(test)
        for index in 0..<1000 {
            // Some say nothing, some nonsense; all leave at once.
            let client = try TestClient(try Socket.connect(unixPath: path))
            if index % 3 == 0 { try? client.send([UInt8](repeating: 7, count: 100)) }
            if index % 100 == 0 { #expect(try bystander.isServed()) }
        }
        #expect(
            try eventually {
                let statistics = test.server.statistics
                return statistics.connections + statistics.refusedConnections == 1001
            }
        )
        #expect(try test.hasLeft(1))
        #expect(try bystander.isServed())
        let late = try TestClient(try Socket.connect(unixPath: path)).negotiate()
        #expect(try late.read(0, 512).count == 512)
        // A flood of clients is no flood of lines.
        #expect(test.log.count < 200)
    }

    /// Each way to ask for the disk is answered with the reason, in words.
    @Test(arguments: [Option.go, .info, .list, .setMetaContext])
    func oneTooManyIsToldWhy(_ option: Option) throws {
        let test = try TestServer { $0.maximumConnections = 1 }
        let first = try test.client()
        let second = try test.newcomer()
        _ = try second.receive(Wire.greetingBytes)
        try second.send(TestClient.flags)
        try second.send(TestClient.option(Option.structuredReply.rawValue))
        #expect(try second.optionReply().kind == .acknowledged)
        try second.send(TestClient.option(option.rawValue, TestClient.named("", [0, 0])))
        let answer = try second.optionReply()
        #expect(answer.kind == .policy)
        let reason = "1 client is connected to this disk already, which is its limit"
        #expect(String(decoding: answer.data, as: UTF8.self) == reason)
        try second.send(TestClient.option(Option.abort.rawValue))
        #expect(try second.optionReply().kind == .acknowledged)
        #expect(second.isCutOff())
        #expect(test.log == ["an NBD connection was refused: \(reason)"])
        #expect(try first.read(0, 512).count == 512)
        // Nor is it a client: what needs the disk for itself need not wait for it.
        let other = try test.newcomer()
        try first.send(Request(.disconnect))
        #expect(try test.hasLeft(0))
        #expect(test.server.withoutClients { true } == true)
        #expect(other.isCutOff())
        #expect(test.server.statistics.brokenConnections == 0)
    }

    /// The oldest way to ask for a disk knows no errors.
    @Test func oneTooManyOfTheOldestKindIsCutOff() throws {
        let test = try TestServer { $0.maximumConnections = 1 }
        let first = try test.client()
        let second = try test.newcomer()
        _ = try second.receive(Wire.greetingBytes)
        try second.send(TestClient.flags + TestClient.option(Option.exportName.rawValue))
        #expect(second.isCutOff())
        #expect(try first.read(0, 512).count == 512)
    }

    /// The same with all of them at once: those beyond the limit are told so, or see the end of
    /// the stream.
    @Test func aHundredConnectionsAtOnce() throws {
        let directory = try TemporaryDirectory()
        let test = try TestServer { $0.maximumConnections = 8 }
        let path = directory.path("socket")
        try test.server.listen(unixPath: path)
        try test.server.start()
        let bystander = try Bystander(test)
        let crowd = try (0..<100).map { _ in
            try TestClient(try Socket.connect(unixPath: path))
        }
        #expect(try eventually { test.server.statistics.refusedConnections == 93 })
        #expect(try bystander.isServed())
        // A line in ten seconds, for any number of them.
        #expect((1...3).contains(test.log.count { $0.contains("refused") }), "\(test.log)")
        let served = crowd.filter { (try? $0.negotiate()) != nil }
        #expect(served.count == 7)
    }
}
