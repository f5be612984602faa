internal import FootingDisk
public import FootingSystem
internal import Glibc

/// A disk's container in a file: where it was, and which disk it is.
public struct FileIdentity: Sendable, Hashable {
    /// The path, as it was resolved.
    public let path: String
    /// The UUID in the container.
    public let disk: String
}

/// What of a container's file is ever changed.
public enum FileAttribute: String, Sendable, CaseIterable {
    /// `chattr +j`: the file's data goes through the file system's journal (`FS_JOURNAL_DATA_FL`).
    case dataJournal = "data-journal"

    var flag: FileFlags {
        switch self {
        case .dataJournal: .journalData
        }
    }

    /// The value of an attribute that a file has.
    static let set = "set"
    /// The value of one that it does not have.
    static let clear = "clear"
}

/// What is at the path that a disk is to have.
public enum ContainerState: Sendable, Equatable {
    /// A container that this program can open, with its UUID and its attributes.
    ///
    /// Those are nil where the file system has none.
    case container(disk: String, flags: FileFlags?)
    /// A file that is no container, and why; or one that this program does not know.
    case foreign(String)
    /// Nothing, a folder or a device.
    case none
    /// It cannot be looked at.
    case hidden(Errno)

    /// Looks at a path of a machine.
    ///
    /// A device, a FIFO or a socket is not opened: that would ask whoever is behind it.
    init(_ path: String, _ root: HostRoot) {
        do throws(Errno) {
            guard try root.status(path).kind == .regular else {
                self = .none
                return
            }
            let file = try Self.open(path, root)
            switch try DiskMark.read(file) {
            case .disk(let identifier):
                self = .container(disk: identifier.description, flags: try? file.fileFlags())
            case .none(let reason): self = .foreign(reason)
            }
        } catch {
            switch error {
            case .noSuchFile, .notDirectory: self = .none
            // A recording has no files to open.
            case Errno(rawValue: EBADF): self = .none
            default: self = .hidden(error)
            }
        }
    }

    /// Opens a regular file, and nothing else.
    static func open(_ path: String, _ root: HostRoot) throws(Errno) -> FileDescriptor {
        let file = try root.open(path, [.readOnly, .nonBlocking, .noTerminal])
        // What was looked at may have been replaced meanwhile.
        guard try file.status().kind == .regular else { throw .noDevice }
        return file
    }

    /// Opens the container of a disk: what else is at the path is not touched.
    ///
    /// - Throws: `ENOENT` where another file, or none, is at its path.
    static func open(_ identity: FileIdentity, _ root: HostRoot) throws(Errno) -> FileDescriptor {
        let file = try open(identity.path, root)
        guard case .disk(let found) = try DiskMark.read(file), found.description == identity.disk
        else { throw .noSuchFile }
        return file
    }
}
