internal import FootingSystem

/// A socket that clients connect to, and the file it leaves behind.
final class Listener: Sendable {
    /// A Unix socket's file, by path and identity: the path may be somebody else's by the end.
    struct SocketFile: Sendable {
        let path: String
        let device: FileStatus.Device
        let inode: UInt64
    }

    /// How many connections wait while the server is busy accepting others.
    static let backlog: Int32 = 128

    let descriptor: FileDescriptor
    private let file: SocketFile?

    private init(_ descriptor: consuming FileDescriptor, file: SocketFile?) throws(Errno) {
        // A client that is gone again must not make `accept` wait for the next one.
        try descriptor.setNonBlocking(true)
        self.descriptor = descriptor
        self.file = file
    }

    /// Removes the socket's file, if it is still this listener's.
    func removeFile() {
        guard let file, let status = Self.status(file.path), status.inode == file.inode,
            status.fileSystemDevice == file.device
        else { return }
        try? Socket.remove(unixPath: file.path)
    }

    private static func status(_ path: String) -> FileStatus? {
        try? FileStatus(directory: Socket.workingDirectory, path: path, followsLink: false)
    }

    // MARK: - Unix

    static func unix(_ path: String) throws(NBDError) -> Listener {
        // Two servers that start at once must not both find the same stale socket: one would take
        // away the other's new one. The lock ends with this call, also by a crash.
        let lock = lockDirectory(of: path)
        defer { withExtendedLifetime(lock) {} }
        try clear(path)
        do throws(Errno) {
            let descriptor = try Socket.listen(unixPath: path, backlog: backlog)
            let file = status(path).map {
                SocketFile(path: path, device: $0.fileSystemDevice, inode: $0.inode)
            }
            return try Listener(descriptor, file: file)
        } catch {
            throw NBDError(.systemCall, "cannot listen at \(path)", cause: error)
        }
    }

    /// Makes way: removes a socket that nobody listens at, and nothing else.
    private static func clear(_ path: String) throws(NBDError) {
        guard let status = status(path) else { return }
        guard status.kind == .socket else {
            throw NBDError(
                .pathOccupied,
                "\(path) is there and not a socket; choose another path or remove it"
            )
        }
        do throws(Errno) {
            guard try !Socket.isServed(unixPath: path) else {
                throw Errno.fileExists
            }
            try Socket.remove(unixPath: path)
        } catch {
            if error == .fileExists {
                throw NBDError(.alreadyServed, "another process serves at \(path); stop it first")
            }
            if error == .noSuchFile { return }
            throw NBDError(.systemCall, "cannot take over the socket \(path)", cause: error)
        }
    }

    private final class Lock: Sendable {
        let descriptor: FileDescriptor
        init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
    }

    /// - Returns: nil where the directory cannot be locked; taking over is then merely less safe.
    private static func lockDirectory(of path: String) -> Lock? {
        var directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        if directory.isEmpty { directory = "/" }
        do throws(Errno) {
            let lock = Lock(try FileDescriptor.open(directory, [.readOnly, .directory]))
            let clock = SystemClock()
            let deadline = clock.nanoseconds + 1_000_000_000
            let pause = try Event()
            while clock.nanoseconds < deadline {
                do throws(Errno) {
                    try lock.descriptor.lockAdvisory()
                    return lock
                } catch {
                    guard error == .again else { return nil }
                    _ = try pause.wait(for: .nothing, descriptor: -1, timeoutMilliseconds: 5)
                }
            }
            return nil
        } catch {
            return nil
        }
    }

    // MARK: - TCP

    static func loopback(_ address: String, port: inout UInt16) throws(NBDError) -> Listener {
        guard ["127.0.0.1", "::1", "localhost"].contains(address) else {
            throw NBDError(
                .addressRefused,
                "will not listen on \(address): NBD over TCP has no encryption and no password,"
                    + " so only 127.0.0.1 and ::1 are served; put a TLS front end before it"
            )
        }
        do throws(Errno) {
            let descriptor = try Socket.listenOnLoopback(
                port: &port,
                isVersion6: address == "::1",
                backlog: backlog
            )
            return try Listener(descriptor, file: nil)
        } catch {
            throw NBDError(.systemCall, "cannot listen on \(address) port \(port)", cause: error)
        }
    }
}

extension Server {
    /// Listens on a Unix socket that only this user may connect to.
    ///
    /// A socket that a crashed server left behind is replaced. One that somebody listens at is not
    /// (``NBDError/Kind/alreadyServed``), nor any other file (``NBDError/Kind/pathOccupied``).
    public func listen(unixPath: String) throws(NBDError) {
        add(try Listener.unix(unixPath))
    }

    /// Listens on this machine's own TCP address.
    ///
    /// - Parameters:
    ///   - port: 10809 is the one registered for NBD; 0 lets the kernel choose.
    ///   - address: `127.0.0.1`, `::1` or `localhost`; every other is refused.
    /// - Returns: the port in use.
    @discardableResult
    public func listen(port: UInt16, address: String = "127.0.0.1") throws(NBDError) -> UInt16 {
        var port = port
        add(try Listener.loopback(address, port: &port))
        return port
    }

    private func add(_ listener: Listener) {
        state.withLock { $0.listeners.append(listener) }
        // The accepting thread looks at the listeners anew.
        stopEvent.set()
    }
}
