/// A JSON value (RFC 8259) whose objects keep their keys sorted.
public enum JSONValue: Sendable, Hashable {
    /// The absent value.
    case null
    /// True or false.
    case bool(Bool)
    /// A whole number; sizes in bytes need all 64 bits.
    case integer(Int64)
    /// A whole number above `Int64.max`.
    case unsigned(UInt64)
    /// A number with a fraction; must be finite.
    case number(Double)
    /// A text.
    case string(String)
    /// A list.
    case array([JSONValue])
    /// Named values.
    case object([String: JSONValue])
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// A text.
    public init(stringLiteral value: String) { self = .string(value) }
    /// True or false.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// A whole number.
    public init(integerLiteral value: Int64) { self = .integer(value) }
    /// A list.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    /// Named values.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(Dictionary(elements) { _, last in last })
    }

    /// A size or a count.
    public init(_ value: UInt64) {
        self = Int64(exactly: value).map { .integer($0) } ?? .unsigned(value)
    }
}

extension JSONValue {
    /// The text form, keys sorted by their bytes, indented by two spaces; no line feed at the end.
    public func text() -> String {
        String(decoding: bytes(), as: UTF8.self)
    }

    /// The text form in UTF-8.
    public func bytes() -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(16384)
        write(to: &output, indentation: 0)
        return output
    }

    private func write(to output: inout [UInt8], indentation: Int) {
        switch self {
        case .null: output += "null".utf8
        case .bool(let value): output += value ? "true".utf8 : "false".utf8
        case .integer(let value): output += String(value).utf8
        case .unsigned(let value): output += String(value).utf8
        case .number(let value):
            precondition(value.isFinite, "JSON has no \(value)")
            output += "\(value)".utf8
        case .string(let value): Self.write(value, to: &output)
        case .array(let values):
            output.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                Self.startLine(index == 0, indentation + 2, &output)
                value.write(to: &output, indentation: indentation + 2)
            }
            if !values.isEmpty { Self.startLine(true, indentation, &output) }
            output.append(UInt8(ascii: "]"))
        case .object(let members):
            output.append(UInt8(ascii: "{"))
            // By bytes: the order of texts is no order for some that are not normalized, such as
            // "é%" with one scalar and "é" with two, and the keys come in random order.
            var isFirst = true
            for index in Self.sorted(members) {
                Self.startLine(isFirst, indentation + 2, &output)
                Self.write(members[index].key, to: &output)
                Self.append(": ", &output)
                members[index].value.write(to: &output, indentation: indentation + 2)
                isFirst = false
            }
            if !members.isEmpty { Self.startLine(true, indentation, &output) }
            output.append(UInt8(ascii: "}"))
        }
    }

    /// The members by their keys.
    ///
    /// By the first eight bytes as a number where these differ, which is nearly always.
    private static func sorted(
        _ members: [String: JSONValue]
    ) -> [Dictionary<String, JSONValue>.Index] {
        var sorted: [(head: UInt64, index: Dictionary<String, JSONValue>.Index)] = []
        sorted.reserveCapacity(members.count)
        for index in members.indices {
            let bytes = members[index].key.utf8Span.span
            var head: UInt64 = 0
            for at in 0..<8 { head = head << 8 | (at < bytes.count ? UInt64(bytes[at]) : 0) }
            // Objects are small: what is found its place at once is not sorted later.
            var at = sorted.count
            while at > 0 {
                let before = sorted[at - 1]
                if before.head < head { break }
                if before.head == head,
                    !bytes.precedes(members[before.index].key.utf8Span.span)
                {
                    break
                }
                at -= 1
            }
            sorted.insert((head, index), at: at)
        }
        return sorted.map { $0.index }
    }

    private static func append(_ text: String, _ output: inout [UInt8]) {
        unsafe text.utf8Span.span.withUnsafeBufferPointer { unsafe output.append(contentsOf: $0) }
    }

    private static func startLine(_ isFirst: Bool, _ indentation: Int, _ output: inout [UInt8]) {
        if !isFirst { output.append(UInt8(ascii: ",")) }
        output.append(UInt8(ascii: "\n"))
        output.append(contentsOf: repeatElement(UInt8(ascii: " "), count: indentation))
    }

    /// What U+0080 to U+00BF begin with in UTF-8; to terminals, those up to U+009F are controls.
    private static let controlLead: UInt8 = 0xc2

    /// Whether a byte stands for itself in a JSON text, whatever follows it.
    private static func isPlain(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != 0x7f && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
            && byte != controlLead
    }

    /// Bytes of other multi-byte characters need no escape, so it is written byte by byte.
    private static func write(_ text: String, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "\""))
        let bytes = text.utf8Span.span
        var clean = 0
        while clean < bytes.count, isPlain(bytes[clean]) { clean += 1 }
        // Few texts need an escape: the others are copied as a whole.
        guard clean < bytes.count else {
            append(text, &output)
            output.append(UInt8(ascii: "\""))
            return
        }
        var isBehindLead = false
        for byte in text.utf8 {
            if isBehindLead {
                isBehindLead = false
                if byte < 0xa0 {
                    output += ("\\u" + hexadecimal(UInt32(byte), digits: 4)).utf8
                } else {
                    output += [controlLead, byte]
                }
                continue
            }
            switch byte {
            case controlLead: isBehindLead = true
            case UInt8(ascii: "\""): output += "\\\"".utf8
            case UInt8(ascii: "\\"): output += "\\\\".utf8
            case UInt8(ascii: "\n"): output += "\\n".utf8
            case UInt8(ascii: "\r"): output += "\\r".utf8
            case UInt8(ascii: "\t"): output += "\\t".utf8
            case ..<0x20, 0x7f: output += ("\\u" + hexadecimal(UInt32(byte), digits: 4)).utf8
            default: output.append(byte)
            }
        }
        output.append(UInt8(ascii: "\""))
    }
}
