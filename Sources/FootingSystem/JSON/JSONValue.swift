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
    /// The text form, keys sorted, indented by two spaces; no line feed at the end.
    public func text() -> String {
        var output = ""
        write(to: &output, indentation: 0)
        return output
    }

    private func write(to output: inout String, indentation: Int) {
        switch self {
        case .null: output += "null"
        case .bool(let value): output += value ? "true" : "false"
        case .integer(let value): output += String(value)
        case .unsigned(let value): output += String(value)
        case .number(let value):
            precondition(value.isFinite, "JSON has no \(value)")
            output += "\(value)"
        case .string(let value): Self.write(value, to: &output)
        case .array(let values):
            Self.writeList(values, "[", "]", to: &output, indentation) { value, output in
                value.write(to: &output, indentation: indentation + 2)
            }
        case .object(let members):
            let sorted = members.sorted { $0.key < $1.key }
            Self.writeList(sorted, "{", "}", to: &output, indentation) { member, output in
                Self.write(member.key, to: &output)
                output += ": "
                member.value.write(to: &output, indentation: indentation + 2)
            }
        }
    }

    private static func writeList<Element>(
        _ elements: [Element],
        _ open: String,
        _ close: String,
        to output: inout String,
        _ indentation: Int,
        _ writeElement: (Element, inout String) -> Void
    ) {
        output += open
        for (index, element) in elements.enumerated() {
            output += (index == 0 ? "\n" : ",\n") + String(repeating: " ", count: indentation + 2)
            writeElement(element, &output)
        }
        if !elements.isEmpty {
            output += "\n" + String(repeating: " ", count: indentation)
        }
        output += close
    }

    private static func write(_ text: String, to output: inout String) {
        output += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": output += "\\\""
            case "\\": output += "\\\\"
            case "\n": output += "\\n"
            case "\r": output += "\\r"
            case "\t": output += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                output += "\\u" + hexadecimal(scalar.value, digits: 4)
            default: output.unicodeScalars.append(scalar)
            }
        }
        output += "\""
    }
}
