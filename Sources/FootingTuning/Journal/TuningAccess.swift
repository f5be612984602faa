public import FootingSystem
internal import Glibc

/// Reads and writes attributes: the machine's, or a test's.
public protocol TuningAccess: Sendable {
    /// The text of an attribute, without white space at its ends.
    func read(_ path: String) throws(Errno) -> String
    /// Gives an attribute another value.
    func write(_ path: String, _ value: String) throws(Errno)
    /// Whether a container's file has an attribute: `set` or `clear`.
    ///
    /// - Throws: `ENOENT` where that container is no longer at its path.
    func read(_ attribute: FileAttribute, of file: FileIdentity) throws(Errno) -> String
    /// Gives a container's file an attribute, or takes it.
    func write(
        _ attribute: FileAttribute,
        of file: FileIdentity,
        _ value: String
    ) throws(Errno)
}

/// The attributes below a root; in a tree of files no link leads out of it.
public struct RootAccess: TuningAccess {
    private let root: HostRoot

    /// Those of a machine.
    public init(_ root: HostRoot) {
        self.root = root
    }

    /// The text of an attribute, without white space at its ends.
    public func read(_ path: String) throws(Errno) -> String {
        try root.attribute(path)
    }

    /// Writes in one call, as sysfs wants it; a file of a tree is cut to its new length.
    public func write(_ path: String, _ value: String) throws(Errno) {
        let cut = FileDescriptor.Options(rawValue: O_TRUNC)
        try root.open(path, [.writeOnly, cut]).write(value + "\n")
    }

    /// Asks the file system, of the open file that was seen to be the container.
    public func read(
        _ attribute: FileAttribute,
        of file: FileIdentity
    ) throws(Errno) -> String {
        let flags = try ContainerState.open(file, root).fileFlags()
        return flags.contains(attribute.flag) ? FileAttribute.set : FileAttribute.clear
    }

    /// Changes that one attribute of the open file that was seen to be the container.
    public func write(
        _ attribute: FileAttribute,
        of file: FileIdentity,
        _ value: String
    ) throws(Errno) {
        let container = try ContainerState.open(file, root)
        var flags = try container.fileFlags()
        switch value {
        case FileAttribute.set: flags.insert(attribute.flag)
        case FileAttribute.clear: flags.remove(attribute.flag)
        default: throw .invalidArgument
        }
        try container.setFileFlags(flags)
        // A journal that says it is so, or that is gone by then, must not be newer than the file.
        try container.synchronizeAttributes()
    }
}
