internal import CFooting
import Glibc

/// Stream sockets: Unix, and TCP on this machine only.
///
/// Nothing here can reach another machine, a cloud's metadata server excepted: a service that is
/// open to a network needs TLS, which a front end in front of this program provides.
public enum Socket {
    /// Which half of a connection ``shutDown(_:_:)`` ends.
    public enum Half: Sendable {
        /// Nothing more is received; what has arrived can still be read.
        case receiving
        /// Nothing more is sent; the peer sees the end of the stream.
        case sending
        /// Both; a thread that waits in either direction wakes up.
        case both
    }

    /// Listens on a Unix socket, mode 0600, at a path of at most 107 bytes.
    public static func listen(unixPath: String, backlog: Int32) throws(Errno) -> FileDescriptor {
        FileDescriptor(owning: try checked(unsafe footing_listen_unix(unixPath, backlog)))
    }

    /// Listens on 127.0.0.1, or on ::1.
    ///
    /// - Parameters:
    ///   - port: 0 lets the kernel choose; the one in use is stored here.
    ///   - isVersion6: ::1 instead of 127.0.0.1.
    ///   - backlog: connections that may wait for ``accept(_:)``.
    public static func listenOnLoopback(
        port: inout UInt16,
        isVersion6: Bool,
        backlog: Int32
    ) throws(Errno) -> FileDescriptor {
        FileDescriptor(
            owning: try checked(
                unsafe footing_listen_loopback(isVersion6 ? 6 : 4, &port, backlog)
            )
        )
    }

    /// Connects to a Unix socket.
    ///
    /// - Throws: `ECONNREFUSED` where the socket is stale: nobody listens.
    public static func connect(unixPath: String) throws(Errno) -> FileDescriptor {
        FileDescriptor(owning: try checked(unsafe footing_connect_unix(unixPath)))
    }

    /// Connects to 127.0.0.1.
    public static func connect(loopbackPort: UInt16) throws(Errno) -> FileDescriptor {
        FileDescriptor(owning: try checked(footing_connect_loopback(loopbackPort)))
    }

    /// Begins to connect to a cloud's metadata server, port 80; never waits.
    ///
    /// The socket does not block. It is ready for writing once it is connected or has failed;
    /// ``FileDescriptor/checkConnection()`` tells which.
    ///
    /// - Parameter metadataAddress: an IPv4 address in host byte order.
    /// - Throws: `EACCES`, with nothing sent, outside of 169.254.0.0/16 and 100.100.100.200;
    ///   `ENETUNREACH` where there is no route.
    public static func connect(metadataAddress: UInt32) throws(Errno) -> FileDescriptor {
        FileDescriptor(owning: try checked(footing_connect_metadata(metadataAddress, 80)))
    }

    /// Whether somebody listens at a Unix socket's path; never waits.
    ///
    /// - Returns: false for a stale socket.
    public static func isServed(unixPath: String) throws(Errno) -> Bool {
        let status = unsafe footing_probe_unix(unixPath)
        if status == -EAGAIN { return true }
        if status == -ECONNREFUSED { return false }
        _ = try checked(status)
        return true
    }

    /// Removes a socket's file.
    public static func remove(unixPath: String) throws(Errno) {
        if unsafe unlink(unixPath) < 0 { throw Errno.current }
    }

    /// Stands for the working directory where an open directory's number is asked for.
    public static var workingDirectory: Int32 { AT_FDCWD }

    /// A connected pair; the caller owns both numbers, as for `FileDescriptor(owning:)`.
    public static func pair() throws(Errno) -> (Int32, Int32) {
        var numbers: (Int32, Int32) = (-1, -1)
        let status = unsafe withUnsafeMutableBytes(of: &numbers) { bytes in
            unsafe footing_socket_pair(bytes.bindMemory(to: Int32.self).baseAddress)
        }
        _ = try checked(status)
        return numbers
    }

    /// Takes the next connection from a listener.
    ///
    /// - Throws: `EAGAIN` where none waits and the listener does not block; `EMFILE` and others
    ///   where the process or the machine has no room.
    public static func accept(_ listener: borrowing FileDescriptor) throws(Errno) -> FileDescriptor
    {
        let number = listener.number
        return FileDescriptor(owning: try retrying { footing_accept(number) })
    }

    /// Ends a connection, or half of it, for every holder of the descriptor.
    public static func shutDown(_ socket: borrowing FileDescriptor, _ half: Half) {
        let how: Int =
            switch half {
            case .receiving: Int(SHUT_RD)
            case .sending: Int(SHUT_WR)
            case .both: Int(SHUT_RDWR)
            }
        // Fails only where the peer is gone already, which is what the caller wants.
        _ = Glibc.shutdown(socket.number, Int32(how))
    }
}

