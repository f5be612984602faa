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
    case object(JSONObject)
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
        var members = JSONObject()
        for (key, value) in elements { members[key] = value }
        self = .object(members)
    }

    /// Named values that were gathered in a dictionary.
    public init(_ members: [String: JSONValue]) { self = .object(JSONObject(members)) }

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
            var isFirst = true
            for (key, value) in members {
                Self.startLine(isFirst, indentation + 2, &output)
                Self.write(key, to: &output)
                Self.append(": ", &output)
                value.write(to: &output, indentation: indentation + 2)
                isFirst = false
            }
            if !members.isEmpty { Self.startLine(true, indentation, &output) }
            output.append(UInt8(ascii: "}"))
        }
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
