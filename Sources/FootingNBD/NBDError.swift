public import FootingSystem

/// Why the server could not do what its owner asked.
///
/// Clients never see it: they get the errors of the protocol.
public struct NBDError: Error, Sendable, CustomStringConvertible {
    /// What went wrong; small and stable, so that programs can tell cases apart.
    public enum Kind: String, Sendable {
        /// A configuration or an export that makes no sense.
        case invalidConfiguration
        /// Not an address of this machine's loopback.
        case addressRefused
        /// Somebody else serves at this path.
        case alreadyServed
        /// Something that is not a socket is at this path.
        case pathOccupied
        /// As many clients as may be are connected already.
        case connectionRefused
        /// The kernel refused.
        case systemCall
        /// The server could not stop in time; what was unfinished is in the message.
        case deadlinePassed
        /// The export could not make its data durable.
        case flushFailed
    }

    /// What went wrong.
    public let kind: Kind
    /// What failed, on what, and what to do.
    public let message: String
    /// The kernel's reason, where there is one.
    public let cause: Errno?

    /// An error with its context.
    public init(_ kind: Kind, _ message: String, cause: Errno? = nil) {
        self.kind = kind
        self.message = message
        self.cause = cause
    }

    /// The message and the kernel's reason.
    public var description: String {
        guard let cause else { return message }
        return "\(message): \(cause)"
    }
}
