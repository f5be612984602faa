/// Why bytes are no JSON document, and where.
public struct JSONParseError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong.
    public enum Problem: String, Sendable {
        /// More bytes than the caller allows.
        case documentTooLarge = "the document is larger than allowed"
        /// The bytes end within the document, or there are none.
        case unexpectedEnd = "the document ends too early"
        /// A byte that cannot stand here.
        case unexpectedByte = "a byte that cannot stand here"
        /// Something other than white space follows the document.
        case trailingBytes = "something follows the document"
        /// More lists and objects within each other than the caller allows.
        case tooDeep = "lists and objects are nested too deeply"
        /// A name that the object has already; which of them counts would be a guess.
        case duplicateKey = "an object has this name twice"
        /// A whole number beyond 64 bits, or one too large for a double.
        case numberOutOfRange = "a number is out of range"
        /// A byte below 0x20 in a text.
        case controlCharacter = "a control character in a text"
        /// An escape that RFC 8259 does not have, or half a surrogate pair.
        case invalidEscape = "an invalid escape in a text"
        /// A text that is not UTF-8.
        case invalidUTF8 = "a text that is not UTF-8"
    }

    /// What is wrong.
    public let problem: Problem
    /// The offset in bytes of what is wrong: of a text, name or number its beginning.
    public let offset: Int

    /// The problem and the offset.
    public var description: String { "\(problem.rawValue) at byte \(offset)" }
}

extension JSONValue {
    /// Reads one document (RFC 8259), strictly: nothing is repaired.
    ///
    /// Whole numbers stay exact; one with a fraction or an exponent is a ``number(_:)``. A name
    /// that stands twice in an object is refused, also where two names differ only in the Unicode
    /// form of the same characters. Takes time and memory in proportion to the bytes.
    ///
    /// - Parameters:
    ///   - bytes: the document in UTF-8 without a byte order mark; white space may surround it.
    ///   - depthMaximum: lists and objects within each other, at most; up to 128.
    ///   - bytesMaximum: the largest document that is looked at.
    public init(
        parsing bytes: [UInt8],
        depthMaximum: Int = 64,
        bytesMaximum: Int = 4 << 20
    ) throws(JSONParseError) {
        // Each level is some frames on a stack that can be small.
        precondition((0...128).contains(depthMaximum), "no depth to allow: \(depthMaximum)")
        guard bytes.count <= bytesMaximum else {
            throw JSONParseError(problem: .documentTooLarge, offset: bytesMaximum)
        }
        var parser = JSONParser(bytes: bytes, depthLeft: depthMaximum)
        self = try parser.document()
    }

    /// The member of an object by its name; nil if it has none, or is no object.
    public func member(_ name: String) -> JSONValue? {
        if case .object(let members) = self { return members[name] }
        return nil
    }

    /// The text, if it is one.
    public var stringValue: String? {
        if case .string(let text) = self { return text }
        return nil
    }
}

/// A recursive descent through one document.
private struct JSONParser {
    let bytes: [UInt8]
    var depthLeft: Int
    var next = 0

    private func failure(
        _ problem: JSONParseError.Problem,
        at offset: Int? = nil
    ) -> JSONParseError {
        JSONParseError(problem: problem, offset: offset ?? next)
    }

    /// What is wrong with the byte that comes next.
    private var unexpected: JSONParseError {
        failure(next < bytes.count ? .unexpectedByte : .unexpectedEnd)
    }

    mutating func document() throws(JSONParseError) -> JSONValue {
        skipWhiteSpace()
        let value = try value()
        skipWhiteSpace()
        if next < bytes.count { throw failure(.trailingBytes) }
        return value
    }

    private mutating func skipWhiteSpace() {
        while next < bytes.count {
            switch bytes[next] {
            case 0x20, 0x0a, 0x0d, 0x09: next += 1
            default: return
            }
        }
    }

    /// Whether this byte comes next; then it is taken.
    private mutating func takes(_ byte: UInt8) -> Bool {
        guard next < bytes.count, bytes[next] == byte else { return false }
        next += 1
        return true
    }

    private mutating func value() throws(JSONParseError) -> JSONValue {
        guard next < bytes.count else { throw unexpected }
        switch bytes[next] {
        case UInt8(ascii: "{"): return .object(JSONObject(try members()))
        case UInt8(ascii: "["): return .array(try elements())
        case UInt8(ascii: "\""): return .string(try text())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: throw unexpected
        }
    }

    private mutating func word(
        _ word: StaticString,
        _ value: JSONValue
    ) throws(JSONParseError) -> JSONValue {
        for byte in "\(word)".utf8 where !takes(byte) { throw unexpected }
        return value
    }

    /// Takes an opening bracket, one level further down.
    private mutating func descend() throws(JSONParseError) {
        guard depthLeft > 0 else { throw failure(.tooDeep) }
        depthLeft -= 1
        next += 1
    }

