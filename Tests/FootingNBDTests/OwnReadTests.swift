import FootingSystem
import Testing

@testable import FootingNBD

/// Reads that a connection's own thread waits for beside other things.
@Suite struct OwnReadTests {
    private func server(endAfter visits: Int) throws -> TestServer {
        let test = try TestServer()
        test.export.set {
            $0.readsWait = true
            $0.queuedReadsEndAfter = visits
        }
        return test
    }

    @Test(arguments: [true, false])
    func `Reads of all sizes are answered`(structured: Bool) throws {
        let test = try server(endAfter: 2)
        let client = try test.client(structured: structured)
        let bytes = pattern(3 << 20)
        #expect(try client.write(0, bytes) == 0)
        for count in [512, 4096, 65536, 300 << 10, 3 << 20] {
            #expect(try client.read(0, count) == Array(bytes[..<count]))
        }
        #expect(test.export.calls.withLock { $0.queuedReads == $0.endedReads })
        #expect(test.export.calls.withLock { $0.queuedReads > 0 })
    }

    /// A read that needs another round after the first is not left behind by a client that always
    /// has something else to say.
    @Test func `A read ends while the client goes on sending`() throws {
        let test = try server(endAfter: 3)
        test.export.set { $0.writePauseMilliseconds = 3 }
        let client = try test.client()
        let payload = pattern(64 << 10)
        let writeCount = 300
        try Thread(name: "sender") {
            try? client.send(Request(.read, cookie: 1, length: 512))
            for cookie in 2..<(2 + UInt64(writeCount)) {
                let write = Request(.write, cookie: cookie, offset: 1 << 20, length: 64 << 10)
                try? client.send(write, payload: payload)
            }
        }.detach()
        var writesBefore: Int?
        for index in 0...writeCount {
            let message = try client.message()
            if message.cookie == 1 { writesBefore = index }
        }
        let count = try #require(writesBefore)
        #expect(count < writeCount / 2)
    }

    @Test func `A read that fails is an error, and the connection goes on`() throws {
        let test = try server(endAfter: 1)
        let client = try test.client()
        test.export.set { $0.readError = .inputOutput }
        #expect(try client.error(.read, 0, 4096) == WireError.inputOutput.rawValue)
        test.export.set { $0.readError = nil }
        #expect(try client.read(0, 4096).count == 4096)
    }

    /// Their memory is the connection's: it goes only when they have ended.
    @Test func `Reads of a client that has gone are waited for`() throws {
        let test = try server(endAfter: .max)
        do {
            let client = try test.client()
            for cookie in 1...5 as ClosedRange<UInt64> {
                try client.send(Request(.read, cookie: cookie, length: 65536))
            }
            #expect(try eventually { test.export.calls.withLock { $0.queuedReads } == 5 })
        }
        #expect(try test.hasLeft(0))
        #expect(test.export.calls.withLock { $0.endedReads } == 5)
    }

    @Test func `Once its queue has broken a connection reads by other threads`() throws {
        let test = try server(endAfter: 1)
        let client = try test.client()
        #expect(try client.read(0, 4096).count == 4096)
        #expect(test.log.isEmpty)
        test.export.set { $0.queuesAreBroken = true }
        #expect(try client.read(0, 4096).count == 4096)
        #expect(try client.read(0, 4096).count == 4096)
        #expect(test.export.calls.withLock { $0.queuedReads } == 2)
        #expect(test.export.calls.withLock { $0.waitingReads } == 1)
        #expect(test.log.count == 1)
    }

    @Test func `Buffers of all sizes that a client has used do not add up`() throws {
        let limit = 4 << 20
        let buffers = ReadBuffers(KernelBuffers(), bytesMax: limit)
        var size = 4096
        while size <= 1 << 20 {
            var taken: [ReadBuffer] = []
            while buffers.usedBytes + size <= limit {
                taken.append(try buffers.take(size))
                #expect(buffers.usedBytes + buffers.idleBytes <= limit)
            }
            for buffer in taken { buffers.giveBack(buffer) }
            #expect(buffers.usedBytes == 0)
            #expect(buffers.idleBytes <= limit)
            size *= 2
        }
        buffers.discard()
        #expect(buffers.idleBytes == 0)
    }
}
