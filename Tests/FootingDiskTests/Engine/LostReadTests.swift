import FootingSystem
import Testing

@testable import FootingDisk

/// Reads that a device may still be at when nobody waits for it any more.
@Suite struct LostReadTests {
    private final class Owner {
        let buffer = AlignedBuffer(count: 8192)
    }

    @Test func `A read that is lost fails, and nothing is read to its memory again`() throws {
        let geometry = Geometry(sizeBytes: 1 << 20, sparePercent: 33, segmentSizeBytes: 64 << 10)
        let store = HookedStore(sizeBytes: geometry.containerSizeBytes)
        try Disk.format(store, geometry, identifier: Identifier(high: 1, low: 2), unixSeconds: 0)
        func open() throws -> Engine {
            try Engine.open(
                store: store,
                options: EngineOptions(),
                clock: SystemClock(),
                drive: .callers
            ).engine
        }
        // In the other order they lie in the log: two parts of one request.
        let first = try open()
        let content = AlignedBuffer(count: 4096)
        let bytes = unsafe UnsafeRawBufferPointer(content.slice(0..<4096))
        content.set(UInt64(1), at: 0)
        try unsafe first.write(at: 4096, bytes)
        try unsafe first.write(at: 0, bytes)
        first.flush { _ in }
        let engine = try open()
        store.loseReads()
        let queue = try #require(DiskReadQueue(engine))
        let owner = Owner()
        let before = store.readCount
        let isUnderWay = try unsafe queue.start(
            at: 0,
            into: owner.buffer.slice(0..<8192),
            owner: owner,
            token: 5
        )
        #expect(isUnderWay)
        queue.settle()
        let ended = try #require(queue.next())
        #expect(ended.token == 5)
        #expect(ended.error?.kind == .inputOutput)
        #expect(store.readCount == before)
        #expect(queue.isBroken && queue.isEmpty)
    }
}
