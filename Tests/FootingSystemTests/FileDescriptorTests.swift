import FootingSystem
import FootingTestSupport
import Glibc
import Testing

@Suite struct FileDescriptorTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func open() throws -> FileDescriptor {
        try FileDescriptor.open(directory.path("file"), [.readWrite, .create])
    }

    /// The error a call ends with; a macro's closure cannot capture what is not copyable.
    private func failure(_ body: () throws(Errno) -> Void) -> Errno? {
        do throws(Errno) {
            try body()
            return nil
        } catch {
            return error
        }
    }

    @Test func `closes when its owner goes away`() throws {
        let number: Int32
        do {
            let file = try open()
            number = file.number
            #expect(fcntl(number, F_GETFD) & FD_CLOEXEC != 0)
        }
        #expect(fcntl(number, F_GETFD) == -1)
    }

    @Test func `release leaves the number open`() throws {
        let number = try open().release()
        #expect(fcntl(number, F_GETFD) >= 0)
        #expect(close(number) == 0)
    }

    @Test func `reads what was written at an offset`() throws {
        let file = try open()
        try file.write([1, 2, 3, 4], at: 1000)
        #expect(try file.read(4, at: 1000) == [1, 2, 3, 4])
        #expect(try file.read(2, at: 998) == [0, 0])
        #expect(try file.status().sizeBytes == 1004)
    }

    @Test func `a short read means the end of the file`() throws {
        let file = try open()
        try file.write([1, 2, 3, 4], at: 0)
        #expect(try file.read(10, at: 2) == [3, 4])
        #expect(try file.read(10, at: 4) == [])
        #expect(try file.read(10, at: 1 << 40) == [])
    }

    @Test func `reads across partial results of a pipe`() throws {
        var numbers: [Int32] = [0, 0]
        #expect(unsafe pipe(&numbers) == 0)
        let source = FileDescriptor(owning: numbers[0])
        let writer = FileDescriptor(owning: numbers[1])
        try writer.write("abc")
        var bytes = [UInt8](repeating: 0, count: 8)
        let count = try unsafe bytes.withUnsafeMutableBytes { try unsafe source.read(into: $0) }
        #expect(bytes.prefix(count) == ArraySlice("abc".utf8))
    }

    @Test func `create with exclusive refuses what is there`() throws {
        _ = try open().release()
        #expect(throws: Errno.fileExists) {
            _ = try FileDescriptor.open(
                directory.path("file"),
                [.writeOnly, .create, .exclusive]
            ).release()
        }
    }

    @Test func `noFollow refuses a link`() throws {
        try directory.link("link", to: "file")
        #expect(throws: Errno(rawValue: ELOOP)) {
            _ = try FileDescriptor.open(directory.path("link"), [.readOnly, .noFollow]).release()
        }
    }

    @Test func `resizes and synchronizes`() throws {
        let file = try open()
        try file.resize(toBytes: 1 << 20)
        try file.synchronize()
        let status = try file.status()
        #expect(status.kind == .regular)
        #expect(status.sizeBytes == 1 << 20)
        #expect(status.allocatedBytes == 0)
    }

    @Test func `allocates space and gives it back`() throws {
        let file = try open()
        try file.resize(toBytes: 1 << 20)
        if let error = failure({ () throws(Errno) in try file.allocate(0..<1 << 20) }) {
            // Some file systems do not know how.
            #expect(error == .notSupported)
            try Test.cancel("the file system of /tmp cannot allocate")
        }
        #expect(try file.status().allocatedBytes >= 1 << 20)
        try file.write([UInt8](repeating: 7, count: 1 << 20), at: 0)
        try file.punchHole(65536..<1 << 20)
        #expect(try file.read(1, at: 65535) == [7])
        #expect(try file.read(2, at: 65536) == [0, 0])
        #expect(try file.status().sizeBytes == 1 << 20)
        #expect(try file.status().allocatedBytes <= 131_072)
    }

    @Test func `several buffers are written behind one another`() throws {
        let file = try open()
        let first = AlignedBuffer(count: 4096)
        let second = AlignedBuffer(count: 8192)
        first.set(UInt64(1), at: 0)
        second.set(UInt64(2), at: 4096)
        try unsafe file.write(
            at: 4096,
            [
                UnsafeRawBufferPointer(first.slice(0..<4096)),
                UnsafeRawBufferPointer(second.slice(0..<0)),
                UnsafeRawBufferPointer(second.slice(0..<8192)),
            ]
        )
        #expect(try file.status().sizeBytes == 16384)
        #expect(try file.read(8, at: 4096) == [1, 0, 0, 0, 0, 0, 0, 0])
        #expect(try file.read(8, at: 12288) == [2, 0, 0, 0, 0, 0, 0, 0])
    }

    @Test func `a lock belongs to the open description`() throws {
        let first = try open()
        let second = try open()
        #expect(try !second.isLockedElsewhere())
        try first.lockExclusively()
        #expect(try second.isLockedElsewhere())
        #expect(try !first.isLockedElsewhere())
        #expect(failure { () throws(Errno) in try second.lockExclusively() } == Errno.again)
        try first.lockExclusively()
    }

    @Test func `shared locks exclude only exclusive ones`() throws {
        let first = try open()
        let second = try open()
        try first.lockShared()
        try second.lockShared()
        #expect(try !first.isLockedElsewhere())
        #expect(failure { () throws(Errno) in try first.lockExclusively() } == Errno.again)
        second.unlock()
        try first.lockExclusively()
        #expect(failure { () throws(Errno) in try second.lockShared() } == Errno.again)
    }

    @Test func `a lock ends with its description`() throws {
        let second = try open()
        do {
            let first = try open()
            try first.lockExclusively()
        }
        try second.lockExclusively()
        #expect(try !second.isLockedElsewhere())
    }

    @Test func `a regular file is no block device`() throws {
        let file = try open()
        let size = failure { () throws(Errno) in _ = try file.blockDeviceSize() }
        let sector = failure { () throws(Errno) in _ = try file.blockDeviceSectorSize() }
        let discard = failure { () throws(Errno) in try file.discardBlocks(0..<4096) }
        #expect(size == Errno(rawValue: ENOTTY))
        #expect(sector == Errno(rawValue: ENOTTY))
        #expect(discard != nil)
    }

    @Test func `tells of the file system`() throws {
        let status = try open().fileSystem()
        #expect(status.totalBytes >= status.freeBytes)
        #expect(status.blockSizeBytes > 0)
        #expect(status.magic != 0)
    }
}
