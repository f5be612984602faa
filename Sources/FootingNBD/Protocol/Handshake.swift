/// The server's side of the fixed newstyle negotiation, without any socket.
///
/// Bytes go in, replies come out: see "Fixed newstyle negotiation" of the protocol.
///
/// ```
/// S: NBDMAGIC IHAVEOPT flags:16          C: flags:32
/// C: IHAVEOPT option:32 length:32 data   S: replies to that option, and so on until GO
/// ```
struct Handshake {
    let offer: Offer
    let maximumOptionBytes: Int
    let maximumOptions: Int

    private var clientFlags: UInt32?
    private var optionCount = 0
    var session = Session()
    /// The name that `SET_META_CONTEXT` was asked for: its answer holds for that export only.
    var contextName: String?

    init(offer: Offer, maximumOptionBytes: Int, maximumOptions: Int) {
        self.offer = offer
        self.maximumOptionBytes = maximumOptionBytes
        self.maximumOptions = maximumOptions
    }

    /// What the server says first.
    static var greeting: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: Wire.greetingMagic)
        bytes.append(bigEndian: Wire.optionMagic)
        bytes.append(bigEndian: UInt16(Wire.fixedNewstyle | Wire.noZeroes))
        return bytes
    }

    /// The reason to close that is none to complain about: the client aborted.
    static let goodbye = "the client left"

    /// The longest input that ``step(_:replies:)`` may ask for.
    var maximumInputBytes: Int { Wire.optionHeaderBytes + maximumOptionBytes }

    /// Takes the next message, if it is complete.
    ///
    /// - Parameters:
    ///   - input: everything received and not consumed yet.
    ///   - replies: where answers are appended.
    mutating func step(_ input: RawSpan, replies: inout [UInt8]) -> HandshakeOutcome {
        guard let clientFlags else { return takeFlags(input) }
        guard input.byteCount >= Wire.optionHeaderBytes else {
            return .needs(Wire.optionHeaderBytes)
        }
        guard input.bigEndian(at: 0) == Wire.optionMagic else {
            return .close("an option without its magic number")
        }
        let number: UInt32 = input.bigEndian(at: 8)
        let length: UInt32 = input.bigEndian(at: 12)
        guard length <= maximumOptionBytes else {
            reply(.tooBig, to: number, &replies)
            return .close("an option of \(length) bytes")
        }
        let total = Wire.optionHeaderBytes + Int(length)
        guard input.byteCount >= total else { return .needs(total) }
        optionCount += 1
        guard optionCount <= maximumOptions else { return .close("too many options") }
        let data = input.extracting(Wire.optionHeaderBytes..<total)
        guard let option = Option(rawValue: number) else {
            reply(.unsupported, to: number, &replies)
            return .consumed(total)
        }
        guard option == .exportName || clientFlags & Wire.fixedNewstyle != 0 else {
            return .close("an option from a client that does not know how to read the answer")
        }
        return answer(option, data, total, &replies)
    }

    private mutating func takeFlags(_ input: RawSpan) -> HandshakeOutcome {
        guard input.byteCount >= Wire.clientFlagsBytes else { return .needs(Wire.clientFlagsBytes) }
        let flags: UInt32 = input.bigEndian(at: 0)
        // "If the client sets an unknown flag, the server MUST disconnect."
        guard flags & ~(Wire.fixedNewstyle | Wire.noZeroes) == 0 else {
            return .close("unknown client flags")
        }
        clientFlags = flags
        return .consumed(Wire.clientFlagsBytes)
    }

    private mutating func answer(
        _ option: Option,
        _ data: RawSpan,
        _ total: Int,
        _ replies: inout [UInt8]
    ) -> HandshakeOutcome {
        switch option {
        case .exportName:
            return takeExportName(data, total, &replies)
        case .abort:
            reply(.acknowledged, to: option.rawValue, &replies)
            return .close(Self.goodbye)
        case .list:
            list(data, &replies)
        case .info, .go:
            if information(option, data, &replies), option == .go {
                return .ready(total, session)
            }
        case .structuredReply:
            let isValid = data.isEmpty
            session.isStructured = session.isStructured || isValid
            reply(isValid ? .acknowledged : .invalid, to: option.rawValue, &replies)
        case .listMetaContext, .setMetaContext:
            metaContext(option, data, &replies)
        case .startTLS, .peekExport, .extendedHeaders:
            reply(.unsupported, to: option.rawValue, &replies)
        }
        return .consumed(total)
    }

    /// `NBD_OPT_EXPORT_NAME`: the oldest way, which knows no errors.
    private mutating func takeExportName(
        _ data: RawSpan,
        _ total: Int,
        _ replies: inout [UInt8]
    ) -> HandshakeOutcome {
        let name = data.string(at: 0, count: data.byteCount)
        guard isOffered(name) else { return .close("unknown export") }
        enter(name)
        replies.append(bigEndian: offer.sizeBytes)
        replies.append(bigEndian: offer.flags(isStructured: session.isStructured).rawValue)
        if (clientFlags ?? 0) & Wire.noZeroes == 0 {
            replies.append(contentsOf: repeatElement(0, count: 124))
        }
        return .ready(total, session)
    }

    private func list(_ data: RawSpan, _ replies: inout [UInt8]) {
        guard data.isEmpty else { return reply(.invalid, to: Option.list.rawValue, &replies) }
        var entry: [UInt8] = []
        entry.append(bigEndian: UInt32(offer.name.utf8.count))
        entry.append(contentsOf: offer.name.utf8)
        entry.append(contentsOf: offer.summary.utf8)
        reply(.server, to: Option.list.rawValue, &replies, entry)
        reply(.acknowledged, to: Option.list.rawValue, &replies)
    }

    /// Whether a client may have the export under this name.
    func isOffered(_ name: String) -> Bool {
        // The empty name is the default export.
        name.isEmpty || name == offer.name
    }

    /// The client chose the export; contexts chosen for another name are void.
    mutating func enter(_ name: String) {
        if contextName != name { session.hasAllocationContext = false }
    }

    /// Appends one option reply.
    func reply(
        _ kind: OptionReply,
        to option: UInt32,
        _ replies: inout [UInt8],
        _ data: [UInt8] = []
    ) {
        replies.append(bigEndian: Wire.optionReplyMagic)
        replies.append(bigEndian: option)
        replies.append(bigEndian: kind.rawValue)
        replies.append(bigEndian: UInt32(data.count))
        replies.append(contentsOf: data)
    }
}
