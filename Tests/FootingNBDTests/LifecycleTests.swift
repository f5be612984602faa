import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingNBD

/// Listening and stopping.
@Suite struct LifecycleTests {
    private func kind(_ body: () throws -> Void) -> NBDError.Kind? {
        do {
            try body()
            return nil
        } catch {
            return (error as? NBDError)?.kind
        }
    }

    @Test func unixSocketComesAndGoes() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("socket")
        let test = try TestServer()
        try test.server.listen(unixPath: path)
        try test.server.start()
        let status = try FileStatus(
            directory: Socket.workingDirectory,
            path: path,
            followsLink: false
        )
        #expect(status.kind == .socket)
        let client = try TestClient(try Socket.connect(unixPath: path)).negotiate()
        #expect(try client.write(0, pattern(512)) == 0)
        try test.server.stop(within: .seconds(5))
        #expect(client.isCutOff())
        #expect(throws: Errno.noSuchFile) { _ = try Socket.connect(unixPath: path) }
        #expect(test.export.calls.withLock { $0.flushes } == 1)
        // A second stop does nothing.
        try test.server.stop(within: .seconds(5))
    }

    @Test func aStaleSocketIsTakenOver() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("socket")
        do { _ = try Socket.listen(unixPath: path, backlog: 1) }
        #expect(throws: Errno.connectionRefused) { _ = try Socket.connect(unixPath: path) }
        let test = try TestServer()
        try test.server.listen(unixPath: path)
        try test.server.start()
        let client = try TestClient(try Socket.connect(unixPath: path)).negotiate()
        #expect(try client.read(0, 512).count == 512)
    }

    @Test func aLiveSocketIsLeftAlone() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("socket")
        let first = try TestServer()
        try first.server.listen(unixPath: path)
        try first.server.start()
        let second = try TestServer()
        #expect(kind { try second.server.listen(unixPath: path) } == .alreadyServed)
        let client = try TestClient(try Socket.connect(unixPath: path)).negotiate()
        #expect(try client.read(0, 512).count == 512)
    }

    @Test func otherFilesAreLeftAlone() throws {
        let directory = try TemporaryDirectory()
        try directory.file("file", "content")
        let test = try TestServer()
        let path = directory.path("file")
        #expect(kind { try test.server.listen(unixPath: path) } == .pathOccupied)
        #expect(kind { try test.server.listen(unixPath: directory.path) } == .pathOccupied)
        let long = directory.path(String(repeating: "x", count: 120))
        #expect(kind { try test.server.listen(unixPath: long) } == .systemCall)
        #expect(try FileDescriptor.open(path, .readOnly).read(7, at: 0).count == 7)
    }

    /// Whoever took the path meanwhile keeps it.
    @Test func stopRemovesOnlyItsOwnSocket() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("socket")
        let test = try TestServer()
        try test.server.listen(unixPath: path)
        try Socket.remove(unixPath: path)
        let other = try Socket.listen(unixPath: path, backlog: 1)
        try test.server.stop(within: .seconds(5))
        #expect(try Socket.isServed(unixPath: path))
        _ = other.number
    }

    @Test(arguments: ["0.0.0.0", "::", "192.168.1.1", "example.org", ""])
    func onlyLoopbackIsServed(_ address: String) throws {
        let test = try TestServer()
        let error = #expect(throws: NBDError.self) {
            try test.server.listen(port: 0, address: address)
        }
        #expect(error?.kind == .addressRefused)
        #expect(error?.message.contains("no encryption") == true)
    }

    @Test func loopbackIsServed() throws {
        let test = try TestServer()
        let port = try test.server.listen(port: 0)
        try test.server.start()
        let client = try TestClient(try Socket.connect(loopbackPort: port)).negotiate()
        #expect(try client.write(0, pattern(300_032)) == 0)
        #expect(try client.read(0, 300_032) == pattern(300_032))
    }

    @Test func severalListenersAtOnce() throws {
        let directory = try TemporaryDirectory()
        let test = try TestServer()
        try test.server.start()
        let port = try test.server.listen(port: 0)
        for name in ["a", "b"] { try test.server.listen(unixPath: directory.path(name)) }
        let clients = try [
            TestClient(try Socket.connect(loopbackPort: port)),
            TestClient(try Socket.connect(unixPath: directory.path("a"))),
            TestClient(try Socket.connect(unixPath: directory.path("b"))),
        ]
        for client in clients { #expect(try client.negotiate().read(0, 512).count == 512) }
    }

    /// What is under way is answered, what comes later refused, and everything is flushed.
    @Test func stopAnswersWhatIsUnderWay() throws {
        let test = try TestServer()
        let client = try test.client()
        test.export.set {
            $0.readsWait = true
            $0.readsBlock = true
        }
        try client.send(Request(.read, cookie: 1, length: 4096))
        #expect(try eventually { test.export.calls.withLock { $0.waitingReads } == 1 })
        let isStopped = Locked(false)
        let server = test.server
        try Thread(name: "stopper") {
            try? server.stop(within: .seconds(10))
            isStopped.withLock { $0 = true }
        }.detach()
        #expect(try eventually { (try? test.newcomer()) == nil })
        #expect(!isStopped.withLock { $0 })
        test.export.set { $0.readsBlock = false }
        let message = try client.message()
        #expect(message.cookie == 1 && message.error == 0)
        #expect(client.isCutOff())
        #expect(try eventually { isStopped.withLock { $0 } })
        #expect(test.export.calls.withLock { $0.flushes } == 1)
    }

    /// A client that does not read its answers cannot keep the server from stopping.
    @Test func stopCutsOffASlowReader() throws {
        let test = try TestServer { $0.sendBufferBytes = 16 << 10 }
        let client = try test.client()
        for _ in 0..<16 { try client.send(Request(.read, cookie: 1, length: 1 << 20)) }
        // The first replies are on their way, and the others wait behind them.
        _ = try client.receive(1)
        try test.server.stop(within: .milliseconds(50))
        #expect(client.isCutOff())
    }

    @Test func stopTellsWhatIsNotDurable() throws {
        let test = try TestServer()
        test.export.set { $0.flushError = .inputOutput }
        #expect(kind { try test.server.stop(within: .seconds(5)) } == .flushFailed)
        let other = try TestServer()
        other.export.set { $0.flushesBlock = true }
        #expect(kind { try other.server.stop(within: .milliseconds(20)) } == .deadlinePassed)
    }

    @Test func aStoppedServerTakesNobody() throws {
        let test = try TestServer()
        try test.server.stop(within: .seconds(5))
        #expect(throws: NBDError.self) { try test.newcomer() }
    }

    @Test func impossibleConfigurations() {
        func refusal(_ change: @escaping (inout Configuration) -> Void) -> NBDError.Kind? {
            kind { _ = try TestServer(FaultyExport(), change) }
        }
        #expect(refusal { $0.maximumConnections = 0 } == .invalidConfiguration)
        #expect(refusal { $0.replyTimeoutMilliseconds = 0 } == .invalidConfiguration)
        #expect(refusal { $0.maximumPayloadBytes = 4096 } == .invalidConfiguration)
        #expect(refusal { $0.maximumOptionBytes = 100 } == .invalidConfiguration)
        #expect(refusal { $0.readerThreads = 0 } == nil)
        #expect(
            kind { _ = try TestServer(FaultyExport(minimumBlockBytes: 768)) }
                == .invalidConfiguration
        )
    }

    /// Without a thread for them, waiting reads are served by the connection's own.
    @Test func worksWithoutReaderThreads() throws {
        let test = try TestServer { $0.readerThreads = 0 }
        let client = try test.client()
        test.export.set { $0.readsWait = true }
        #expect(try client.read(0, 1 << 20).count == 1 << 20)
        #expect(try client.error(.cache, 0, 4096) == 0)
    }
}
