import FootingSystem
import Testing

@testable import FootingNBD

/// Every command over a socket.
@Suite struct CommandTests {
    @Test(arguments: [true, false])
    func readsWhatWasWritten(structured: Bool) throws {
        let test = try TestServer()
        let client = try test.client(structured: structured)
        for (offset, count) in [(0, 512), (512, 1024), (4096, 4096), (1536, 300_032)] {
            let bytes = pattern(count, seed: UInt8(count % 251))
            #expect(try client.write(UInt64(offset), bytes) == 0)
            #expect(try client.read(UInt64(offset), count) == bytes)
        }
        // Counted at the end of a turn, when the answer may have been read already.
        #expect(
            try eventually {
                test.server.statistics.writtenBytes == 512 + 1024 + 4096 + 300_032
            }
        )
        #expect(test.server.statistics.refusedRequests == 0)
    }

    /// The longest read and write that the server promises, as chunks and as one stream.
    @Test(arguments: [true, false])
    func longestPayloads(structured: Bool) throws {
        let test = try TestServer()
        let client = try test.client(structured: structured)
        let bytes = pattern(32 << 20)
        #expect(try client.write(512, bytes) == 0)
        #expect(try client.read(512, bytes.count) == bytes)
    }

    /// Reads that wait for the disk are answered by other threads, in any order.
    @Test(arguments: [true, false])
    func readsThatWait(structured: Bool) throws {
        let test = try TestServer()
        let client = try test.client(structured: structured)
        let bytes = pattern(1 << 20)
        #expect(try client.write(4096, bytes) == 0)
        test.export.set { $0.readsWait = true }
        #expect(try client.read(4096, bytes.count) == bytes)
        #expect(try client.read(8192, 512) == Array(bytes[4096..<4608]))
        #expect(test.export.calls.withLock { $0.waitingReads } >= 2)
    }

    /// A slow read does not hold up what comes after it.
    @Test func repliesOvertakeASlowRead() throws {
        let test = try TestServer()
        let client = try test.client()
        test.export.set {
            $0.readsWait = true
            $0.readsBlock = true
        }
        try client.send(Request(.read, cookie: 1, length: 512))
        try client.send(
            Request(.write, cookie: 2, offset: 4096, length: 512),
            payload: pattern(512)
        )
        try client.send(Request(.trim, cookie: 3, offset: 8192, length: 4096))
        #expect(try client.message().cookie == 2)
        #expect(try client.message().cookie == 3)
        test.export.set { $0.readsBlock = false }
        let last = try client.message()
        #expect(last.cookie == 1)
        #expect(last.error == 0 && last.isLast && last.payload.count == 520)
    }

    /// The end of a structured reply follows its chunks, wherever these were read: the last one is
    /// small, and so joins other replies.
    @Test func theEndFollowsEveryChunk() throws {
        // The first chunk does not fit into the socket, so that the last one waits behind it.
        let test = try TestServer {
            $0.readerThreads = 0
            $0.sendBufferBytes = 16 << 10
        }
        let client = try test.client()
        let bytes = pattern((256 << 10) + 512)
        #expect(try client.write(0, bytes) == 0)
        test.export.set { $0.readsWait = true }
        for _ in 0..<10 { #expect(try client.read(0, bytes.count) == bytes) }
    }

    /// A long simple reply is sent in parts; a reply of another thread must not come between them.
    @Test func nothingComesBetweenThePartsOfAReply() throws {
        let test = try TestServer()
        let client = try test.client(structured: false)
        let bytes = pattern(3 << 20)
        #expect(try client.write(8 << 20, bytes) == 0)
        test.export.set {
            $0.readsWait = true
            $0.readsBlockBelow = 4096
        }
        try client.send(Request(.read, cookie: 1, length: 512))
        #expect(try eventually { test.export.calls.withLock { $0.waitingReads } == 1 })
        try client.send(Request(.read, cookie: 2, offset: 8 << 20, length: 3 << 20))
        let early = try Event().wait(
            for: .readable,
            descriptor: client.socket.number,
            timeoutMilliseconds: 50
        )
        #expect(early.isEmpty)
        test.export.set { $0.readsBlockBelow = 0 }
        #expect(try client.message(dataBytes: 512).cookie == 1)
        let long = try client.message(dataBytes: 3 << 20)
        #expect(long.cookie == 2 && long.payload == bytes)
    }

    @Test func manyRequestsInOneSend() throws {
        let test = try TestServer()
        let client = try test.client()
        var bytes: [UInt8] = []
        for index in 0..<200 {
            let offset = UInt64(index) * 4096
            let write = Request(.write, cookie: UInt64(index), offset: offset, length: 512)
            bytes += TestClient.bytes(of: write) + pattern(512, seed: UInt8(index))
        }
        try client.send(bytes)
        for index in 0..<200 { #expect(try client.message().cookie == UInt64(index)) }
        for index in 0..<200 {
            #expect(try client.read(UInt64(index) * 4096, 512) == pattern(512, seed: UInt8(index)))
        }
    }

    /// A request that arrives byte by byte is the same request.
    @Test func requestsInPieces() throws {
        let test = try TestServer()
        let client = try test.client()
        let write = Request(.write, cookie: 5, length: 512)
        for byte in TestClient.bytes(of: write) + pattern(512) { try client.send([byte]) }
        #expect(try client.message() == TestClient.Message(cookie: 5))
        #expect(try client.read(0, 512) == pattern(512))
    }

    @Test func readErrorsMidwayLeaveTheRest() throws {
        let test = try TestServer()
        let client = try test.client()
        test.export.set {
            $0.readError = .inputOutput
            $0.readErrorFrom = 300 << 10
        }
        try client.send(Request(.read, cookie: 3, length: 1 << 20))
        var errors: [UInt64] = []
        var dataBytes = 0
        while true {
            let message = try client.message()
            if message.error != 0 {
                #expect(message.error == WireError.inputOutput.rawValue)
                #expect(message.chunk == Chunk.errorOffset.rawValue)
                errors.append(message.payload.number(at: 6))
            } else if message.chunk == Chunk.offsetData.rawValue {
                dataBytes += message.payload.count - 8
            }
            if message.isLast { break }
        }
        #expect(errors == [256 << 10, 512 << 10, 768 << 10])
        #expect(dataBytes == 256 << 10)
        #expect(try client.read(0, 512).count == 512)
    }

    /// A simple reply has promised success with its header: an error later ends the connection.
    @Test func readErrorsMidwayWithSimpleReplies() throws {
        let test = try TestServer()
        let bystander = try Bystander(test, at: 0)
        let client = try test.client(structured: false)
        test.export.set {
            $0.readError = .inputOutput
            $0.readErrorFrom = 8 << 20
        }
        #expect(try client.error(.read, 8 << 20, 4096) == WireError.inputOutput.rawValue)
        #expect(try client.error(.read, 8 << 20, 4 << 20) == WireError.inputOutput.rawValue)
        try client.send(Request(.read, cookie: 3, offset: 4 << 20, length: 8 << 20))
        #expect(client.isCutOff())
        #expect(try bystander.isServed())
    }

    @Test func wholeReads() throws {
        let test = try TestServer()
        let client = try test.client()
        try client.send(Request(.read, flags: .dontFragment, cookie: 1, length: 1 << 20))
        let message = try client.message()
        #expect(message.isLast && message.payload.count == (1 << 20) + 8)
        try client.send(Request(.read, flags: .dontFragment, cookie: 1, length: 2 << 20))
        #expect(try client.message().error == WireError.overflow.rawValue)
    }

    @Test func forceUnitAccessFlushes() throws {
        let test = try TestServer()
        let client = try test.client()
        #expect(try client.write(0, pattern(512)) == 0)
        #expect(test.export.calls.withLock { $0.flushes } == 0)
        test.export.set { $0.flushesBlock = true }
        let write = Request(.write, flags: .forceUnitAccess, cookie: 1, length: 512)
        try client.send(write, payload: pattern(512))
        #expect(try eventually { test.export.pendingFlushes == 1 })
        // Nothing is said before it is durable; others go on.
        #expect(try client.read(0, 512) == pattern(512))
        _ = test.export.releaseFlushes(.inputOutput)
        let answer = try client.message()
        #expect(answer.cookie == 1 && answer.error == WireError.inputOutput.rawValue)
        for command in [Command.trim, .writeZeroes] {
            #expect(try client.error(command, 0, 4096, flags: .forceUnitAccess) == 0)
        }
        #expect(test.export.calls.withLock { $0.flushes } == 3)
    }

    @Test func writeZeroesRules() throws {
        let test = try TestServer()
        let client = try test.client()
        #expect(try client.write(0, pattern(8192)) == 0)
        #expect(try client.error(.writeZeroes, 0, 4096) == 0)
        #expect(try client.error(.writeZeroes, 4096, 512, flags: .noHole) == 0)
        let zeros = [UInt8](repeating: 0, count: 4608)
        #expect(try client.read(0, 8192) == zeros + Array(pattern(8192)[4608...]))
        #expect(test.export.calls.withLock { $0.zeroes.map(\.keepsSpace) } == [false, true])
        // Fast or not at all, and then nothing has changed.
        let count = test.export.calls.withLock { $0.zeroes.count }
        #expect(try client.error(.writeZeroes, 0, 4096, flags: .fastZero) == 0)
        #expect(
            try client.error(.writeZeroes, 0, 4096, flags: [.fastZero, .noHole])
                == WireError.notSupported.rawValue
        )
        #expect(test.export.calls.withLock { $0.zeroes.count } == count + 1)
        test.export.set { $0.zeroError = .noSpace }
        #expect(try client.error(.writeZeroes, 0, 4096) == WireError.noSpace.rawValue)
    }

    @Test func blockStatus() throws {
        let test = try TestServer()
        let client = try test.client(contexts: true)
        #expect(try client.write(8192, pattern(4096)) == 0)
        func runs(_ flags: CommandFlags = []) throws -> [UInt32] {
            try client.send(Request(.blockStatus, flags: flags, cookie: 1, length: 1 << 20))
            let message = try client.message()
            #expect(message.chunk == Chunk.blockStatus.rawValue && message.isLast)
            #expect(message.payload.prefix(4).elementsEqual([0, 0, 0, 1]))
            return stride(from: 4, to: message.payload.count, by: 4).map {
                message.payload.number(at: $0)
            }
        }
        #expect(try runs() == [8192, 3, 4096, 0, (1 << 20) - 12288, 3])
        #expect(try runs(.requestOne) == [8192, 3])
        // Without the context the command does not exist.
        let other = try test.client()
        #expect(try other.error(.blockStatus, 0, 4096) == WireError.invalid.rawValue)
        test.export.set { $0.extents = [] }
        #expect(try client.error(.blockStatus, 0, 4096) == WireError.inputOutput.rawValue)
    }

    @Test func trimAndCache() throws {
        let test = try TestServer()
        let client = try test.client()
        #expect(try client.write(0, pattern(8192)) == 0)
        #expect(try client.error(.trim, 0, 4096) == 0)
        #expect(try client.read(0, 4096) == [UInt8](repeating: 0, count: 4096))
        #expect(try client.error(.cache, 512, 1024) == 0)
        #expect(test.export.calls.withLock { $0.cached } == [512..<1536])
    }

    /// What the disk cannot do becomes an error of the protocol, with the payload read.
    @Test func errorsOfTheDisk() throws {
        let test = try TestServer()
        let client = try test.client()
        for (error, wire) in [
            (Errno.noSpace, WireError.noSpace), (.inputOutput, .inputOutput),
            (.noMemory, .noMemory), (.notPermitted, .notPermitted), (.again, .inputOutput),
        ] {
            test.export.set { $0.writeError = error }
            #expect(try client.write(0, pattern(300_032)) == wire.rawValue)
        }
        test.export.set { $0.writeError = nil }
        #expect(try client.write(0, pattern(512)) == 0)
    }

    @Test func refusedWritesAreReadToTheirEnd() throws {
        let test = try TestServer()
        let client = try test.client()
        #expect(try client.write(64 << 20, pattern(8192)) == WireError.noSpace.rawValue)
        #expect(try client.write(1, pattern(8192)) == WireError.invalid.rawValue)
        #expect(try client.error(.read, 0, 0) == WireError.invalid.rawValue)
        let readOnly = try TestServer(FaultyExport(isReadOnly: true))
        let reader = try readOnly.client()
        #expect(try reader.write(0, pattern(8192)) == WireError.notPermitted.rawValue)
        #expect(try reader.read(0, 512).count == 512)
        #expect(readOnly.export.calls.withLock { $0.writes.isEmpty })
        #expect(try eventually { test.server.statistics.refusedRequests == 3 })
    }

    @Test func stagedWrites() throws {
        let test = try TestServer()
        test.export.set { $0.stagesFrom = 64 << 10 }
        let client = try test.client()
        let bytes = pattern(3 << 20)
        #expect(try client.write(512, bytes) == 0)
        #expect(try client.read(512, bytes.count) == bytes)
        #expect(test.export.calls.withLock { $0.writes } == [512..<(512 + 3 << 20)])
        test.export.set { $0.writeError = .noSpace }
        #expect(try client.write(0, bytes) == WireError.noSpace.rawValue)
        test.export.set { $0.writeError = nil }
        #expect(try client.write(0, pattern(65536), flags: .forceUnitAccess) == 0)
        #expect(test.export.calls.withLock { $0.endedStages } == 3)
    }

    @Test func disconnectEndsInOrder() throws {
        let test = try TestServer()
        let client = try test.client()
        test.export.set {
            $0.readsWait = true
            $0.readsBlock = true
        }
        try client.send(Request(.read, cookie: 1, length: 512))
        #expect(try eventually { test.export.calls.withLock { $0.waitingReads } == 1 })
        try client.send(Request(.disconnect))
        test.export.set { $0.readsBlock = false }
        #expect(try client.message().cookie == 1)
        #expect(client.isCutOff())
        #expect(try test.hasLeft(0))
        #expect(test.server.statistics.brokenConnections == 0)
        #expect(test.log.isEmpty)
    }
}
