import FootingSystem
import Glibc
import Testing

@testable import FootingDisk

/// Snapshots of a disk with its threads, on a real file.
@Suite struct SnapshotDiskTests {
    private static let blockCount = 512

    private func create(_ file: TemporaryFile) throws {
        var options = DiskOptions(sizeBytes: UInt64(Self.blockCount) * 4096)
        options.segmentSizeBytes = 128 << 10
        options.snapshotReservePercent = 800
        try Disk.create(path: file.path, options)
    }

    /// One writer numbers its writes; each snapshot must be the disk after some number of them.
    @Test func `A snapshot made while clients write is one moment of the disk`() throws {
        let file = TemporaryFile()
        defer { file.remove() }
        try create(file)
        let disk = try Disk(path: file.path)
        let written = Locked<UInt64>(0)
        let isStopping = Locked(false)
        let problems = Locked<[String]>([])
        let writer = try Thread(name: "writer") {
            let buffer = AlignedBuffer(count: 4096)
            var number: UInt64 = 0
            while !isStopping.withLock({ $0 }) {
                number += 1
                for word in 0..<512 { buffer.set(number, at: word * 8) }
                let block = number &* 7 % UInt64(Self.blockCount)
                do throws(DiskError) {
                    try unsafe disk.write(at: block * 4096, UnsafeRawBufferPointer(buffer.bytes))
                } catch {
                    return problems.withLock { $0.append("\(error)") }
                }
                written.withLock { $0 = number }
            }
        }
        var bounds: [(name: String, low: UInt64, high: UInt64)] = []
        for index in 0..<6 {
            while written.withLock({ $0 }) < UInt64(index) * 700 + 100 {
                try #require(problems.withLock { $0 } == [])
            }
            let low = written.withLock { $0 }
            try disk.createSnapshot("\(index)")
            bounds.append(("\(index)", low, written.withLock { $0 } + 1))
            if index == 3 { try disk.deleteSnapshot("1") }
        }
        isStopping.withLock { $0 = true }
        writer.join()
        #expect(problems.withLock { $0 } == [])
        bounds.removeAll { $0.name == "1" }
        for bound in bounds { try expectMoment(disk, bound) }
        #expect(disk.snapshots().count == 5)
        try disk.close()
        #expect(try DiskCheck.run(path: file.path).findings == [])
        #expect(try SnapshotInformation.list(path: file.path).map { $0.name }.count == 5)
        let again = try Disk(path: file.path)
        for bound in bounds { try expectMoment(again, bound) }
        try again.close()
    }

    private func expectMoment(
        _ disk: Disk,
        _ bound: (name: String, low: UInt64, high: UInt64)
    ) throws {
        let snapshot = try disk.openSnapshot(bound.name)
        let buffer = AlignedBuffer(count: 4096)
        var numbers: [UInt64] = []
        for block in 0..<UInt64(Self.blockCount) {
            try unsafe snapshot.read(at: block * 4096, into: buffer.bytes)
            let number = buffer.get(UInt64.self, at: 0)
            #expect(buffer.get(UInt64.self, at: 4088) == number)
            numbers.append(number)
        }
        let last = numbers.max() ?? 0
        #expect(last >= bound.low && last <= bound.high, "\(bound) \(last)")
        for (block, number) in numbers.enumerated() {
            // The last number up to `last` that goes to this block.
            var expected = last
            while expected > 0, expected &* 7 % UInt64(Self.blockCount) != UInt64(block) {
                expected -= 1
            }
            #expect(number == expected, "block \(block) of \(bound.name)")
        }
    }

