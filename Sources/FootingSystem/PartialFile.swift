/// A file that gets its name when it is complete.
///
/// Until then it is `NAME.partial-` and sixteen random digits beside it. So two who make the same
/// file never touch each other's, nor anything that somebody else called so; the one that is first
/// gets the name. A program that is killed leaves its file behind, for the user to remove; what
/// SIGINT, SIGTERM and SIGHUP do, ``UnfinishedFile`` tells.
public struct PartialFile: ~Copyable {
    /// The name it is to have.
    public let path: String
    /// The name it has.
    public let partialPath: String
    private var isComplete = false
    private let mark: UnfinishedFile

    /// Makes sure that the name is free; the caller makes the file, at ``partialPath``.
    ///
    /// - Throws: `EEXIST` if there is a file of the name.
    public init(path: String) throws(Errno) {
        self.path = path
        var random = SystemRandomNumberGenerator()
        partialPath = path + ".partial-" + hexadecimal(random.next(), digits: 16)
        // Before anything is there: nobody else has the name.
        mark = UnfinishedFile(partialPath)
        if Self.isThere(path) { throw .fileExists }
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
