import FootingSimulation
import FootingSystem
import Testing

@testable import FootingDisk

/// Which commits recovery follows, on logs written by hand.
@Suite struct LogReplayTests {
    private let geometry = Geometry(
        sizeBytes: 1 << 20,
        sparePercent: 33,
        segmentSizeBytes: 64 << 10
    )

    private func superblock(epoch: UInt32, durableLSN: UInt64 = 0) -> Superblock {
        Superblock(
            identifier: Identifier(high: 1, low: 2),
            generation: 1,
            geometry: geometry,
            root: .unmapped,
            lsn: 0,
            lsnChecksum: 0,
            epoch: epoch,
            isClean: false,
            tableRegion: 0,
            tableChecksum: 0,
            user: Superblock.Head(sequence: 1, segment: 0, page: 0, next: 1),
            collector: Superblock.Head(sequence: 3, segment: 2, page: 0, next: 3),
            createdUnixSeconds: 0,
            durableLSN: durableLSN
        )
    }

    /// What a commit of one block is to say.
    private struct Commit {
        var lsn: UInt64
        var after: UInt32
        var stream = CommitHeader.Stream.user
        var page = 0
        var epoch: UInt32 = 1
        var durableLSN: UInt64 = 0
        var continues = false
        var isTorn = false
        var block: UInt64 = 0
    }

    /// Writes a commit of two pages.
    ///
    /// - Returns: its checksum, for the next one.
    @discardableResult
    private func put(_ commit: Commit, in store: MemoryStore) -> UInt32 {
        let segment: UInt32 = commit.stream == .user ? 0 : 2
        let buffer = AlignedBuffer(count: 8192)
        buffer.set(commit.lsn, at: 4096)
        let sum = buffer.checksum(4096..<8192)
        Descriptor.store(
            Descriptor(commit.block, .plain(commit.isTorn ? ~sum : sum)),
            0,
            in: buffer
        )
        let header = CommitHeader(
            lsn: commit.lsn,
            sequence: commit.stream == .user ? 1 : 3,
            previousChecksum: commit.after,
            epoch: commit.epoch,
            durableLSN: commit.durableLSN,
            nextSegment: commit.stream == .user ? 1 : 3,
            descriptorCount: 1,
            payloadCount: 1,
            stream: commit.stream,
            continues: commit.continues,
            page: commit.page,
            segment: segment
        )
        let page = AlignedBuffer(count: 4096)
        unsafe page.copy(from: UnsafeRawBufferPointer(buffer.slice(0..<4096)), at: 0)
        let checksum = header.seal(page, volume: 2)
        let offset = geometry.offset(segment: segment, page: commit.page)
        store.put(unsafe [UInt8](page.slice(0..<4096)), at: offset)
        store.put(unsafe [UInt8](buffer.slice(4096..<8192)), at: offset + 4096)
        return checksum
    }

    private func store() -> MemoryStore {
        MemoryStore(sizeBytes: geometry.containerSizeBytes)
    }

    /// The LSNs and epochs that are applied, and the result.
    private func replay(
        _ store: MemoryStore,
        _ superblock: Superblock
    ) throws(DiskError) -> (applied: [UInt64], result: LogReplay.Result) {
        var applied: [UInt64] = []
        var log = try LogReplay(store, superblock, verifies: true)
        let result = try log.run { commit, _ in
            applied.append(commit.lsn * 10 + UInt64(commit.epoch))
        }
        return (applied, result)
    }

    @Test func `Commits of both streams are followed in order`() throws {
        let store = store()
        var sum = put(Commit(lsn: 1, after: 0), in: store)
        sum = put(Commit(lsn: 2, after: sum, stream: .collector), in: store)
        sum = put(Commit(lsn: 3, after: sum, page: 2), in: store)
        let (applied, result) = try replay(store, superblock(epoch: 1))
        #expect(applied == [11, 21, 31])
        #expect(result.user.page == 4)
        #expect(result.collector.page == 2)
        #expect(result.checksum == sum)
    }

    @Test func `A torn end is left out`() throws {
        let store = store()
        let sum = put(Commit(lsn: 1, after: 0), in: store)
        put(Commit(lsn: 2, after: sum, page: 2, isTorn: true), in: store)
        let (applied, result) = try replay(store, superblock(epoch: 1))
        #expect(applied == [11])
        #expect(result.user.page == 2)
    }

