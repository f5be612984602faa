import CFootingTesting
import FootingSystem
import Glibc
import Synchronization
import Testing

@testable import FootingDisk

/// Writes that are durable when they return: where they are believed, and what a failure means.
@Suite(.timeLimit(.minutes(2))) struct DurableWriteTests {
    private func withStore(_ body: (FileStore) throws -> Void) throws {
        let file = TemporaryFile()
        defer { file.remove() }
        _ = try FileStore(creating: file.path, sizeBytes: 1 << 20)
        try body(FileStore(path: file.path, access: .exclusive))
    }

    /// Writes a page durably in a thread where `pwritev2` fails with an error.
    private func write(_ store: FileStore, failing error: Int32) throws -> Errno? {
        let result = Locked<Errno??>(.none)
        let thread = try Thread(name: "filtered") {
            guard footing_testing_refuse_durable_writes(error) == 0 else { return }
            let failure = Self.write(store)
            result.withLock { $0 = .some(failure) }
        }
        thread.join()
        return try #require(result.withLock { $0 })
    }

    private static func write(_ store: FileStore) -> Errno? {
        let page = AlignedBuffer(count: 4096)
        page.set(UInt64(0x1234), at: 8)
        do throws(Errno) {
            unsafe try store.writeDurably(at: 8192, [UnsafeRawBufferPointer(page.slice(0..<4096))])
            return nil
        } catch {
            return error
        }
    }

    /// 9p, SMB, FUSE, NFS, tmpfs and overlayfs by their numbers in `magic.h`.
    @Test(
        arguments: [0x0102_1997, 0xff53_4d42, 0x6573_5546, 0x6969, 0x0102_1994, 0x794c_7630]
            as [Int64]
    )
    func `A flag that a file system may ignore is not relied on`(magic: Int64) {
        #expect(!FileStore.durableFileSystems.contains(magic))
    }

    @Test func `Such writes are for direct output on a file system that heeds them`() throws {
        for directory in TemporaryFile.directories {
            let file = TemporaryFile(in: directory)
            defer { file.remove() }
            _ = try FileStore(creating: file.path, sizeBytes: 1 << 20)
            let store = try FileStore(path: file.path, access: .exclusive)
            let magic = try FileDescriptor.open(file.path, .readOnly).fileSystem().magic
            let isKnown = FileStore.durableFileSystems.contains(magic)
            let isUsed = store.writesDurably.load(ordering: .relaxed)
            #expect(isUsed == (store.isDirect && isKnown))
            #expect(Self.write(store) == nil)
        }
    }

    @Test(arguments: [EPERM, ENOSYS, EOPNOTSUPP])
    func `A call that is refused is replaced by a write and a sync, and not made again`(
        error: Int32
    ) throws {
        try withStore { store in
            guard store.isDirect else { return }
            store.writesDurably.store(true, ordering: .relaxed)
            let failure = try write(store, failing: error)
            #expect(failure == nil)
            let isUsed = store.writesDurably.load(ordering: .relaxed)
            #expect(!isUsed)
            let page = AlignedBuffer(count: 4096)
            try unsafe store.read(at: 8192, into: page.slice(0..<4096))
            #expect(page.get(UInt64.self, at: 8) == 0x1234)
        }
    }

    @Test func `After a durable write that failed no other succeeds, and no sync`() throws {
        try withStore { store in
            guard store.isDirect else { return }
            store.writesDurably.store(true, ordering: .relaxed)
            let failure = try write(store, failing: EIO)
            #expect(failure == .inputOutput)
            #expect(throws: Errno.inputOutput) { try store.synchronize() }
            #expect(Self.write(store) == .inputOutput)
        }
    }

    @Test func `A durable write without space is tried again`() throws {
        try withStore { store in
            guard store.isDirect else { return }
            store.writesDurably.store(true, ordering: .relaxed)
            let failure = try write(store, failing: ENOSPC)
            #expect(failure == .noSpace)
            #expect(Self.write(store) == nil)
            try store.synchronize()
        }
    }
}
