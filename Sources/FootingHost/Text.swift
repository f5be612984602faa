internal import FootingSystem

// What detection needs of text, on UTF-8 bytes: no regular expression, no locale, no Foundation.

/// The part of a path after its last slash.
func lastComponent(_ path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path }
    return String(path[path.utf8.index(after: slash)...])
}

/// The part of a path before its last slash; empty if there is none.
func parent(_ path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "" }
    return String(path[..<slash])
}

/// The pieces of a text between separators, empty ones left out.
func pieces(_ text: String, separator: Character) -> [String] {
    guard let byte = separator.asciiValue else { preconditionFailure("not ASCII: \(separator)") }
    // Byte by byte over an array: `split` on a text costs ten times as much.
    let bytes = Array(text.utf8)
    var pieces: [String] = []
    var start = 0
    for at in 0...bytes.count where at == bytes.count || bytes[at] == byte {
        if at > start { pieces.append(String(decoding: bytes[start..<at], as: UTF8.self)) }
        start = at + 1
    }
    return pieces
}

/// The lines of a text.
func lines(_ text: String) -> [String] {
    pieces(text, separator: "\n")
}

extension String {
    /// Whether a text stands somewhere in this one, byte for byte.
    func holds(_ needle: String) -> Bool {
        utf8Span.span.offset(of: needle.utf8Span.span) != nil
    }

    /// The text after a prefix, if the prefix is there.
    func dropping(prefix: String) -> String? {
        guard utf8.starts(with: prefix.utf8) else { return nil }
        return String(self[utf8.index(startIndex, offsetBy: prefix.utf8.count)...])
    }

    /// This text without spaces and tabs at either end.
    var trimmed: String {
        let isBlank: (UInt8) -> Bool = { $0 == 32 || $0 == 9 || $0 == 13 || $0 == 10 }
        guard let start = utf8.firstIndex(where: { !isBlank($0) }),
            let end = utf8.lastIndex(where: { !isBlank($0) })
        else { return "" }
        return String(self[start...end])
    }

    /// The rest of the last line that begins with a text, as `uevent` files have them.
    func line(after prefix: String) -> String? {
        let bytes = utf8Span.span
        let wanted = prefix.utf8Span.span
        var found: String?
        var start = 0
        while start < bytes.count {
            let end = bytes.offset(of: 10, from: start) ?? bytes.count
            if start + wanted.count <= end, bytes.holds(wanted, at: start) {
                let first = utf8.index(startIndex, offsetBy: start + wanted.count)
                found = String(self[first..<utf8.index(startIndex, offsetBy: end)])
            }
            start = end + 1
        }
        return found
    }

    /// The value of the first `name : value` line, as `/proc/cpuinfo` has them.
    func field(_ name: String) -> String? {
        let bytes = utf8Span.span
        let wanted = name.utf8Span.span
        var start = 0
        while start < bytes.count {
            var at = 0
            while at < wanted.count, start + at < bytes.count, bytes[start + at] == wanted[at] {
                at += 1
            }
            if at == wanted.count {
                at += start
                while at < bytes.count, bytes[at] == 32 || bytes[at] == 9 { at += 1 }
                if at < bytes.count, bytes[at] == UInt8(ascii: ":") {
                    var end = at + 1
                    while end < bytes.count, bytes[end] != 10 { end += 1 }
                    let first = utf8.index(startIndex, offsetBy: at + 1)
                    let last = utf8.index(startIndex, offsetBy: end)
                    return String(self[first..<last]).trimmed
                }
            }
            while start < bytes.count, bytes[start] != 10 { start += 1 }
            start += 1
        }
        return nil
    }
}

/// The number behind `0x` or bare hexadecimal digits.
func hexadecimal(_ text: String) -> UInt64? {
    UInt64(text.dropping(prefix: "0x") ?? text, radix: 16)
}

/// A number as `0x` and at least so many lower-case hexadecimal digits.
func hexadecimalText(_ value: UInt64, digits: Int = 1) -> String {
    precondition((1...16).contains(digits), "a number has 1 to 16 digits: \(digits)")
    let count = max(digits, (67 - value.leadingZeroBitCount) / 4)
    return unsafe String(unsafeUninitializedCapacity: 2 + count) { text in
        unsafe text[0] = UInt8(ascii: "0")
        unsafe text[1] = UInt8(ascii: "x")
        var rest = value
        for place in (2..<2 + count).reversed() {
            let nibble = UInt8(truncatingIfNeeded: rest) & 15
            unsafe text[place] = nibble < 10 ? 48 + nibble : 87 + nibble
            rest >>= 4
        }
        return 2 + count
    }
}

/// The smaller of two values, or the one that is there.
func smaller(_ first: UInt64?, _ second: UInt64?) -> UInt64? {
    guard let first, let second else { return first ?? second }
    return min(first, second)
}

/// The larger of two values, or the one that is there.
func larger(_ first: UInt64?, _ second: UInt64?) -> UInt64? {
    guard let first, let second else { return first ?? second }
    return max(first, second)
}

/// The members of a kernel list such as `0-3,8`; see `cpulist` in `sysfs-devices-node`.
///
/// - Returns: nil if it is not one, or names more than 65,536 members, which no kernel does.
func kernelList(_ text: String) -> [Int]? {
    var members: [Int] = []
    for piece in pieces(text, separator: ",") {
        let ends = pieces(piece, separator: "-")
        guard let first = ends.first.flatMap({ Int($0) }), ends.count <= 2,
            let last = ends.last.flatMap({ Int($0) }), first <= last,
            last - first < 65536, members.count < 65536
        else { return nil }
        members += first...last
    }
    return members
}

/// The members of a kernel bit mask such as `ffffffff,00000003`; see `cpumap` in
/// `sysfs-devices-node`.
///
/// - Returns: nil if it is not one, or is longer than any kernel's.
func kernelMask(_ text: String) -> [Int]? {
    let words = pieces(text.trimmed, separator: ",")
    guard !words.isEmpty, words.count <= 2048 else { return nil }
    var members: [Int] = []
    for (index, word) in words.reversed().enumerated() {
        guard word.utf8.count <= 8, let bits = UInt32(word, radix: 16) else { return nil }
        for bit in 0..<32 where bits >> UInt32(bit) & 1 == 1 { members.append(index * 32 + bit) }
    }
    return members
}
