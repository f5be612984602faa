/// A request's header, as received.
///
/// ```
/// 0 magic:32   4 flags:16   6 command:16   8 cookie:64   16 offset:64   24 length:32
/// ```
struct Request: Equatable, Sendable {
    var flags: CommandFlags
    var command: UInt16
    var cookie: UInt64
    var offset: UInt64
    var length: UInt32

    /// Parses the first ``Wire/requestBytes`` bytes.
    ///
    /// - Returns: nil if they are not a request: from there on nothing in the stream can be
    ///   trusted.
    init?(_ bytes: RawSpan) {
        guard bytes.bigEndian(at: 0) == Wire.requestMagic else { return nil }
        flags = CommandFlags(rawValue: bytes.bigEndian(at: 4))
        command = bytes.bigEndian(at: 6)
        cookie = bytes.bigEndian(at: 8)
        offset = bytes.bigEndian(at: 16)
        length = bytes.bigEndian(at: 24)
    }

    init(
        _ command: Command,
        flags: CommandFlags = [],
        cookie: UInt64 = 0,
        offset: UInt64 = 0,
        length: UInt32 = 0
    ) {
        self.flags = flags
        self.command = command.rawValue
        self.cookie = cookie
        self.offset = offset
        self.length = length
    }

    /// The bytes it affects; only for a request that ``RequestRules`` let pass.
    var range: Range<UInt64> { offset..<(offset + UInt64(length)) }

    /// Bytes of payload that follow the header.
    var payloadBytes: UInt32 { command == Command.write.rawValue ? length : 0 }
}

/// What a request may ask for: "Request types" and "Error values" of the protocol.
struct RequestRules: Sendable {
    var sizeBytes: UInt64
    var isReadOnly: Bool
    var minimumBlockBytes: UInt32
    var maximumPayloadBytes: UInt32
    var session: Session

    init(offer: Offer, session: Session) {
        sizeBytes = offer.sizeBytes
        isReadOnly = offer.isReadOnly
        minimumBlockBytes = offer.minimumBlockBytes
        maximumPayloadBytes = offer.maximumPayloadBytes
        self.session = session
    }

    /// What is wrong with a request, or nil.
    func refusal(of request: Request) -> WireError? {
        guard let command = Command(rawValue: request.command) else { return .invalid }
        guard request.flags.isSubset(of: allowedFlags(command)) else { return .invalid }
        switch command {
        case .disconnect, .flush:
            return nil
        case .write, .trim, .writeZeroes:
            if isReadOnly { return .notPermitted }
        case .blockStatus:
            guard session.hasAllocationContext else { return .invalid }
        case .read, .cache:
            break
        }
        return refusalOfRange(request, command)
    }

    private func refusalOfRange(_ request: Request, _ command: Command) -> WireError? {
        let carriesData = command == .read || command == .write
        guard request.length > 0, !carriesData || request.length <= maximumPayloadBytes else {
            return .invalid
        }
        let (end, overflows) = request.offset.addingReportingOverflow(UInt64(request.length))
        guard !overflows, end <= sizeBytes else {
            // A write beyond the end finds no space there; the others ask for nonsense.
            return command == .write || command == .writeZeroes ? .noSpace : .invalid
        }
        let mask = UInt64(minimumBlockBytes) - 1
        return (request.offset | UInt64(request.length)) & mask == 0 ? nil : .invalid
    }

    private func allowedFlags(_ command: Command) -> CommandFlags {
        // "This flag is valid for all commands" once it was offered.
        let everywhere: CommandFlags = isReadOnly ? [] : .forceUnitAccess
        return switch command {
        case .read: session.isStructured ? everywhere.union(.dontFragment) : everywhere
        case .writeZeroes: everywhere.union([.noHole, .fastZero])
        case .blockStatus: everywhere.union(.requestOne)
        case .write, .disconnect, .flush, .trim, .cache: everywhere
        }
    }
}
