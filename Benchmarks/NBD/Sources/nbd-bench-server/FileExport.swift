import FootingNBD
import FootingSystem
import Glibc

/// A plain file through the page cache, as nbdkit's file plugin serves it.
final class FileExport: Export {
    let name = ""
    let isReadOnly = false
    let sizeBytes: UInt64
    private let file: FileDescriptor

    init(path: String) throws {
        file = try FileDescriptor.open(path, .readWrite)
        sizeBytes = try file.status().sizeBytes
    }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) {
        guard unsafe try file.read(at: offset, into: buffer) == buffer.count else {
            throw .inputOutput
        }
    }

    func readWithoutWaiting(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Bool {
        do throws(Errno) {
            return unsafe try file.readWithoutWaiting(at: offset, into: buffer) == buffer.count
        } catch {
            if error == .again || error == .notSupported { return false }
            throw error
        }
    }

    func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        unsafe try file.write(at: offset, bytes)
    }

    func writeZeroes(_ range: Range<UInt64>, keepsSpace: Bool) throws(Errno) {
        try file.punchHole(range)
    }

    func zeroingIsFast(keepsSpace: Bool) -> Bool { !keepsSpace }

    func trim(_ range: Range<UInt64>) throws(Errno) { try file.punchHole(range) }

    func flush(_ completion: @escaping @Sendable (Errno?) -> Void) {
        completion(fdatasync(file.number) == 0 ? nil : Errno.current)
    }

    func extents(_ range: Range<UInt64>, limit: Int) throws(Errno) -> [Extent] {
        [Extent(lengthBytes: UInt64(range.count), kind: .data)]
    }

    func cache(_ range: Range<UInt64>) throws(Errno) {}
}
