/// What JSON writes and YAML 1.1 does not.
enum JSONText {
    /// The text with `\uD83D\uDE00` as `\U0001F600`, with blanks for tabs in front, and with what
    /// YAML does not allow, or takes for the end of a line, as `\u007F`.
    ///
    /// Nil if the text does not begin as JSON, or has none of them: in YAML's other forms of text
    /// the same characters stand for themselves.
    static func adapted(_ bytes: [UInt8]) -> [UInt8]? {
        let space: Set<UInt8> = [0x20, 0x09, 0x0A, 0x0D]
        guard let begin = bytes.firstIndex(where: { !space.contains($0) }),
            bytes[begin] == UInt8(ascii: "{") || bytes[begin] == UInt8(ascii: "[")
        else { return nil }
        var result = bytes[..<begin].map { $0 == 0x09 ? 0x20 : $0 }
        var found = bytes[..<begin].contains(0x09)
        result.reserveCapacity(bytes.count)
        var next = begin
        while next < bytes.count {
            guard bytes[next] == UInt8(ascii: "\\"), next + 1 < bytes.count else {
                if let (scalar, count) = foreign(bytes, at: next) {
                    let digits = String(scalar, radix: 16)
                    result += "\\u".utf8
                    result += String(repeating: "0", count: 4 - digits.utf8.count).utf8
                    result += digits.utf8
                    next += count
                    found = true
                } else {
                    result.append(bytes[next])
                    next += 1
                }
                continue
            }
            if let high = unit(bytes, at: next), (0xD800..<0xDC00).contains(high),
                let low = unit(bytes, at: next + 6), (0xDC00..<0xE000).contains(low)
            {
                let scalar = 0x10000 + (high - 0xD800) << 10 + (low - 0xDC00)
                let digits = String(scalar, radix: 16)
                result += "\\U".utf8
                result += String(repeating: "0", count: 8 - digits.utf8.count).utf8
                result += digits.utf8
                next += 12
                found = true
            } else {
                // The escaped character too, so that a pair of backslashes is no escape's begin.
                result += bytes[next..<next + 2]
                next += 2
            }
        }
        return found ? result : nil
    }

    /// Whether JSON has characters as they are that YAML reads without an error, as ends of lines.
    static func hasForeignLineEnds(_ bytes: [UInt8]) -> Bool {
        bytes.indices.contains { index in
            guard let (scalar, _) = foreign(bytes, at: index) else { return false }
            return [0x85, 0x2028, 0x2029].contains(scalar)
        }
    }

    /// A character that JSON allows in a text as it is, and YAML 1.1 does not, or takes for the end
    /// of a line: DEL, C1, U+2028, U+2029, U+FEFF, U+FFFE, U+FFFF; and its bytes in UTF-8.
    private static func foreign(_ bytes: [UInt8], at offset: Int) -> (scalar: UInt32, count: Int)? {
        func byte(_ index: Int) -> UInt8 { index < bytes.count ? bytes[index] : 0 }
        switch (byte(offset), byte(offset + 1), byte(offset + 2)) {
        case (0x7F, _, _): return (0x7F, 1)
        case (0xC2, let low, _) where (0x80...0x9F).contains(low): return (UInt32(low), 2)
        case (0xE2, 0x80, let low) where low == 0xA8 || low == 0xA9:
            return (0x2000 + UInt32(low & 0x3F), 3)
        case (0xEF, 0xBB, 0xBF): return (0xFEFF, 3)
        case (0xEF, 0xBF, let low) where low >= 0xBE: return (0xFFC0 + UInt32(low & 0x3F), 3)
        default: return nil
        }
    }

    /// The value of `\uXXXX` at an offset.
    private static func unit(_ bytes: [UInt8], at offset: Int) -> UInt32? {
        guard offset + 6 <= bytes.count, bytes[offset] == UInt8(ascii: "\\"),
            bytes[offset + 1] == UInt8(ascii: "u")
        else { return nil }
        let digits = bytes[(offset + 2)..<(offset + 6)]
        guard digits.first != UInt8(ascii: "+"), digits.first != UInt8(ascii: "-") else {
            return nil
        }
        return UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
    }
}