    private mutating func elements() throws(JSONParseError) -> [JSONValue] {
        try descend()
        defer { depthLeft += 1 }
        var elements: [JSONValue] = []
        skipWhiteSpace()
        if takes(UInt8(ascii: "]")) { return elements }
        while true {
            skipWhiteSpace()
            elements.append(try value())
            skipWhiteSpace()
            if takes(UInt8(ascii: "]")) { return elements }
            guard takes(UInt8(ascii: ",")) else { throw unexpected }
        }
    }

    private mutating func members() throws(JSONParseError) -> [String: JSONValue] {
        try descend()
        defer { depthLeft += 1 }
        var members: [String: JSONValue] = [:]
        skipWhiteSpace()
        if takes(UInt8(ascii: "}")) { return members }
        while true {
            skipWhiteSpace()
            let start = next
            guard next < bytes.count, bytes[next] == UInt8(ascii: "\"") else { throw unexpected }
            let name = try text()
            guard members[name] == nil else { throw failure(.duplicateKey, at: start) }
            skipWhiteSpace()
            guard takes(UInt8(ascii: ":")) else { throw unexpected }
            skipWhiteSpace()
            members[name] = try value()
            skipWhiteSpace()
            if takes(UInt8(ascii: "}")) { return members }
            guard takes(UInt8(ascii: ",")) else { throw unexpected }
        }
    }
}

// MARK: - Numbers

extension JSONParser {
    private mutating func number() throws(JSONParseError) -> JSONValue {
        let start = next
        var isWhole = true
        _ = takes(UInt8(ascii: "-"))
        // A leading zero stands alone.
        if !takes(UInt8(ascii: "0")) { try digits() }
        if takes(UInt8(ascii: ".")) {
            isWhole = false
            try digits()
        }
        if takes(UInt8(ascii: "e")) || takes(UInt8(ascii: "E")) {
            isWhole = false
            if !takes(UInt8(ascii: "+")) { _ = takes(UInt8(ascii: "-")) }
            try digits()
        }
        let text = String(decoding: bytes[start..<next], as: UTF8.self)
        if isWhole {
            if let value = Int64(text) { return .integer(value) }
            if let value = UInt64(text) { return .unsigned(value) }
        } else if let value = Double(text), value.isFinite {
            return .number(value)
        }
        throw failure(.numberOutOfRange, at: start)
    }

    /// At least one digit.
    private mutating func digits() throws(JSONParseError) {
        let start = next
        while next < bytes.count, (0x30...0x39).contains(bytes[next]) { next += 1 }
        if next == start { throw unexpected }
    }
}

// MARK: - Texts

extension JSONParser {
    private mutating func text() throws(JSONParseError) -> String {
        let start = next
        next += 1
        var content: [UInt8] = []
        while true {
            guard next < bytes.count else { throw unexpected }
            let byte = bytes[next]
            switch byte {
            case UInt8(ascii: "\""):
                next += 1
                guard let text = String(validating: content, as: UTF8.self) else {
                    throw failure(.invalidUTF8, at: start)
                }
                return text
            case UInt8(ascii: "\\"):
                try escape(into: &content)
            case ..<0x20:
                throw failure(.controlCharacter)
            default:
                content.append(byte)
                next += 1
            }
        }
    }

    private mutating func escape(into content: inout [UInt8]) throws(JSONParseError) {
        let start = next
        next += 1
        guard next < bytes.count else { throw unexpected }
        let letter = bytes[next]
        next += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(letter)
        case UInt8(ascii: "b"): content.append(0x08)
        case UInt8(ascii: "f"): content.append(0x0c)
        case UInt8(ascii: "n"): content.append(0x0a)
        case UInt8(ascii: "r"): content.append(0x0d)
        case UInt8(ascii: "t"): content.append(0x09)
        case UInt8(ascii: "u"):
            guard let scalar = Unicode.Scalar(try scalarValue(start)) else {
                throw failure(.invalidEscape, at: start)
            }
            content += String(Character(scalar)).utf8
        default: throw failure(.invalidEscape, at: start)
        }
    }

    /// The number of a character behind `\u`; one beyond 16 bits is written as two surrogates.
    private mutating func scalarValue(_ start: Int) throws(JSONParseError) -> UInt32 {
        let first = try hexadecimalDigits(start)
        guard (0xd800..<0xdc00).contains(first) else { return first }
        guard takes(UInt8(ascii: "\\")), takes(UInt8(ascii: "u")) else {
            throw failure(.invalidEscape, at: start)
        }
        let second = try hexadecimalDigits(start)
        guard (0xdc00..<0xe000).contains(second) else { throw failure(.invalidEscape, at: start) }
        return 0x10000 + (first - 0xd800) << 10 + (second - 0xdc00)
    }

    private mutating func hexadecimalDigits(_ start: Int) throws(JSONParseError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard next < bytes.count else { throw unexpected }
            let digit: UInt8
            switch bytes[next] {
            case 0x30...0x39: digit = bytes[next] - 0x30
            case 0x41...0x46: digit = bytes[next] - 0x41 + 10
            case 0x61...0x66: digit = bytes[next] - 0x61 + 10
            default: throw failure(.invalidEscape, at: start)
            }
            value = value << 4 | UInt32(digit)
            next += 1
        }
        return value
    }
}
