import FootingSystem
import Testing

@testable import FootingNBD

/// Replies of clients that are slow to read them, and of disks that are slow.
@Suite struct ReplyTests {
    /// What was read and is not sent yet counts as long as it takes memory.
    @Test(arguments: [0, 8]) func aClientThatDoesNotReadIsNotReadFor(_ threads: Int) throws {
        let test = try TestServer {
            $0.readerThreads = threads
            $0.sendBufferBytes = 4096
        }
        let client = try test.client()
        test.export.set { $0.readsWait = true }
        let requestCount = 100
        for cookie in 0..<requestCount {
            try client.send(Request(.read, cookie: UInt64(cookie), length: 1 << 20))
        }
        let pause = try Event()
        var before = -1
        var now = 0
        while now != before {
            _ = try pause.wait(for: .nothing, descriptor: -1, timeoutMilliseconds: 300)
            (before, now) = (now, test.export.calls.withLock { $0.waitingReads })
        }
        // Chunks of 256 KiB: a few requests, not all.
        #expect(now > 0 && now < 40)
        var ended: Set<UInt64> = []
        while ended.count < requestCount {
            let message = try client.message()
            if message.isLast { ended.insert(message.cookie) }
        }
        #expect(test.export.calls.withLock { $0.waitingReads } == 4 * requestCount)
    }

    /// A request's time limit is for the client, not for the disk.
    @Test func aSlowDiskIsNotTheClientsFault() throws {
        let test = try TestServer { $0.requestTimeoutMilliseconds = 400 }
        let client = try test.client()
        test.export.set { $0.writePauseMilliseconds = 200 }
        #expect(try client.write(0, pattern(2 << 20)) == 0)
        #expect(test.server.statistics.brokenConnections == 0)
    }
}
