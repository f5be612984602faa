/// A file that gets its name when it is complete.
///
/// Until then it is `NAME.partial` beside it, which a program that was killed leaves behind; the
/// next attempt takes that away, unless somebody holds its lock.
public struct PartialFile: ~Copyable {
    /// The name it is to have.
    public let path: String
    /// The name it has.
    public let partialPath: String
    private var isComplete = false

    /// Makes sure that both names are free.
    ///
    /// - Throws: `EEXIST` if there is a file of the final name, `EAGAIN` if somebody is at the
    ///   partial one.
    public init(path: String) throws(Errno) {
        self.path = path
        partialPath = path + ".partial"
        if Self.isThere(path) { throw .fileExists }
        guard Self.isThere(partialPath) else { return }
        let remains = try FileDescriptor.open(partialPath, [.readWrite, .noFollow])
        guard try remains.status().kind == .regular else { throw .fileExists }
        try remains.lockExclusively()
        FileDescriptor.remove(partialPath)
    }

    private static func isThere(_ path: String) -> Bool {
        do throws(Errno) {
            _ = try FileStatus(
                directory: Socket.workingDirectory,
                path: path,
                followsLink: false
            )
            return true
        } catch {
            return error != .noSuchFile
        }
    }

    /// Gives the file its name, durably; its content must be so already.
    ///
    /// - Throws: `EEXIST` if somebody else has taken the name meanwhile.
    public mutating func complete() throws(Errno) {
        try FileDescriptor.rename(partialPath, toNew: path)
        isComplete = true
        try FileDescriptor.synchronizeDirectory(of: path)
    }

    deinit {
        if !isComplete { FileDescriptor.remove(partialPath) }
    }
}
