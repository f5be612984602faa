/// The server's side of the fixed newstyle negotiation, without any socket.
///
/// Bytes go in, replies come out: see "Fixed newstyle negotiation" of the protocol.
///
/// ```
/// S: NBDMAGIC IHAVEOPT flags:16          C: flags:32
/// C: IHAVEOPT option:32 length:32 data   S: replies to that option, and so on until GO
/// ```
struct Handshake {
    /// The server's own export.
    let offer: Offer
    /// The others.
    let others: (any ExportSource)?
    let maximumOptionBytes: Int
    let maximumOptions: Int
    /// Why this client gets nothing; nil if it does.
    let refusal: String?

    /// The one of the others that the client asked about last, which it will ask for next.
    private var opened: (name: String, export: any Export, offer: Offer)?
    /// The one of the others that the client chose; nil for the server's own.
    private(set) var chosen: (export: any Export, offer: Offer)?
    private var clientFlags: UInt32?
    private var optionCount = 0
    var session = Session()
    /// The name that `SET_META_CONTEXT` was asked for: its answer holds for that export only.
    var contextName: String?

    init(
        offer: Offer,
        others: (any ExportSource)? = nil,
        maximumOptionBytes: Int,
        maximumOptions: Int,
        refusal: String? = nil
    ) {
        self.offer = offer
        self.others = others
        self.maximumOptionBytes = maximumOptionBytes
        self.maximumOptions = maximumOptions
        self.refusal = refusal
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
        if let refusal, option.asksForExport {
            // The oldest way knows no errors: "the server … MUST close the session".
            if option == .exportName { return .close(refusal) }
            reply(.policy, to: option.rawValue, &replies, Array(refusal.utf8))
            return .consumed(total)
        }
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
        guard let offer = offer(of: name) else { return .close("unknown export") }
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
        let own = ExportListing(name: offer.name, summary: offer.summary)
        for export in [own] + (others?.list() ?? []) {
            var entry: [UInt8] = []
            entry.append(bigEndian: UInt32(export.name.utf8.count))
            entry.append(contentsOf: export.name.utf8)
            entry.append(contentsOf: export.summary.utf8)
            reply(.server, to: Option.list.rawValue, &replies, entry)
        }
        reply(.acknowledged, to: Option.list.rawValue, &replies)
    }

    /// What a client may have under this name; nil if there is nothing.
    mutating func offer(of name: String) -> Offer? {
        // The empty name is the default export.
        if name.isEmpty || name == offer.name { return offer }
        if let opened, opened.name == name { return opened.offer }
        guard let export = others?.open(name) else { return nil }
        let offer = Offer(export, maximumPayloadBytes: self.offer.maximumPayloadBytes)
        opened = (name, export, offer)
        return offer
    }

    /// The client chose the export; contexts chosen for another name are void.
    mutating func enter(_ name: String) {
        if contextName != name { session.hasAllocationContext = false }
        if let opened, opened.name == name { chosen = (opened.export, opened.offer) }
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
