// The options whose data has a structure of its own: INFO, GO and the meta contexts.

extension Handshake {
    /// `NBD_OPT_INFO` and `NBD_OPT_GO`.
    ///
    /// ```
    /// name length:32  name  count:16  (information:16)…
    /// ```
    ///
    /// - Returns: whether the client got what it asked for.
    mutating func information(
        _ option: Option,
        _ data: RawSpan,
        _ replies: inout [UInt8]
    ) -> Bool {
        guard let name = takeName(data, least: 2), let wanted = wantedInformation(data) else {
            reply(.invalid, to: option.rawValue, &replies)
            return false
        }
        guard let offer = offer(of: name) else {
            reply(.unknown, to: option.rawValue, &replies)
            return false
        }
        if option == .go { enter(name) }
        var entry: [UInt8] = []
        entry.append(bigEndian: Information.export.rawValue)
        entry.append(bigEndian: offer.sizeBytes)
        entry.append(bigEndian: offer.flags(isStructured: session.isStructured).rawValue)
        reply(.information, to: option.rawValue, &replies, entry)
        for information in [Information.name, .description, .blockSize]
        where wanted.contains(information.rawValue) {
            reply(.information, to: option.rawValue, &replies, describe(information, offer))
        }
        reply(.acknowledged, to: option.rawValue, &replies)
        return true
    }

    private func describe(_ information: Information, _ offer: Offer) -> [UInt8] {
        var entry: [UInt8] = []
        entry.append(bigEndian: information.rawValue)
        switch information {
        case .name:
            entry.append(contentsOf: offer.name.utf8)
        case .description:
            entry.append(contentsOf: offer.summary.utf8)
        case .blockSize:
            entry.append(bigEndian: offer.minimumBlockBytes)
            entry.append(bigEndian: offer.preferredBlockBytes)
            entry.append(bigEndian: offer.maximumPayloadBytes)
        case .export:
            preconditionFailure("the export's own entry is always sent")
        }
        return entry
    }

    /// The name at the start of an option's data, which has at least `least` bytes behind it.
    private func takeName(_ data: RawSpan, least: Int) -> String? {
        guard data.byteCount >= 4 + least else { return nil }
        let length: UInt32 = data.bigEndian(at: 0)
        guard length <= Wire.maximumNameBytes, 4 + Int(length) + least <= data.byteCount else {
            return nil
        }
        return data.string(at: 4, count: Int(length))
    }

    private func wantedInformation(_ data: RawSpan) -> [UInt16]? {
        let nameLength: UInt32 = data.bigEndian(at: 0)
        let start = 4 + Int(nameLength)
        let count: UInt16 = data.bigEndian(at: start)
        guard start + 2 + 2 * Int(count) == data.byteCount else { return nil }
        return (0..<Int(count)).map { data.bigEndian(at: start + 2 + 2 * $0) }
    }

    /// `NBD_OPT_LIST_META_CONTEXT` and `NBD_OPT_SET_META_CONTEXT`.
    ///
    /// ```
    /// name length:32  name  count:32  (query length:32  query)…
    /// ```
    mutating func metaContext(_ option: Option, _ data: RawSpan, _ replies: inout [UInt8]) {
        let isSet = option == .setMetaContext
        if isSet {
            // "a previous successful SET_META_CONTEXT is cancelled", also by one that fails.
            session.hasAllocationContext = false
            contextName = nil
        }
        guard let name = takeName(data, least: 4), let queries = takeQueries(data),
            session.isStructured || !isSet
        else {
            return reply(.invalid, to: option.rawValue, &replies)
        }
        guard offer(of: name) != nil else { return reply(.unknown, to: option.rawValue, &replies) }
        let isWanted = queries.contains(Wire.allocationContext)
        // To list, a bare name space asks for all in it, and no query for all there is.
        let isListed = !isSet && (queries.isEmpty || queries.contains("base:"))
        if isWanted || isListed {
            var entry: [UInt8] = []
            entry.append(bigEndian: Wire.allocationContextIdentifier)
            entry.append(contentsOf: Wire.allocationContext.utf8)
            reply(.metaContext, to: option.rawValue, &replies, entry)
        }
        if isSet {
            session.hasAllocationContext = isWanted
            contextName = name
        }
        reply(.acknowledged, to: option.rawValue, &replies)
    }

    private func takeQueries(_ data: RawSpan) -> [String]? {
        let nameLength: UInt32 = data.bigEndian(at: 0)
        var offset = 4 + Int(nameLength)
        let count: UInt32 = data.bigEndian(at: offset)
        offset += 4
        // Each takes four bytes at least: a count beyond that is a lie, and bounds the loop.
        guard Int(count) <= (data.byteCount - offset) / 4 else { return nil }
        var queries: [String] = []
        for _ in 0..<count {
            guard data.byteCount - offset >= 4 else { return nil }
            let length: UInt32 = data.bigEndian(at: offset)
            offset += 4
            guard Int(length) <= data.byteCount - offset else { return nil }
            queries.append(data.string(at: offset, count: Int(length)))
            offset += Int(length)
        }
        return offset == data.byteCount ? queries : nil
    }
}