    @Test func `A write of which the end is missing is left out`() throws {
        let store = store()
        var sum = put(Commit(lsn: 1, after: 0), in: store)
        sum = put(Commit(lsn: 2, after: sum, page: 2, continues: true), in: store)
        sum = put(Commit(lsn: 3, after: sum, stream: .collector), in: store)
        let (applied, result) = try replay(store, superblock(epoch: 1))
        #expect(applied == [11])
        #expect(result.discardedCount == 2)
        put(Commit(lsn: 4, after: sum, page: 4), in: store)
        #expect(try replay(store, superblock(epoch: 1)).applied == [11, 21, 31, 41])
    }

    @Test func `What an earlier recovery left out hides nothing`() throws {
        let store = store()
        // Torn in epoch 1; after the recovery the collector wrote first.
        put(Commit(lsn: 1, after: 0, isTorn: true), in: store)
        let sum = put(Commit(lsn: 1, after: 0, stream: .collector, epoch: 2), in: store)
        put(
            Commit(lsn: 2, after: sum, stream: .collector, page: 2, epoch: 2, durableLSN: 1),
            in: store
        )
        #expect(try replay(store, superblock(epoch: 2)).applied == [12, 22])
    }

    @Test func `A damaged commit that was durable is no torn end`() throws {
        let store = store()
        let sum = put(Commit(lsn: 1, after: 0, isTorn: true), in: store)
        put(Commit(lsn: 2, after: sum, page: 2, durableLSN: 1), in: store)
        #expect(try replay(store, superblock(epoch: 1)).applied == [11, 21])
    }

    @Test func `A durable commit that is gone is an error`() throws {
        let store = store()
        let sum = put(Commit(lsn: 1, after: 0), in: store)
        let lost = put(Commit(lsn: 2, after: sum, page: 2), in: store)
        put(Commit(lsn: 3, after: lost, page: 4, durableLSN: 2), in: store)
        store.put([1], at: geometry.offset(segment: 0, page: 2) + 70)
        let error = #expect(throws: DiskError.self) { try replay(store, superblock(epoch: 1)) }
        #expect(error?.kind == .corrupt)
    }

    @Test func `A durable write of which a later commit is damaged is an error`() throws {
        let store = store()
        var sum = put(Commit(lsn: 1, after: 0), in: store)
        // Of the write in 2 and 3 the end is gone, and 4 was sealed when both were durable.
        sum = put(Commit(lsn: 2, after: sum, page: 2, continues: true), in: store)
        let lost = put(Commit(lsn: 3, after: sum, page: 4), in: store)
        put(Commit(lsn: 4, after: lost, page: 6, durableLSN: 3), in: store)
        store.put([1], at: geometry.offset(segment: 0, page: 4) + 70)
        let error = #expect(throws: DiskError.self) { try replay(store, superblock(epoch: 1)) }
        #expect(error?.kind == .corrupt)
        #expect(error?.description.contains("commit 2") == true)
    }

    @Test func `A write without an end is refused, not kept in memory`() throws {
        let store = store()
        var sum: UInt32 = 0
        for lsn in 1...7 {
            let commit = Commit(lsn: UInt64(lsn), after: sum, page: 2 * lsn - 2, continues: true)
            sum = put(commit, in: store)
        }
        #expect(try replay(store, superblock(epoch: 1)).result.discardedCount == 7)
        var limits = ReplayLimits()
        limits.groupCountMax = 6
        var log = try LogReplay(store, superblock(epoch: 1), verifies: true, limits: limits)
        let error = #expect(throws: DiskError.self) { _ = try log.run { _, _ in } }
        #expect(error?.kind == .corrupt)
    }

    @Test func `A log that ends before what the last opening found is an error`() throws {
        let store = store()
        put(Commit(lsn: 1, after: 0), in: store)
        #expect(try replay(store, superblock(epoch: 1, durableLSN: 1)).applied == [11])
        #expect(throws: DiskError.self) { try replay(store, superblock(epoch: 1, durableLSN: 2)) }
    }

    @Test func `A commit from the future, of another chain or place is not followed`() throws {
        for commit in [
            Commit(lsn: 1, after: 0, epoch: 3), Commit(lsn: 1, after: 7),
            Commit(lsn: 2, after: 0), Commit(lsn: 1, after: 0, page: 2),
        ] {
            let store = store()
            put(commit, in: store)
            #expect(try replay(store, superblock(epoch: 1)).applied == [])
        }
    }
}
