internal import FootingSystem

/// Files that people name and that are read as a whole.
enum SmallFile {
    /// The first bytes of a regular file; as many as asked for mean that there may be more.
    ///
    /// - Throws: `ENXIO` for what is no regular file: neither what would wait for a peer nor what
    ///   only a driver answers is read.
    static func beginning(_ path: String, bytes count: Int) throws(Errno) -> [UInt8] {
        let file = try FileDescriptor.open(path, [.readOnly, .nonBlocking, .noTerminal])
        guard try file.status().kind == .regular else { throw .noDevice }
        var bytes = [UInt8](repeating: 0, count: count)
        let found: Result<Int, Errno> = unsafe bytes.withUnsafeMutableBytes { buffer in
            do throws(Errno) {
                return .success(try unsafe file.read(at: 0, into: buffer))
            } catch {
                return .failure(error)
            }
        }
        return Array(bytes.prefix(try found.get()))
    }
}
