internal import FootingSystem
internal import Glibc

/// A small text that is read again and again, from a file that stays open.
///
/// The kernel writes the files of `/proc`, `/sys` and control groups anew for each read at the
/// start. A recording has no files to keep open, and is asked each time.
final class SampledFile: Sendable {
    /// `/proc/vmstat` of a machine with many processors has some 6 KiB, all else less.
    static let sizeMaximumBytes = 16384

    let path: String
    private let root: HostRoot
    /// The open file's number; none (-1) for a recording.
    let number: Int32
    private let owner: FileDescriptor?

    init(_ path: String, _ root: HostRoot) throws(Errno) {
        self.path = path
        self.root = root
        do throws(Errno) {
            let opened = try root.open(path)
            number = opened.number
            owner = consume opened
        } catch {
            guard error == Errno(rawValue: EBADF) else { throw error }
            // EBADF: a recording. It must have the file.
            _ = try root.firstBytes(path, count: 1)
            number = -1
            owner = nil
        }
    }

    /// The text, read into a buffer that is used again.
    ///
    /// A read of a long `/proc` file ends at a line after about 4 KiB: it is read on, until there
    /// is no more or `isEnough` says so.
    ///
    /// - Throws: `ENODEV` where the group or the device is gone.
    func read(
        into buffer: inout [UInt8],
        until isEnough: (ArraySlice<UInt8>) -> Bool = { _ in true }
    ) throws(Errno) -> ArraySlice<UInt8> {
        if buffer.count < Self.sizeMaximumBytes {
            buffer = [UInt8](repeating: 0, count: Self.sizeMaximumBytes)
        }
        guard number >= 0 else {
            let bytes = try root.firstBytes(path, count: Self.sizeMaximumBytes)
            return bytes[...]
        }
        var length = 0
        while length < Self.sizeMaximumBytes {
            let count = try readOnce(&buffer, at: length)
            length += count
            if count == 0 || isEnough(buffer[..<length]) { break }
        }
        return buffer[..<length]
    }

    private func readOnce(_ buffer: inout [UInt8], at offset: Int) throws(Errno) -> Int {
        let number = number
        let result: Result<Int, Errno> = unsafe buffer.withUnsafeMutableBytes { bytes in
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[offset...])
            while true {
                let count = unsafe pread(number, rest.baseAddress, rest.count, off_t(offset))
                if count >= 0 { return .success(count) }
                let error = Errno.current
                if error != .interrupted { return .failure(error) }
            }
        }
        return try result.get()
    }
}