    /// As a child has it that another thread has forked, until it runs its program.
    @Test(arguments: [FileStore.Access.unchanging, .exclusive])
    func `A lock ends with its owner, whoever else has the descriptor`(
        access: FileStore.Access
    ) throws {
        let file = TemporaryFile()
        defer { file.remove() }
        try create(file)
        var copies: [Int32] = []
        do {
            let store = try FileStore(path: file.path, access: access)
            let inode = try FileDescriptor.open(file.path, .readOnly).status().inode
            for number in 0..<1024 as Range<Int32> {
                let status = try? FileStatus(directory: number, path: "", followsLink: true)
                if status?.inode == inode { copies.append(dup(number)) }
            }
            withExtendedLifetime(store) {}
        }
        #expect(!copies.isEmpty)
        try Disk(path: file.path).close()
        for number in copies { close(number) }
    }

    @Test func `A clone has its name only when it is complete`() throws {
        let file = TemporaryFile()
        defer { file.remove() }
        try create(file)
        let disk = try Disk(path: file.path)
        let buffer = AlignedBuffer(count: 1 << 20)
        try unsafe disk.write(at: 0, UnsafeRawBufferPointer(buffer.bytes))
        try disk.createSnapshot("a")
        _ = try disk.openSnapshot("a")
        let target = file.path + ".clone"
        defer { FileDescriptor.remove(target) }
        func isThere(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }
        func partials() -> [String] {
            let name = target.split(separator: "/").last ?? ""
            let names = (try? HostRoot(path: ".").names("/")) ?? []
            return names.filter { $0.hasPrefix("\(name).partial-") }
        }
        // What somebody else called so, or another who was killed left.
        let other = target + ".partial-0"
        defer { FileDescriptor.remove(other) }
        _ = try FileDescriptor.open(other, [.readWrite, .create])
        _ = try SnapshotClone.run(path: file.path, snapshot: "a", to: target) { _ in
            #expect(partials().count == 2 && !isThere(target))
        }
        #expect(isThere(target) && partials().count == 1 && isThere(other))
        FileDescriptor.remove(target)
        // Somebody else takes the name meanwhile.
        let error = #expect(throws: DiskError.self) {
            _ = try SnapshotClone.run(path: file.path, snapshot: "a", to: target) { _ in
                _ = try? FileDescriptor.open(target, [.readWrite, .create]).write("mine")
            }
        }
        #expect(error?.kind == .invalid)
        #expect(try FileDescriptor.open(target, .readOnly).status().sizeBytes % 4 == 0)
        #expect(partials().count == 1)
        try disk.close()
    }

    @Test func `A clone is the snapshot, in a container of its own`() throws {
        let file = TemporaryFile()
        defer { file.remove() }
        try create(file)
        let disk = try Disk(path: file.path)
        let buffer = AlignedBuffer(count: 1 << 20)
        for word in 0..<buffer.count / 8 { buffer.set(UInt64(word) &* 77 + 1, at: word * 8) }
        try unsafe disk.write(at: 65536, UnsafeRawBufferPointer(buffer.bytes))
        try disk.createSnapshot("a")
        try disk.trim(0..<disk.sizeBytes)
        _ = try disk.openSnapshot("a")
        let target = file.path + ".clone"
        defer { FileDescriptor.remove(target) }
        // While the disk is in use.
        let count = try SnapshotClone.run(path: file.path, snapshot: "a", to: target)
        #expect(count == 1 << 20)
        let error = #expect(throws: DiskError.self) {
            _ = try SnapshotClone.run(path: file.path, snapshot: "a", to: target)
        }
        #expect(error?.kind == .invalid)
        try disk.deleteSnapshot("a")
        #expect(throws: DiskError.self) {
            _ = try SnapshotClone.run(path: file.path, snapshot: "a", to: target + "2")
        }
        try disk.close()
        #expect(try DiskCheck.run(path: target).findings == [])
        let clone = try Disk(path: target)
        let read = AlignedBuffer(count: 1 << 20)
        try unsafe clone.read(at: 65536, into: read.bytes)
        #expect(unsafe [UInt8](read.bytes) == [UInt8](buffer.bytes))
        let extents = try clone.extents(0..<clone.sizeBytes, limit: 8)
        #expect(extents.map { $0.isAllocated } == [false, true, false])
        try clone.close()
    }
}
