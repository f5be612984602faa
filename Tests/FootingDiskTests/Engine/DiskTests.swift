import FootingSimulation
import FootingSystem
import Glibc
import Testing

@testable import FootingDisk

/// The disk with its threads, on real files.
@Suite struct DiskTests {
    private static let blockCount = 1024

    private func create(_ file: TemporaryFile) throws {
        var options = DiskOptions(sizeBytes: UInt64(Self.blockCount) * 4096)
        options.segmentSizeBytes = 128 << 10
        options.sparePercent = 11
        try Disk.create(path: file.path, options)
    }

    /// Content of a block that tells which block it is, and how often it was written.
    private func fill(_ buffer: borrowing AlignedBuffer, _ block: Int, _ version: Int) {
        for word in 0..<512 { buffer.set(UInt64(block) << 32 | UInt64(version), at: word * 8) }
    }

    /// The version that a block holds; nil if it is torn or another block.
    private func version(_ disk: Disk, _ block: Int) throws(DiskError) -> Int? {
        let buffer = AlignedBuffer(count: 4096)
        try unsafe disk.read(at: UInt64(block) * 4096, into: buffer.slice(0..<4096))
        let first = buffer.get(UInt64.self, at: 0)
        for word in 0..<512 where buffer.get(UInt64.self, at: word * 8) != first { return nil }
        if first == 0 { return 0 }
        return Int(first >> 32) == block ? Int(first & 0xffff_ffff) : nil
    }

    /// Each of several writers overwrites blocks of its own at random, flushes, and checks them.
    ///
    /// - Returns: by block, the last version that a flush confirmed and the last that was written.
    private func churn(
        _ disk: Disk,
        seed: UInt64,
        operationCount: Int
    ) throws -> [(durable: Int, written: Int)] {
        let writerCount = 4
        let versions = Locked(
            [(durable: Int, written: Int)](
                repeating: (0, 0),
                count: Self.blockCount
            )
        )
        let problems = Locked<[String]>([])
        var threads: [Int: Locked<Thread?>] = [:]
        for writer in 0..<writerCount {
            let thread = try Thread(name: "writer") {
                var random = SeededRandom(seed: seed + UInt64(writer))
                let buffer = AlignedBuffer(count: 4096)
                do throws(DiskError) {
                    for _ in 0..<operationCount {
                        let own = random.below(Self.blockCount / writerCount)
                        let block = own * writerCount + writer
                        let now = versions.withLock { $0[block].written }
                        if random.oneIn(3) {
                            if try self.version(disk, block) != now {
                                problems.withLock { $0.append("block \(block) is not \(now)") }
                            }
                            continue
                        }
                        self.fill(buffer, block, now + 1)
                        try unsafe disk.write(
                            at: UInt64(block) * 4096,
                            UnsafeRawBufferPointer(buffer.slice(0..<4096))
                        )
                        versions.withLock { $0[block].written = now + 1 }
                        if random.oneIn(20) {
                            let before = versions.withLock { $0 }
                            try disk.flush()
                            versions.withLock { versions in
                                for index in versions.indices {
                                    versions[index].durable = max(
                                        versions[index].durable,
                                        before[index].written
                                    )
                                }
                            }
                        }
                    }
                } catch {
                    problems.withLock { $0.append("\(error)") }
                }
            }
            threads[writer] = Locked(thread)
        }
        for thread in threads.values {
            thread.withLock { $0.take()?.join() }
        }
        #expect(problems.withLock { $0 } == [])
        return versions.withLock { $0 }
    }

    @Test(.timeLimit(.minutes(5)), arguments: TemporaryFile.directories)
    func `Concurrent writers, readers and flushes agree`(_ directory: String) throws {
        let file = TemporaryFile(in: directory)
        defer { file.remove() }
        try create(file)
        // The file is let go with the last reference to the disk.
        let versions = try {
            let disk = try Disk(path: file.path)
            let versions = try churn(disk, seed: 1, operationCount: 3000)
            try disk.close()
            return versions
        }()
        try {
            let again = try Disk(path: file.path)
            #expect(again.recovery.wasClean)
            for (block, expected) in versions.enumerated() {
                #expect(try version(again, block) == expected.written)
            }
            try again.close()
        }()
        #expect(try DiskCheck.run(path: file.path).findings.isEmpty)
    }

    @Test(.timeLimit(.minutes(5)), arguments: TemporaryFile.directories)
    func `A disk whose process died has everything that was flushed`(_ directory: String) throws {
        let file = TemporaryFile(in: directory)
        let copy = TemporaryFile(in: directory)
        defer {
            file.remove()
            copy.remove()
        }
        try create(file)
        let disk = try Disk(path: file.path)
        let versions = try churn(disk, seed: 2, operationCount: 1500)
        try file.copy(to: copy)
        try {
            let image = try Disk(path: copy.path)
            #expect(!image.recovery.wasClean)
            for (block, expected) in versions.enumerated() {
                let found = try #require(try version(image, block))
                #expect(found >= expected.durable && found <= expected.written, "\(block)")
            }
            try image.close()
        }()
        try disk.close()
        #expect(try DiskCheck.run(path: copy.path).findings.isEmpty)
    }

