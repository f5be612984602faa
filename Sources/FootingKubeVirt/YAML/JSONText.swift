/// What JSON writes and YAML 1.1 does not.
enum JSONText {
    /// The text with `\uD83D\uDE00` as `\U0001F600`, and with blanks for tabs in front.
    ///
    /// Nil if the text does not begin as JSON, or has neither: in YAML's other forms of text the
    /// same characters stand for themselves.
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
                result.append(bytes[next])
                next += 1
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
