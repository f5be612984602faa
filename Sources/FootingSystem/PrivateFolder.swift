internal import CFooting
import Glibc

/// A folder that only its owner may enter.
public enum PrivateFolder {
    /// Makes one, unless it is there.
    ///
    /// - Throws: `EPERM` if what is there belongs to somebody else, or others may enter it;
    ///   `ENOTDIR` if it is no folder, or a link to one.
    public static func create(_ path: String) throws(Errno) {
        if unsafe mkdir(path, 0o700) == 0 { return }
        guard Errno.current == .fileExists else { throw Errno.current }
        try check(path)
    }

    /// Makes one, and the folders above it that are missing.
    ///
    /// - Throws: as ``create(_:)``.
    public static func createWithParents(_ path: String) throws(Errno) {
        var end = path.utf8.startIndex
        while let slash = path.utf8[end...].firstIndex(of: UInt8(ascii: "/")) {
            end = path.utf8.index(after: slash)
            let parent = String(path[..<slash])
            if parent.isEmpty || end == path.utf8.endIndex { continue }
            if unsafe mkdir(parent, 0o700) < 0, Errno.current != .fileExists {
                throw Errno.current
            }
        }
        try create(path)
    }

    /// Makes a new one for files that do not outlive this process.
    ///
    /// - Returns: its path, below `/tmp`.
    public static func createTemporary() throws(Errno) -> String {
        var random = SystemRandomNumberGenerator()
        let path = "/tmp/footing-" + hexadecimal(random.next(), digits: 16)
        guard unsafe mkdir(path, 0o700) == 0 else { throw Errno.current }
        return path
    }

    /// Removes an empty one.
    public static func remove(_ path: String) {
        _ = unsafe rmdir(path)
    }

    /// Opens one: what is then done in it by its number is done there, whatever is renamed.
    ///
    /// - Throws: as ``create(_:)``, and `ENOENT` where nothing is.
    public static func open(_ path: String) throws(Errno) -> FileDescriptor {
        FileDescriptor(owning: try checked(unsafe footing_open_private_folder(path)))
    }

    /// Makes sure that an open file is one that nobody else can have made or changed.
    ///
    /// - Throws: `EPERM` if it belongs to somebody else, others may write it, it has other names,
    ///   or is no regular file.
    public static func checkOwn(_ file: borrowing FileDescriptor) throws(Errno) {
        _ = try checked(footing_check_own_file(file.number))
    }

    /// Makes sure that a folder is one.
    ///
    /// - Throws: as ``create(_:)``, and `ENOENT` where nothing is.
    public static func check(_ path: String) throws(Errno) {
        _ = try checked(unsafe footing_check_private_folder(path))
    }
}

/// Who this process is.
public enum ProcessIdentity {
    /// The effective user's number; 0 is root.
    public static var userNumber: UInt32 { geteuid() }
    /// The process's number.
    public static var number: Int32 { getpid() }
}