// MARK: - Connections

extension FileDescriptor {
    /// Receives what has arrived, at least one byte.
    ///
    /// - Parameters:
    ///   - buffer: where to; not empty.
    ///   - waits: whether to wait for the first byte, up to the socket's time limit.
    /// - Returns: the bytes received; 0 at the end of the stream.
    /// - Throws: `EAGAIN` where nothing has arrived (in time).
    public func receive(
        into buffer: UnsafeMutableRawBufferPointer,
        waits: Bool
    ) throws(Errno) -> Int {
        let number = number
        return try retrying {
            unsafe footing_receive(number, buffer.baseAddress, buffer.count, waits ? 0 : 1)
        }
    }

    /// Bytes that have arrived and that ``receive(into:waits:)`` would give at once (`FIONREAD`).
    ///
    /// 0 also at the end of the stream.
    public func receivableBytes() throws(Errno) -> Int {
        Int(try checked(footing_receivable(number)))
    }

    /// Sends as much as the socket takes.
    ///
    /// - Parameters:
    ///   - bytes: what to send; not empty.
    ///   - waits: whether to wait for room, up to the socket's time limit.
    /// - Returns: the bytes sent, possibly fewer than there are.
    /// - Throws: `EAGAIN` where there is no room (in time), `EPIPE` where the peer is gone.
    public func send(_ bytes: UnsafeRawBufferPointer, waits: Bool) throws(Errno) -> Int {
        let number = number
        return try retrying {
            unsafe footing_send(number, bytes.baseAddress, bytes.count, waits ? 0 : 1)
        }
    }

    /// Sends as much of several buffers, one behind the other, as the socket takes.
    ///
    /// - Parameters:
    ///   - parts: what to send; not all of them empty; at most 1024 of them are sent.
    ///   - waits: whether to wait for room, up to the socket's time limit.
    /// - Returns: the bytes sent, possibly fewer than there are.
    /// - Throws: `EAGAIN` where there is no room (in time), `EPIPE` where the peer is gone.
    public func send(_ parts: ArraySlice<UnsafeRawBufferPointer>, waits: Bool) throws(Errno) -> Int
    {
        let number = number
        var vectors = unsafe parts.prefix(1024).map {
            unsafe iovec(
                iov_base: UnsafeMutableRawPointer(mutating: $0.baseAddress),
                iov_len: $0.count
            )
        }
        return try retrying {
            unsafe footing_send_parts(number, &vectors, vectors.count, waits ? 0 : 1)
        }
    }

    /// Waits until the socket is ready for reading or writing, or has failed.
    ///
    /// - Parameter timeoutMilliseconds: the longest wait; -1 is for ever.
    /// - Returns: false if the time ran out or a signal came.
    public func waitUntilReady(
        for interest: Event.Interest,
        timeoutMilliseconds: Int32
    ) throws(Errno) -> Bool {
        let status = footing_poll(number, interest.pollEvents, -1, timeoutMilliseconds)
        return status == -EINTR ? false : try checked(status) != 0
    }

    /// Throws what a connection ended with (`SO_ERROR`), and forgets it.
    public func checkConnection() throws(Errno) {
        _ = try checked(footing_socket_error(number))
    }

    /// Limits how long ``receive(into:waits:)`` and ``send(_:waits:)`` wait; 0 is for ever.
    public func setTimeouts(
        receiveMilliseconds: Int32,
        sendMilliseconds: Int32
    ) throws(Errno) {
        _ = try checked(
            footing_socket_timeouts(number, receiveMilliseconds, sendMilliseconds)
        )
    }

    /// Asks for kernel buffers of a size; the machine's limits cut it.
    public func setSocketBuffers(sendBytes: Int32, receiveBytes: Int32) throws(Errno) {
        _ = try checked(footing_socket_buffers(number, sendBytes, receiveBytes))
    }

    /// Sends small messages at once (`TCP_NODELAY`); a Unix socket always does.
    public func setNoDelay() throws(Errno) {
        _ = try checked(footing_no_delay(number))
    }

    /// Makes calls fail with `EAGAIN` instead of waiting, for every holder of the description.
    public func setNonBlocking(_ isOn: Bool) throws(Errno) {
        _ = try checked(footing_set_nonblocking(number, isOn ? 1 : 0))
    }

    /// Takes the advisory lock of `flock(2)` on a file or directory; ends with the description.
    ///
    /// - Throws: `EAGAIN` if another description holds it.
    public func lockAdvisory() throws(Errno) {
        _ = try checked(footing_flock(number))
    }
}