    @Test func `A disk that is dropped lets go of its file`() throws {
        let file = TemporaryFile()
        defer { file.remove() }
        try create(file)
        do {
            let disk = try Disk(path: file.path)
            let buffer = AlignedBuffer(count: 4096)
            fill(buffer, 3, 1)
            try unsafe disk.write(
                at: 3 * 4096,
                UnsafeRawBufferPointer(buffer.slice(0..<4096))
            )
            try disk.flush()
        }
        let disk = try Disk(path: file.path)
        #expect(!disk.recovery.wasClean)
        #expect(try version(disk, 3) == 1)
        try disk.close()
    }

    @Test func `A disk that was not started waits for it`() throws {
        let file = TemporaryFile()
        defer { file.remove() }
        try create(file)
        let disk = try Disk(path: file.path, starts: false)
        let buffer = AlignedBuffer(count: 4096)
        fill(buffer, 3, 1)
        try unsafe disk.write(at: 3 * 4096, UnsafeRawBufferPointer(buffer.slice(0..<4096)))
        let flushed = Locked(false)
        disk.flush { _ in
            flushed.withLock { $0 = true }
            flushed.wakeAll()
        }
        usleep(300_000)
        #expect(!flushed.withLock { $0 })
        try disk.start()
        flushed.withLock { isDone in while !isDone { flushed.wait(&isDone) } }
        try disk.close()
        // One that never is can be closed all the same.
        let idle = try Disk(path: file.path, starts: false)
        #expect(idle.recovery.wasClean)
        try idle.close()
        let again = try Disk(path: file.path)
        #expect(try version(again, 3) == 1)
        try again.close()
    }

    @Test func `A second opener is refused, and so is a check`() throws {
        let file = TemporaryFile()
        defer { file.remove() }
        try create(file)
        let disk = try Disk(path: file.path)
        let error = #expect(throws: DiskError.self) { try Disk(path: file.path) }
        #expect(error?.kind == .busy)
        let refusal = #expect(throws: DiskError.self) { try DiskCheck.run(path: file.path) }
        #expect(refusal?.kind == .busy)
        // Reading what it is does not need the lock.
        #expect(try DiskInformation(path: file.path).epoch == 1)
        try disk.close()
        #expect(try DiskInformation(path: file.path).isClean)
    }

    @Test func `Nobody opens a disk while it is checked`() throws {
        let file = TemporaryFile()
        defer { file.remove() }
        try create(file)
        let kinds = Locked<[DiskError.Kind]>([])
        _ = try DiskCheck.run(path: file.path) { _ in
            let error = #expect(throws: DiskError.self) { try Disk(path: file.path) }
            if let error { kinds.withLock { $0.append(error.kind) } }
        }
        #expect(kinds.withLock { Set($0) } == [.busy])
        try Disk(path: file.path).close()
    }

    @Test func `A file that is there is not overwritten`() throws {
        let file = TemporaryFile()
        defer { file.remove() }
        try create(file)
        let error = #expect(throws: DiskError.self) { try create(file) }
        #expect(error?.kind == .invalid)
    }

    @Test func `Closing is final and idempotent`() throws {
        let file = TemporaryFile()
        defer { file.remove() }
        try create(file)
        let disk = try Disk(path: file.path)
        try disk.checkpoint()
        try disk.close()
        let error = #expect(throws: DiskError.self) { try disk.flush() }
        #expect(error?.kind == .closed)
        #expect(throws: DiskError.self) { try disk.trim(0..<8192) }
    }

    @Test(.timeLimit(.minutes(5)))
    func `A full host does not keep a disk from being closed`() throws {
        let geometry = Geometry(sizeBytes: 4 << 20, sparePercent: 33, segmentSizeBytes: 64 << 10)
        let store = SimulatedStore(sizeBytes: geometry.containerSizeBytes, seed: 1)
        try Disk.format(store, geometry, identifier: Identifier(high: 1, low: 2), unixSeconds: 0)
        let disk = try Disk(store: store, options: EngineOptions(), clock: SystemClock())
        var faults = Faults()
        faults.writeSpaceErrorOneIn = 1
        store.setFaults(faults)
        let buffer = AlignedBuffer(count: 4096)
        let error = #expect(throws: DiskError.self) {
            while true {
                try unsafe disk.write(at: 0, UnsafeRawBufferPointer(buffer.slice(0..<4096)))
                try disk.flush()
            }
        }
        #expect(error?.kind == .noSpace)
        #expect(throws: DiskError.self) { try disk.close() }
        store.setFaults(Faults())
        store.restart(.none)
        let again = try Disk(store: store, options: EngineOptions(), clock: SystemClock())
        try again.close()
    }
}
