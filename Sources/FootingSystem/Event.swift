internal import CFooting
import Glibc

/// A flag that wakes a thread out of ``wait(for:descriptor:timeoutMilliseconds:)``.
///
/// The corresponding kernel interface is `eventfd(2)`.
public struct Event: ~Copyable, Sendable {
    /// What to wait for on the descriptor beside the event.
    public enum Interest: Sendable {
        /// Only an error, or that the peer is gone.
        case nothing
        /// Bytes to read, a connection to accept, or the end of the stream.
        case readable
        /// Room to write.
        case writable

        var pollEvents: Int32 {
            switch self {
            case .nothing: FOOTING_POLL_NOTHING
            case .readable: FOOTING_POLL_READ
            case .writable: FOOTING_POLL_WRITE
            }
        }
    }

    /// What happened.
    public struct Readiness: OptionSet, Sendable {
        /// The bits.
        public let rawValue: Int32

        /// Wraps the bits.
        public init(rawValue: Int32) { self.rawValue = rawValue }

        /// The descriptor is ready, or has an error.
        public static let descriptor = Readiness(rawValue: 1)
        /// The event was set; it stays so until ``Event/clear()``.
        public static let event = Readiness(rawValue: 2)
    }

    private let descriptor: FileDescriptor

    /// An event that is not set.
    public init() throws(Errno) {
        descriptor = FileDescriptor(owning: try checked(footing_event()))
    }

    /// The same event once more: set by one, it is set for both.
    public func copy() throws(Errno) -> Event {
        Event(descriptor: FileDescriptor(owning: try checked(footing_duplicate(descriptor.number))))
    }

    private init(descriptor: consuming FileDescriptor) {
        self.descriptor = descriptor
    }

    /// The descriptor, which is readable while the event is set.
    public var number: Int32 { descriptor.number }

    /// Sets it, and wakes a thread that waits; any thread may.
    public func set() {
        // EAGAIN: set 2^64 - 2 times already, which wakes the thread just as well.
        _ = footing_event_set(descriptor.number)
    }

    /// Unsets it.
    public func clear() {
        _ = footing_event_clear(descriptor.number)
    }

    /// Waits for a descriptor or the event.
    ///
    /// - Parameters:
    ///   - interest: what to wait for on the descriptor.
    ///   - number: the descriptor, or -1 to wait for the event only.
    ///   - timeoutMilliseconds: the longest wait; -1 is for ever.
    /// - Returns: what is ready; empty if the time ran out or a signal came.
    public func wait(
        for interest: Interest,
        descriptor number: Int32,
        timeoutMilliseconds: Int32
    ) throws(Errno) -> Readiness {
        let status = footing_poll(
            number,
            interest.pollEvents,
            descriptor.number,
            timeoutMilliseconds
        )
        if status == -EINTR { return [] }
        return Readiness(rawValue: try checked(status))
    }
}
