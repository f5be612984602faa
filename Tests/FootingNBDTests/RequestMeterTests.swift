import FootingSystem
import Testing

@testable import FootingNBD

/// What is counted of requests: exactly those that were answered, each once.
@Suite struct RequestMeterTests {
    private struct Sum: Equatable {
        var count: UInt64
        var bytes: UInt64 = 0
        var errors: UInt64 = 0
    }

    private func sum(_ test: TestServer, _ kind: RequestKind) -> Sum {
        let counts = test.server.requestStatistics[kind]
        return Sum(count: counts.latency.count, bytes: counts.bytes, errors: counts.errors)
    }

    @Test(arguments: [true, false])
    func `each kind is counted with its bytes`(_ structured: Bool) throws {
        let test = try TestServer()
        let client = try test.client(structured: structured)
        for offset in [0, 4096, 8192] as [UInt64] { _ = try client.write(offset, pattern(4096)) }
        _ = try client.write(0, pattern(4096), flags: .forceUnitAccess)
        _ = try client.read(0, 512)
        _ = try client.read(512, 3 << 20)
        #expect(try client.error(.flush) == 0)
        #expect(try client.error(.trim, 0, 8192) == 0)
        #expect(try client.error(.writeZeroes, 0, 4096) == 0)
        #expect(try client.error(.cache, 0, 4096) == 0)
        // What is answered is counted: nothing has to be waited for.
        #expect(sum(test, .write) == Sum(count: 4, bytes: 16384))
        #expect(sum(test, .read) == Sum(count: 2, bytes: 512 + 3 << 20))
        #expect(sum(test, .flush) == Sum(count: 1))
        #expect(sum(test, .trim) == Sum(count: 1, bytes: 8192))
        #expect(sum(test, .writeZeroes) == Sum(count: 1, bytes: 4096))
        #expect(sum(test, .cache) == Sum(count: 1, bytes: 4096))
        #expect(sum(test, .blockStatus) == Sum(count: 0))
    }

    @Test func `requests of one turn are counted each`() throws {
        let test = try TestServer()
        let client = try test.client()
        let trims = (1...100 as ClosedRange<UInt64>).flatMap { cookie in
            TestClient.bytes(of: Request(.trim, cookie: cookie, length: 4096))
        }
        try client.send(trims)
        for _ in 0..<100 { _ = try client.message() }
        #expect(sum(test, .trim) == Sum(count: 100, bytes: 409_600))
    }

    @Test(arguments: [true, false])
    func `reads on other threads are counted once, however many chunks they have`(
        _ structured: Bool
    ) throws {
        let test = try TestServer()
        let client = try test.client(structured: structured)
        test.export.set { $0.readsWait = true }
        _ = try client.read(0, 4096)
        _ = try client.read(4096, 1 << 20)
        #expect(sum(test, .read) == Sum(count: 2, bytes: 4096 + 1 << 20))
        test.export.set { $0.readError = .inputOutput }
        #expect(throws: (any Error).self) { _ = try client.read(0, 1 << 20) }
        #expect(try eventually { sum(test, .read).errors == 1 })
        #expect(sum(test, .read) == Sum(count: 3, bytes: 4096 + 1 << 20, errors: 1))
    }

    @Test func `what is refused or fails is an error without bytes`() throws {
        let test = try TestServer()
        let client = try test.client()
        #expect(try client.error(.trim, 64 << 20, 4096) != 0)
        #expect(sum(test, .trim) == Sum(count: 1, errors: 1))
        test.export.set { $0.writeError = .noSpace }
        #expect(try client.write(0, pattern(4096)) != 0)
        #expect(try client.write(0, pattern(300_032)) != 0)
        #expect(sum(test, .write) == Sum(count: 2, errors: 2))
        test.export.set { $0.flushError = .inputOutput }
        #expect(try client.error(.flush) != 0)
        #expect(sum(test, .flush) == Sum(count: 1, errors: 1))
    }

    @Test func `flushes of one answer are counted each, with the time that they waited`() throws {
        let test = try TestServer()
        let client = try test.client()
        test.export.set { $0.flushesBlock = true }
        try client.send((1...10).flatMap { TestClient.bytes(of: Request(.flush, cookie: $0)) })
        #expect(try eventually { test.export.pendingFlushes > 0 })
        #expect(try client.read(0, 512).count == 512)
        try pause(milliseconds: 30)
        _ = test.export.releaseFlushes()
        for _ in 0..<10 { _ = try client.message() }
        let flushes = test.server.requestStatistics[.flush].latency
        #expect(flushes.count == 10)
        #expect((flushes.quantile(0.01) ?? 0) >= 30_000_000)
        // The read did not wait for them.
        let reads = test.server.requestStatistics[.read].latency
        #expect(reads.count == 1)
        #expect(reads.sum < flushes.sum)
    }

    @Test func `a payload that takes its time is part of its write's time`() throws {
        let test = try TestServer()
        let client = try test.client()
        let bytes = pattern(200 << 10)
        try client.send(
            TestClient.bytes(of: Request(.write, cookie: 1, length: UInt32(bytes.count)))
                + bytes[..<1000]
        )
        try pause(milliseconds: 30)
        try client.send(Array(bytes[1000...]))
        #expect(try client.message().error == 0)
        let writes = test.server.requestStatistics[.write].latency
        #expect(writes.count == 1)
        #expect((writes.quantile(1) ?? 0) >= 30_000_000)
    }

    @Test func `connections that count at once lose nothing`() throws {
        let test = try TestServer()
        let rounds = 200
        let running = Locked(6)
        for number in 0..<6 {
            let client = try test.client()
            try Thread(name: "client-\(number)") {
                for round in 0..<rounds {
                    let offset = UInt64(number << 20 + round % 16 * 4096)
                    _ = try? client.write(offset, pattern(4096))
                    _ = try? client.read(offset, 4096)
                }
                running.withLock { $0 -= 1 }
                running.wakeAll()
            }.detach()
        }
        running.withLock { left in
            while left > 0 { running.wait(&left) }
        }
        let expected = Sum(count: UInt64(6 * rounds), bytes: UInt64(6 * rounds * 4096))
        #expect(sum(test, .read) == expected)
        #expect(sum(test, .write) == expected)
    }

    private func pause(milliseconds: Int32) throws {
        let event = try Event()
        _ = try event.wait(for: .nothing, descriptor: -1, timeoutMilliseconds: milliseconds)
    }
}
