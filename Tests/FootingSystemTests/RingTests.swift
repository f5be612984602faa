import CFootingTesting
import FootingTestSupport
import Testing

@testable import FootingSystem

/// io_uring as the kernel at hand has it.
@Suite struct RingTests {
    /// Whether this kernel lets anybody have a ring at all.
    private static let isThere = (try? Ring(entryCount: 1, isForThisThread: true)) != nil

    private struct Completed {
        var results: [UInt64: Int32] = [:]
        mutating func take(_ ring: inout Ring) {
            while let completion = ring.next() { results[completion.tag] = completion.result }
        }
    }

    /// What owns itself cannot be looked into by the macro.
    private func isTrue(_ value: Bool, _ location: SourceLocation = #_sourceLocation) {
        #expect(value, sourceLocation: location)
    }

    private func content() -> [UInt8] {
        (0..<20_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    }

    private func makeFile(_ directory: TemporaryDirectory) throws -> FileDescriptor {
        let file = try FileDescriptor.open(directory.path("f"), [.readWrite, .create])
        try file.write(content(), at: 0)
        return file
    }

    @Test(.enabled(if: isThere, "io_uring"), arguments: [true, false])
    func `Reads of one and of several parts arrive, and short ones are told`(isForThisThread: Bool)
        throws
    {
        let directory = try TemporaryDirectory()
        let file = try makeFile(directory)
        var ring = try Ring(entryCount: 8, isForThisThread: isForThisThread)
        ring.setFile(file.number)
        let buffer = AlignedBuffer(count: 65536)
        isTrue(unsafe ring.prepareRead(at: 5, into: buffer.slice(0..<10), tag: 1))
        let parts = unsafe [buffer.slice(200..<300), buffer.slice(400..<1000)]
        isTrue(unsafe ring.prepareRead(at: 1000, into: buffer.slice(100..<150), parts, tag: 2))
        isTrue(unsafe ring.prepareRead(at: 19_000, into: buffer.slice(2000..<5000), tag: 3))
        isTrue(unsafe ring.prepareRead(at: 90_000, into: buffer.slice(6000..<7000), tag: 4))
        var done = Completed()
        while done.results.count < 4 {
            try ring.submitAndWait()
            done.take(&ring)
        }
        #expect(done.results == [1: 10, 2: 750, 3: 1000, 4: 0])
        let all = content()
        #expect(unsafe Array(buffer.bytes[0..<10]) == Array(all[5..<15]))
        #expect(unsafe Array(buffer.bytes[100..<150]) == Array(all[1000..<1050]))
        #expect(unsafe Array(buffer.bytes[200..<300]) == Array(all[1050..<1150]))
        #expect(unsafe Array(buffer.bytes[400..<1000]) == Array(all[1150..<1750]))
        #expect(unsafe Array(buffer.bytes[2000..<3000]) == Array(all[19_000...]))
    }

    @Test(.enabled(if: isThere, "io_uring"))
    func `Writes arrive where they should, beside reads`() throws {
        let directory = try TemporaryDirectory()
        let file = try makeFile(directory)
        var ring = try Ring(entryCount: 8, isForThisThread: true)
        ring.setFile(file.number)
        let buffer = AlignedBuffer(count: 8192)
        buffer.set(UInt64.max, at: 0)
        let source = unsafe UnsafeRawBufferPointer(buffer.slice(0..<8))
        isTrue(unsafe ring.prepareWrite(at: 100, from: source, tag: 1))
        isTrue(unsafe ring.prepareRead(at: 200, into: buffer.slice(4096..<4100), tag: 2))
        var done = Completed()
        while done.results.count < 2 {
            try ring.submitAndWait()
            done.take(&ring)
        }
        #expect(done.results == [1: 8, 2: 4])
        var expected = content()
        expected.replaceSubrange(100..<108, with: [UInt8](repeating: 0xff, count: 8))
        let found = try file.read(20_000, at: 0)
        #expect(found == expected)
        #expect(unsafe Array(buffer.bytes[4096..<4100]) == Array(expected[200..<204]))
    }

    @Test(.enabled(if: isThere, "io_uring"))
    func `A full ring says so, and takes more once it was submitted`() throws {
        let directory = try TemporaryDirectory()
        let file = try makeFile(directory)
        var ring = try Ring(entryCount: 4, isForThisThread: true)
        ring.setFile(file.number)
        let buffer = AlignedBuffer(count: 4096)
        for tag in 0..<4 {
            isTrue(unsafe ring.prepareRead(at: 0, into: buffer.slice(0..<8), tag: UInt64(tag)))
        }
        isTrue(unsafe !ring.prepareRead(at: 0, into: buffer.slice(0..<8), tag: 4))
        isTrue(ring.unsubmittedCount == 4)
        try ring.submit()
        isTrue(ring.unsubmittedCount == 0)
        isTrue(unsafe ring.prepareRead(at: 0, into: buffer.slice(0..<8), tag: 4))
        var done = Completed()
        while done.results.count < 5 {
            try ring.submitAndWait()
            done.take(&ring)
        }
        #expect(done.results.values.allSatisfy { $0 == 8 })
    }

    @Test(.enabled(if: isThere, "io_uring"))
    func `A look at a descriptor ends when something is there, a wait when its time is over`()
        throws
    {
        var ring = try Ring(entryCount: 4, isForThisThread: true)
        let event = try Event()
        isTrue(ring.preparePoll(event.number, tag: 9))
        try ring.submitAndWait(nanoseconds: 2_000_000)
        let early = ring.next()
        #expect(early == nil)
        event.set()
        try ring.submitAndWait(nanoseconds: 5_000_000_000)
        isTrue(ring.next()?.tag == 9)
    }

    /// For the thread sanitizer: threads that do not know of each other get the same addresses.
    @Test(.enabled(if: isThere, "io_uring"))
    func `Rings of many threads come and go where others were`() throws {
        let answers = Locked(0)
        let threads = try (0..<8).map { index in
            try ThreadBox {
                let count = (0..<100).count { Self.isAnswered(tag: UInt64(index * 100 + $0)) }
                answers.withLock { $0 += count }
            }
        }
        for thread in threads { thread.join() }
        #expect(answers.withLock { $0 } == 800)
    }

    /// Whether a ring of its own answers a request that does nothing.
    private static func isAnswered(tag: UInt64) -> Bool {
        guard var ring = try? Ring(entryCount: 4, isForThisThread: true),
            ring.prepareNothing(tag: tag), (try? ring.submitAndWait()) != nil
        else { return false }
        return ring.next()?.tag == tag
    }

    @Test func `Where io_uring is forbidden that is an error like any other`() throws {
        let result = Locked<Errno?>(nil)
        let thread = try Thread(name: "forbidden") {
            guard footing_testing_forbid_rings(1, 0) == 0 else { return }
            do throws(Errno) {
                _ = try Ring(entryCount: 4, isForThisThread: true)
            } catch {
                result.withLock { $0 = error }
            }
        }
        thread.join()
        #expect(result.withLock { $0 } == .notPermitted)
    }
}
