internal import CFooting

/// The signals that ask a server to end: SIGTERM, SIGINT and SIGHUP.
public struct StopSignals: ~Copyable, Sendable {
    private let descriptor: FileDescriptor

    /// Blocks them in this thread and all that it starts later, and ignores SIGPIPE.
    public init() throws(Errno) {
        descriptor = FileDescriptor(owning: try checked(footing_stop_signals()))
    }

    /// Whether one of them has come, without waiting for it or taking it.
    public var hasCome: Bool { footing_poll(descriptor.number, FOOTING_POLL_READ, -1, 0) & 1 == 1 }

    /// Waits for one of them.
    ///
    /// - Returns: its name.
    public func wait() throws(Errno) -> String {
        let number = try retrying { footing_read_signal(descriptor.number) }
        return switch number {
        case 1: "SIGHUP"
        case 2: "SIGINT"
        case 15: "SIGTERM"
        default: "signal \(number)"
        }
    }
}
