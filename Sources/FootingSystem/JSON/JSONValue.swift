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
        var json = JSONWriter()
        json.value(self)
        return json.text
    }

    /// The text form in UTF-8.
    public func bytes() -> [UInt8] {
        var json = JSONWriter()
        json.value(self)
        return json.bytes
    }
}
