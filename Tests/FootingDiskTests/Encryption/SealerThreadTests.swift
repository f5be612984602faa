import FootingSimulation
import FootingSystem
import FootingTestSupport
import Glibc
import Testing

@testable import FootingDisk

/// The thread that encrypts beside the one that writes.
@Suite(.timeLimit(.minutes(2))) struct SealerThreadTests {
    /// A disk on a store in memory, with its threads.
    ///
    /// - Parameter besides: whether a thread of its own encrypts large writes, or who brings them.
    private func open(_ store: HookedStore, besides: Bool = true) throws -> Disk {
        var options = EngineOptions()
        options.key = EncryptedDisk.key
        options.encryptsBeside = besides
        return try Disk(store: store, options: options, clock: SystemClock())
    }

    private func store() throws -> HookedStore {
        let geometry = Geometry(
            sizeBytes: 16 << 20,
            sparePercent: 60,
            segmentSizeBytes: 2 << 20,
            isEncrypted: true
        )
        let store = HookedStore(sizeBytes: geometry.containerSizeBytes)
        var generator = SeededRandom(seed: 1)
        try Disk.format(
            store,
            geometry,
            identifier: Identifier(high: 1, low: 2),
            unixSeconds: 0,
            compression: .none,
            encryption: DiskEncryption(key: EncryptedDisk.key),
            using: &generator
        )
        return store
    }

    private func write(_ disk: Disk, _ blocks: Range<Int>) throws {
        let buffer = AlignedBuffer(count: blocks.count * 4096)
        buffer.clear(0..<blocks.count * 4096)
        for index in 0..<blocks.count { buffer.set(UInt8(blocks.lowerBound % 251), at: index) }
        try unsafe disk.write(
            at: UInt64(blocks.lowerBound) * 4096,
            UnsafeRawBufferPointer(buffer.slice(0..<blocks.count * 4096))
        )
    }

    /// Commits that wait to be written, and those of them that are encrypted.
    private func sealed(_ disk: Disk) -> (count: Int, encrypted: Int) {
        disk.engine.state.withLock { state in
            (state.sealed.count, state.sealed.count { $0.sealing == .done })
        }
    }

    @Test(arguments: [false, true])
    func `While the device works, the next commits are encrypted`(besides: Bool) throws {
        let store = try store()
        let disk = try open(store, besides: besides)
        let isHeld = Locked(true)
        store.onNextWrite { isHeld.withLock { held in while held { isHeld.wait(&held) } } }
        defer {
            isHeld.withLock { $0 = false }
            isHeld.wakeAll()
        }
        // Six commits of up to 143 blocks, as the segments' ends have it, and an open one. The
        // thread that writes encrypts no more than it writes at once.
        for start in stride(from: 0, to: 800, by: 100) { try write(disk, start..<start + 100) }
        let deadline = SystemClock().nanoseconds + 30_000_000_000
        var found = sealed(disk)
        while found.count < 6 || found.encrypted < found.count {
            try #require(SystemClock().nanoseconds < deadline, "\(found)")
            usleep(1000)
            found = sealed(disk)
        }
        isHeld.withLock { $0 = false }
        isHeld.wakeAll()
        try disk.flush()
        try disk.close()
        #expect(try DiskCheck.run(store: store, key: EncryptedDisk.key).findings == [])
    }

    @Test func `Small writes are left to who writes their commits`() throws {
        let store = try store()
        let disk = try open(store)
        let isHeld = Locked((held: true, isReached: false))
        store.onNextWrite {
            isHeld.withLock { hold in
                hold.isReached = true
                while hold.held { isHeld.wait(&hold) }
            }
        }
        defer {
            isHeld.withLock { $0.held = false }
            isHeld.wakeAll()
        }
        for start in stride(from: 0, to: 800, by: 8) { try write(disk, start..<start + 8) }
        while !isHeld.withLock({ $0.isReached }) { usleep(1000) }
        usleep(100_000)
        let found = sealed(disk)
        #expect(found.count >= 6 && found.encrypted <= EngineLimits.batchesPerWrite)
        isHeld.withLock { $0.held = false }
        isHeld.wakeAll()
        try disk.flush()
        try disk.close()
    }
}
