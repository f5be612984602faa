/// Replies as bytes: "Simple reply message" and "Structured reply chunk message".
enum Reply {
    static func simple(_ cookie: UInt64, _ error: WireError? = nil) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Wire.simpleReplyBytes)
        bytes.append(bigEndian: Wire.simpleReplyMagic)
        bytes.append(bigEndian: error?.rawValue ?? 0)
        bytes.append(bigEndian: cookie)
        return bytes
    }

    /// A chunk's header; its `length` bytes of payload follow.
    static func chunk(_ kind: Chunk, _ cookie: UInt64, isLast: Bool, length: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Wire.structuredReplyBytes + min(length, 1 << 12))
        bytes.append(bigEndian: Wire.structuredReplyMagic)
        bytes.append(bigEndian: UInt16(isLast ? 1 : 0))
        bytes.append(bigEndian: kind.rawValue)
        bytes.append(bigEndian: cookie)
        bytes.append(bigEndian: UInt32(length))
        return bytes
    }

    /// The end of a reply whose other chunks were sent before.
    static func end(_ cookie: UInt64) -> [UInt8] {
        chunk(.none, cookie, isLast: true, length: 0)
    }

    /// An error as a chunk, with the offset where that is known, and no text.
    static func failure(
        _ cookie: UInt64,
        _ error: WireError,
        offset: UInt64?,
        isLast: Bool
    ) -> [UInt8] {
        let kind = offset == nil ? Chunk.error : .errorOffset
        var bytes = chunk(kind, cookie, isLast: isLast, length: offset == nil ? 6 : 14)
        bytes.append(bigEndian: error.rawValue)
        bytes.append(bigEndian: UInt16(0))
        if let offset { bytes.append(bigEndian: offset) }
        return bytes
    }

    /// `NBD_REPLY_TYPE_BLOCK_STATUS`: the runs that cover a prefix of the request.
    ///
    /// Neighbours of the same kind become one, and the last is cut at the request's end: "SHOULD"
    /// for the first, "MUST" for the second where only one run was asked for.
    ///
    /// - Returns: nil if there is nothing to tell, which the protocol does not allow.
    static func blockStatus(_ request: Request, _ extents: [Extent]) -> [UInt8]? {
        var runs: [(length: UInt32, state: UInt32)] = []
        var rest = UInt64(request.length)
        for extent in extents where extent.lengthBytes > 0 && rest > 0 {
            let length = UInt32(min(extent.lengthBytes, rest))
            rest -= UInt64(length)
            let state: UInt32 =
                switch extent.kind {
                case .data: 0
                case .hole: Wire.stateHole | Wire.stateZero
                case .zeroes: Wire.stateZero
                }
            if let last = runs.last, last.state == state {
                runs[runs.count - 1].length += length
            } else {
                runs.append((length, state))
            }
        }
        if request.flags.contains(.requestOne) { runs = Array(runs.prefix(1)) }
        guard !runs.isEmpty else { return nil }
        let length = 4 + 8 * runs.count
        var bytes = chunk(.blockStatus, request.cookie, isLast: true, length: length)
        bytes.append(bigEndian: Wire.allocationContextIdentifier)
        for run in runs {
            bytes.append(bigEndian: run.length)
            bytes.append(bigEndian: run.state)
        }
        return bytes
    }
}
