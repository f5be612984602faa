import CFootingTesting
import FootingSystem
import Glibc
import Testing

@testable import FootingDisk

/// Rings that stop to work while reads are under way, which those of a pipe are until it has bytes.
@Suite(.timeLimit(.minutes(2))) struct BrokenRingTests {
    private static let isThere = (try? Ring(entryCount: 1, isForThisThread: true)) != nil

    /// A pipe.
    private final class Pipe: Sendable {
        let reading: Int32
        let writing: Int32

        init() throws {
            var ends: [Int32] = [-1, -1]
            try #require(unsafe pipe(&ends) == 0)
            (reading, writing) = (ends[0], ends[1])
        }

        deinit {
            close(reading)
            close(writing)
        }

        /// Writes eight bytes after a while.
        func writeLater(_ byte: UInt8) throws {
            try Thread(name: "writer") { [self] in
                usleep(100_000)
                let bytes = [UInt8](repeating: byte, count: 8)
                _ = unsafe bytes.withUnsafeBytes { unsafe write(writing, $0.baseAddress, 8) }
            }.detach()
        }
    }

    /// What a read goes to.
    private final class Place {
        let buffer = AlignedBuffer(count: 4096)
        var content: [UInt8] { unsafe Array(buffer.bytes[0..<8]) }

        func read() -> DirectRead {
            unsafe DirectRead(at: 0, into: buffer.slice(0..<8), owner: self)
        }
    }

    /// What reads have come to, by tag.
    private struct Outcome: Sendable {
        var errors: [UInt64: Errno?] = [:]
        var lost: Set<UInt64> = []
        var contents: [UInt64: [UInt8]] = [:]
        var isBroken = false
        var plainCount = 0
        var isOwnerKept = false
    }

    /// Runs a body in a thread of its own, whose filters end with it.
    private func inThread(
        _ body: @escaping @Sendable (inout Outcome) throws -> Void
    ) throws -> Outcome {
        let result = Locked<Outcome?>(nil)
        try Thread(name: "filtered") {
            var outcome = Outcome()
            do { try body(&outcome) } catch { Issue.record(error) }
            result.withLock { $0 = outcome }
        }.detach()
        for _ in 0..<2_000 where result.withLock({ $0 }) == nil { usleep(10_000) }
        return try #require(result.withLock { $0 }, "it never ended")
    }

    private static func take(_ queue: RingReadQueue, _ outcome: inout Outcome) {
        while let (tag, error, isLost) = queue.next() {
            outcome.errors[tag] = .some(error)
            if isLost { outcome.lost.insert(tag) }
        }
        outcome.isBroken = queue.isBroken
    }

    private static func queue(
        _ pipe: Pipe,
        isForThisThread: Bool,
        _ plainCount: Locked<Int>
    ) throws -> RingReadQueue {
        try unsafe RingReadQueue(file: pipe.reading, isForThisThread: isForThisThread) {
            (_, _) throws(Errno) in
            plainCount.withLock { $0 += 1 }
        }
    }

    @Test(.enabled(if: isThere, "io_uring"))
    func `What the kernel had when a ring broke is lost, and its memory kept`() throws {
        let outcome = try inThread { outcome in
            let pipe = try Pipe()
            let plainCount = Locked(0)
            let queue = try Self.queue(pipe, isForThisThread: true, plainCount)
            weak var owner: Place?
            do {
                let place = Place()
                owner = place
                queue.add(place.read(), tag: 1)
            }
            queue.submit()
            let other = Place()
            queue.add(other.read(), tag: 2)
            _ = footing_testing_forbid_rings(0, 1)
            queue.waitForRead()
            Self.take(queue, &outcome)
            outcome.isOwnerKept = owner != nil
            outcome.plainCount = plainCount.withLock { $0 }
        }
        #expect(outcome.isBroken)
        let expected: [UInt64: Errno?] = [1: .inputOutput, 2: nil]
        #expect(outcome.errors == expected)
        #expect(outcome.lost == [1])
        #expect(outcome.plainCount == 1)
        #expect(outcome.isOwnerKept)
    }

    /// They are those of callers whose memory is theirs again as soon as they return.
    @Test(.enabled(if: isThere, "io_uring"))
    func `A ring that threads share waits for what the kernel had`() throws {
        let outcome = try inThread { outcome in
            let pipe = try Pipe()
            let plainCount = Locked(0)
            let queue = try Self.queue(pipe, isForThisThread: false, plainCount)
            let place = Place()
            queue.add(place.read(), tag: 1)
            queue.submit()
            try pipe.writeLater(7)
            _ = footing_testing_forbid_rings(0, 1)
            queue.waitForRead()
            outcome.contents[1] = place.content
            Self.take(queue, &outcome)
        }
        #expect(outcome.isBroken)
        #expect(outcome.errors == [1: nil] as [UInt64: Errno?])
        #expect(outcome.lost.isEmpty)
        #expect(outcome.contents[1] == [UInt8](repeating: 7, count: 8))
    }

    /// Completions are posted only by a call that is let in.
    @Test(.enabled(if: isThere, "io_uring"))
    func `While the kernel takes nothing more, what it has is waited for`() throws {
        let outcome = try inThread { outcome in
            let pipe = try Pipe()
            let plainCount = Locked(0)
            let queue = try Self.queue(pipe, isForThisThread: true, plainCount)
            let places = [Place(), Place()]
            queue.add(places[0].read(), tag: 1)
            queue.submit()
            queue.add(places[1].read(), tag: 2)
            _ = footing_testing_refuse_submissions(EAGAIN)
            try pipe.writeLater(9)
            queue.waitForRead()
            outcome.contents[1] = places[0].content
            let isBroken = queue.isBroken
            Self.take(queue, &outcome)
            guard !isBroken, outcome.errors.count == 1 else { return }
            // Nothing is under way any more whose end could change anything.
            queue.waitForRead()
            Self.take(queue, &outcome)
            outcome.plainCount = plainCount.withLock { $0 }
        }
        #expect(outcome.errors == [1: nil, 2: nil] as [UInt64: Errno?])
        #expect(outcome.contents[1] == [UInt8](repeating: 9, count: 8))
        #expect(outcome.lost.isEmpty)
        #expect(outcome.isBroken)
        #expect(outcome.plainCount == 1)
    }

    @Test func `A ring that can be made and not used is none`() throws {
        let file = TemporaryFile()
        defer { file.remove() }
        _ = try FileStore(creating: file.path, sizeBytes: 1 << 20)
        let path = file.path
        let mode = Locked<InputOutputMode?>(nil)
        _ = try inThread { _ in
            _ = footing_testing_forbid_rings(0, 1)
            let store = try FileStore(path: path, access: .exclusive, mode: .auto)
            mode.withLock { $0 = store.inputOutput.mode }
        }
        #expect(mode.withLock { $0 } == .threads)
    }
}
