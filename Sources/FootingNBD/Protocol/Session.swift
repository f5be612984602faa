/// What a client learns of an export during the handshake.
struct Offer: Sendable {
    var name: String
    var summary: String
    var sizeBytes: UInt64
    var isReadOnly: Bool
    var minimumBlockBytes: UInt32
    var preferredBlockBytes: UInt32
    var maximumPayloadBytes: UInt32
    var canZeroFast: Bool

    init(_ export: any Export, maximumPayloadBytes: UInt32) {
        name = export.name
        summary = export.summary
        sizeBytes = export.sizeBytes
        isReadOnly = export.isReadOnly
        minimumBlockBytes = export.minimumBlockBytes
        preferredBlockBytes = export.preferredBlockBytes
        self.maximumPayloadBytes = maximumPayloadBytes
        canZeroFast = export.zeroingIsFast(keepsSpace: false)
    }

    /// The protocol's "Transmission flags".
    ///
    /// Multi-conn is honest: a flush on any connection covers all of them.
    func flags(isStructured: Bool) -> TransmissionFlags {
        var flags: TransmissionFlags = [.hasFlags, .sendFlush, .canMultiConnect, .sendCache]
        if isReadOnly {
            flags.insert(.readOnly)
        } else {
            flags.formUnion([.sendForceUnitAccess, .sendTrim, .sendWriteZeroes])
            if canZeroFast { flags.insert(.sendFastZero) }
        }
        if isStructured { flags.insert(.sendDontFragment) }
        return flags
    }
}

/// What the handshake agreed on.
struct Session: Equatable, Sendable {
    /// Structured replies, instead of simple ones, for reads and block status.
    var isStructured = false
    /// `base:allocation` may be asked for.
    var hasAllocationContext = false
}

/// What becomes of a connection after a step of the handshake.
enum HandshakeOutcome: Equatable, Sendable {
    /// At least this many bytes must be there before the next step.
    case needs(Int)
    /// A step is done; it took this many bytes.
    case consumed(Int)
    /// The requests follow; it took this many bytes.
    case ready(Int, Session)
    /// The connection ends, after the replies are sent; why, for the log.
    case close(String)
}
