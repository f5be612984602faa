internal import CFooting
internal import Glibc

/// Descriptors that are waited for together: the kernel's messages on devices, and files that tell
/// when they change.
///
/// The corresponding kernel interfaces are `epoll(7)` and `netlink(7)`, NETLINK_KOBJECT_UEVENT.
public final class KernelWatch: Sendable {
    /// What is ready.
    public enum Source: Sendable, Equatable {
        /// The kernel told of a device: `ACTION@PATH`, then `KEY=VALUE`s, each ended by a NUL.
        case device([UInt8])
        /// Messages on devices were lost: anything may have changed.
        case lostDevices
        /// A file that was added, by its path.
        case file(String)
        /// The waiting was ended.
        case end
    }

    private struct State {
        var devices: Int32 = -1
        var files: [Int32: (path: String, isStream: Bool)] = [:]
    }

    private let set: Int32
    private let end: Int32
    private let state = Locked(State())

    /// Nothing to wait for yet.
    public init() throws(Errno) {
        let set = FileDescriptor(owning: try checked(footing_watch_set()))
        let end = FileDescriptor(owning: try checked(footing_event()))
        _ = try checked(footing_watch_add(set.number, end.number, 0))
        self.set = set.release()
        self.end = end.release()
    }

    deinit {
        let numbers = state.withLock { Array($0.files.keys) + [$0.devices, set, end] }
        for number in numbers where number >= 0 { _ = Glibc.close(number) }
    }

    /// Ends the waiting, now and from now on, from any thread.
    public func stop() {
        _ = footing_event_set(end)
    }

    /// Hears what the kernel tells of devices.
    public func addDevices() throws(Errno) {
        let socket = try checked(footing_kernel_events())
        let status = footing_watch_add(set, socket, 0)
        if status < 0 {
            _ = Glibc.close(socket)
            throw Errno(rawValue: -status)
        }
        state.withLock { $0.devices = socket }
    }

    /// Waits for a file that tells of changes by POLLPRI, as `/proc/self/mountinfo` does.
    public func addNotifier(_ path: String, of root: HostRoot) throws(Errno) {
        try add(path, try root.open(path), isUrgent: true, isStream: false)
    }

    /// Waits for what is written to a stream of records from now on, as `/dev/kmsg` has.
    public func addStream(_ path: String, of root: HostRoot) throws(Errno) {
        let file = try root.open(path)
        _ = try checked(footing_seek_end(file.number))
        try add(path, file, isUrgent: false, isStream: true)
    }

    private func add(
        _ path: String,
        _ file: consuming FileDescriptor,
        isUrgent: Bool,
        isStream: Bool
    ) throws(Errno) {
        _ = try checked(footing_watch_add(set, file.number, isUrgent ? 1 : 0))
        let number = file.release()
        state.withLock { $0.files[number] = (path, isStream) }
    }

    /// Waits for the next thing that is ready.
    ///
    /// - Parameter timeoutMilliseconds: the longest wait; 0 does not wait.
    /// - Returns: nil if nothing is in time. A stream's record is in the second value.
    public func next(
        timeoutMilliseconds: Int32
    ) throws(Errno) -> (source: Source, record: [UInt8])? {
        let number = footing_watch_next(set, timeoutMilliseconds)
        if number == -EAGAIN || number == -EINTR { return nil }
        _ = try checked(number)
        if number == end { return (.end, []) }
        var buffer = [UInt8](repeating: 0, count: 8192)
        if number == state.withLock({ $0.devices }) {
            let count = unsafe buffer.withUnsafeMutableBytes { bytes in
                unsafe footing_read_kernel_event(
                    number,
                    bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
                    bytes.count
                )
            }
            if count == -Int(ENOBUFS) { return (.lostDevices, []) }
            if count == -Int(EAGAIN) || count == -Int(EINTR) { return nil }
            return (.device(Array(buffer.prefix(try checked(count)))), [])
        }
        guard let file = state.withLock({ $0.files[number] }) else { return nil }
        guard file.isStream else { return (.file(file.path), []) }
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            unsafe footing_read(number, bytes.baseAddress, bytes.count)
        }
        // EPIPE: the kernel has overwritten records that nobody read; the next read goes on.
        if count == -Int(EPIPE) || count == -Int(EAGAIN) { return (.file(file.path), []) }
        if count <= 0 {
            forget(number)
            _ = try checked(count)
        }
        return (.file(file.path), Array(buffer.prefix(count)))
    }

    private func forget(_ number: Int32) {
        _ = footing_watch_remove(set, number)
        if state.withLock({ $0.files.removeValue(forKey: number) }) != nil {
            _ = Glibc.close(number)
        }
    }
}
