internal import FootingSystem

// Reading what another process answered.
extension JSONValue {
    /// A member of an object; null where there is none.
    subscript(name: String) -> JSONValue {
        if case .object(let members) = self { return members[name] ?? .null }
        return .null
    }

    /// The members of a list; none of anything else.
    var elements: [JSONValue] {
        if case .array(let values) = self { return values }
        return []
    }

    /// A text; empty for anything else.
    var text: String {
        // Whoever answers is another process: a text of its own makes no lines here.
        if case .string(let text) = self {
            return TerminalText.harmless(text, keepsLineFeeds: false)
        }
        return ""
    }

    /// A text as it is; empty for anything else.
    var string: String {
        if case .string(let text) = self { return text }
        return ""
    }

    /// A count; 0 for anything else.
    var unsigned: UInt64 {
        switch self {
        case .integer(let value): UInt64(clamping: value)
        case .unsigned(let value): value
        default: 0
        }
    }
}
