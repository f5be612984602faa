public import FootingSystem

/// The folder of the control sockets of this user's running disks.
///
/// A disk's socket is named by the container's device and inode, so that every path that leads to
/// the container finds it. Only the user may enter the folder; a folder of somebody else, or one
/// that others may write, is refused: a process of theirs could answer there.
public struct ControlFolder: Sendable {
    /// The folder's path.
    public let path: String

    /// A folder at a path, for tests and for people who chose one.
    public init(path: String) { self.path = path }

    /// The user's: `FOOTING_RUNTIME_DIR`, else `/run/footing` for root, else `footing` below
    /// `XDG_RUNTIME_DIR`, else `/tmp/footing-UID`.
    public static func user() -> ControlFolder {
        if let chosen = Environment.value("FOOTING_RUNTIME_DIR"), !chosen.isEmpty {
            return ControlFolder(path: chosen)
        }
        let user = ProcessIdentity.userNumber
        if user == 0 { return ControlFolder(path: "/run/footing") }
        if let runtime = Environment.value("XDG_RUNTIME_DIR"), runtime.utf8.first == 47 {
            return ControlFolder(path: runtime + "/footing")
        }
        return ControlFolder(path: "/tmp/footing-\(user)")
    }

    /// Asks who serves a container.
    ///
    /// - Parameters:
    ///   - command: what to do.
    ///   - arguments: what the command takes; null where it takes nothing.
    ///   - container: a path that leads to it.
    ///   - seconds: how long the answer may take.
    /// - Throws: ``ControlError/Kind/notServed`` where nobody does, ``ControlError/Kind/unusable``
    ///   if the folder is not the user's own, and what else goes wrong.
    public func ask(
        _ command: String,
        _ arguments: JSONValue = .null,
        ofContainer container: String,
        seconds: UInt64 = 2
    ) throws(ControlError) -> JSONValue {
        let socket: String
        do throws(Errno) {
            socket = try self.socket(ofContainer: container)
        } catch {
            throw ControlError(.unusable, "cannot look at the container", cause: error)
        }
        do throws(Errno) { try PrivateFolder.check(path) } catch {
            let isAbsent = error == .noSuchFile
            throw ControlError(isAbsent ? .notServed : .unusable, "folder \(path)", cause: error)
        }
        return try ControlClient.ask(command, arguments, at: socket, seconds: seconds)
    }

    /// Makes the folder, unless it is there.
    ///
    /// - Throws: `EPERM` if it is not the user's own; what `mkdir(2)` gives otherwise.
    public func create() throws(Errno) {
        try PrivateFolder.create(path)
    }

    /// A server for a container's socket, which listens and does not answer yet.
    ///
    /// - Parameters:
    ///   - container: the container, whose lock the caller holds.
    ///   - answer: called by the server's thread.
    public func server(
        forContainer container: String,
        answer: @escaping ControlServer.Answer
    ) throws(ControlError) -> ControlServer {
        let socket: String
        do throws(Errno) {
            try create()
            socket = try self.socket(ofContainer: container)
        } catch {
            throw ControlError(.unusable, "cannot use \(path)", cause: error)
        }
        return try ControlServer(path: socket, answer: answer)
    }

    /// The socket of a container.
    ///
    /// - Throws: what keeps the container from being looked at, `ENOENT` if there is none.
    public func socket(ofContainer container: String) throws(Errno) -> String {
        let status = try FileStatus(
            directory: Socket.workingDirectory,
            path: container,
            followsLink: true
        )
        // A device is the same through every node of it.
        let isDevice = status.kind == .blockDevice
        let device = isDevice ? status.device : status.fileSystemDevice
        let name = "\(device.major)-\(device.minor)" + (isDevice ? "" : "-\(status.inode)")
        return "\(path)/\(name).sock"
    }

    /// The sockets that are there, sorted by name; a server that was killed leaves its own behind.
    ///
    /// - Throws: `EPERM` if the folder is not the user's own: anybody could answer there.
    public func sockets() throws(Errno) -> [String] {
        do throws(Errno) {
            try PrivateFolder.check(path)
            let root = try HostRoot(path: path)
            return try root.names(".").filter { $0.hasSuffix(".sock") }.map { "\(path)/\($0)" }
        } catch {
            if error == .noSuchFile { return [] }
            throw error
        }
    }
}
