import FootingSystem
import Glibc

/// A path for a file of a test, and a way to be rid of it.
struct TemporaryFile: Sendable {
    let path: String

    /// - Parameter directory: where; `/dev/shm` is tmpfs, the working directory a real file system.
    init(in directory: String = ".") {
        var random = SystemRandomNumberGenerator()
        path = "\(directory)/footing-test-\(hexadecimal(random.next(), digits: 16))"
    }

    /// Directories to test in: a real file system, and one without direct I/O.
    static let directories = ([".", "/dev/shm"] as [String]).filter {
        unsafe access($0, W_OK) == 0
    }

    func remove() {
        FileDescriptor.remove(path)
    }

    /// Copies the file, as a crash of the process would leave it.
    func copy(to other: TemporaryFile) throws(Errno) {
        let source = try FileDescriptor.open(path, .readOnly)
        let target = try FileDescriptor.open(other.path, [.readWrite, .create, .exclusive])
        let size = try source.status().sizeBytes
        try target.resize(toBytes: size)
        let buffer = AlignedBuffer(count: 1 << 20)
        var offset: UInt64 = 0
        while offset < size {
            let count = try unsafe source.read(at: offset, into: buffer.slice(0..<buffer.count))
            let bytes = unsafe UnsafeRawBufferPointer(buffer.slice(0..<count))
            try unsafe target.write(at: offset, bytes)
            offset += UInt64(count)
        }
    }
}
