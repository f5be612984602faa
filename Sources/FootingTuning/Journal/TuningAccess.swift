public import FootingSystem
internal import Glibc

/// Reads and writes attributes: the machine's, or a test's.
public protocol TuningAccess: Sendable {
    /// The text of an attribute, without white space at its ends.
    func read(_ path: String) throws(Errno) -> String
    /// Gives an attribute another value.
    func write(_ path: String, _ value: String) throws(Errno)
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
}
