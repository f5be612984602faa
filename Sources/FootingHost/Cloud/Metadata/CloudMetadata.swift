/// Whether a cloud's metadata server may be asked.
public enum MetadataPolicy: Sendable {
    /// Not one packet is sent.
    case forbidden
    /// It is asked if DMI names a provider.
    case whereNamed
    /// The operator's word: also where DMI names none, the providers one after the other.
    case probe
}

/// What came of asking a cloud's metadata server.
public struct CloudMetadata: Sendable {
    /// How the exchange ended.
    public enum Outcome: String, Sendable, CaseIterable {
        /// The answer has the provider's proof.
        case proven
        /// An answer without it: a captive portal, or another cloud's server.
        case unproven
        /// A status other than 200, as 401, 403 or 404.
        case refused
        /// A status of 3xx; it was not followed.
        case redirected
        /// Not HTTP, or not strictly.
        case malformed
        /// More than 64 KiB.
        case tooLarge = "too-large"
        /// The connection ended within the answer.
        case cutOff = "cut-off"
        /// Not done after 500 ms.
        case timedOut = "timed-out"
        /// Nobody listens.
        case connectionRefused = "connection-refused"
        /// No route, or nobody there on the link.
        case unreachable
        /// Another error of the kernel's.
        case failed
    }

    /// Whose server was expected, or proved itself; absent where no candidate did.
    public let provider: Fact<String>
    /// The literal IPv4 address that was asked last.
    public let address: String
    /// How it ended.
    public let outcome: Outcome
    /// The same as a sentence.
    public let reason: String
    /// The instance's id.
    public let instanceID: Fact<String>
    /// The region.
    public let region: Fact<String>
    /// The zone within the region.
    public let zone: Fact<String>
    /// The instance type: shape, size, plan.
    public let instanceType: Fact<String>
    /// A line for each server that was asked.
    public let evidence: [Evidence]
}

/// Why an exchange gave nothing; the reason never holds anything that the server said.
struct MetadataFailure: Error, Equatable, Sendable {
    let outcome: CloudMetadata.Outcome
    let reason: String

    /// Whether nobody is there, however one asks; a reset may only be the answer to one request.
    var isSilence: Bool {
        switch outcome {
        case .connectionRefused, .unreachable, .timedOut: true
        default: false
        }
    }

    /// Whether somebody was there and said something.
    var isAnswer: Bool {
        switch outcome {
        case .connectionRefused, .unreachable, .timedOut, .failed: false
        case .proven, .unproven, .refused, .redirected, .malformed, .tooLarge, .cutOff: true
        }
    }
}
