/// A value of a YAML document, and where it stands in its text.
public struct YAMLNode: Sendable, Hashable {
    /// The value.
    public let value: YAMLValue
    /// Where the value begins.
    public let position: YAMLPosition

    /// A value at a place.
    public init(_ value: YAMLValue, at position: YAMLPosition) {
        self.value = value
        self.position = position
    }

    /// The value of a key, if this is a map that has it.
    public subscript(_ key: String) -> YAMLNode? {
        guard case .map(let members) = value else { return nil }
        return members.first { $0.key == key }?.node
    }
}

/// What Kubernetes' reading of YAML knows: the values of JSON.
public enum YAMLValue: Sendable, Hashable {
    /// Nothing; Kubernetes treats the field as absent.
    case null
    /// True or false, also as `yes`, `on`, `n`…
    case bool(Bool)
    /// A whole number from `Int64.min` to `UInt64.max`.
    case integer(Int128)
    /// Any other number, as the text it was written with, without underscores.
    case decimal(String)
    /// A text.
    case string(String)
    /// A list.
    case list([YAMLNode])
    /// Named values in the order of the text; no name stands twice.
    case map([YAMLMember])

    /// The number, if it is a whole one, also as `1.0` and `1e1`, of which Kubernetes makes JSON
    /// without a point; nil for everything else, and beyond what JSON then writes as digits alone.
    public var wholeNumber: Int128? {
        switch self {
        case .integer(let number): return number
        case .decimal(let text):
            guard let number = Double(text), abs(number) < 1e21 else { return nil }
            return Int128(exactly: number)
        default: return nil
        }
    }

    /// What kind of value it is, for messages.
    public var kindName: String {
        switch self {
        case .null: "nothing"
        case .bool: "true or false"
        case .integer: "a whole number"
        case .decimal: "a number"
        case .string: "a text"
        case .list: "a list"
        case .map: "a map"
        }
    }
}

/// A named value of a map.
public struct YAMLMember: Sendable, Hashable {
    /// The name, of which Kubernetes makes a text where it is a number or a truth value.
    public let key: String
    /// Where the name stands.
    public let position: YAMLPosition
    /// The value.
    public let node: YAMLNode

    /// A named value.
    public init(_ key: String, _ node: YAMLNode, at position: YAMLPosition) {
        self.key = key
        self.position = position
        self.node = node
    }
}

/// A place in a text; both counts begin at one.
public struct YAMLPosition: Sendable, Hashable, CustomStringConvertible {
    /// The line.
    public let line: Int
    /// The column in characters.
    public let column: Int

    /// A place by its two counts.
    public init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    /// As messages show it.
    public var description: String { "line \(line), column \(column)" }
}
