import FootingSystem

/// Reads what the program under test and the emulator write; anything else is an error.
struct JSONParser {
    private let bytes: [UInt8]
    private var place = 0
    private var depth = 0

    private init(_ text: String) {
        bytes = Array(text.utf8)
    }

    static func parse(_ text: String) throws -> JSONValue {
        var parser = JSONParser(text)
        let value = try parser.value()
        guard parser.next() == nil else { throw parser.error("text behind the document") }
        return value
    }

    private func error(_ text: String) -> GuestError {
        let start = max(0, place - 40)
        let near = String(decoding: bytes[start..<min(bytes.count, place + 40)], as: UTF8.self)
        return GuestError("JSON: \(text) at byte \(place): \(near)")
    }

    /// The next byte that is no white space.
    private mutating func next() -> UInt8? {
        while place < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[place]) { place += 1 }
        return place < bytes.count ? bytes[place] : nil
    }

    private mutating func expect(_ text: StaticString) throws {
        let wanted = Array(text.description.utf8)
        guard bytes[place...].starts(with: wanted) else { throw error("no '\(text)'") }
        place += wanted.count
    }

    private mutating func value() throws -> JSONValue {
        depth += 1
        defer { depth -= 1 }
        guard depth < 64 else { throw error("nested too deeply") }
        switch next() {
        case UInt8(ascii: "{"): return .object(try object())
        case UInt8(ascii: "["): return .array(try array())
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"):
            try expect("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try expect("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try expect("null")
            return .null
        default: return try number()
        }
    }

    private mutating func object() throws -> [String: JSONValue] {
        var members: [String: JSONValue] = [:]
        try expect("{")
        while next() != UInt8(ascii: "}") {
            if !members.isEmpty { try expect(",") }
            _ = next()
            let name = try string()
            _ = next()
            try expect(":")
            members[name] = try value()
        }
        try expect("}")
        return members
    }

    private mutating func array() throws -> [JSONValue] {
        var elements: [JSONValue] = []
        try expect("[")
        while next() != UInt8(ascii: "]") {
            if !elements.isEmpty { try expect(",") }
            elements.append(try value())
        }
        try expect("]")
        return elements
    }

    private mutating func string() throws -> String {
        try expect("\"")
        var text: [UInt8] = []
        while place < bytes.count, bytes[place] != UInt8(ascii: "\"") {
            if bytes[place] != UInt8(ascii: "\\") {
                text.append(bytes[place])
                place += 1
                continue
            }
            text += try escape()
        }
        try expect("\"")
        return String(decoding: text, as: UTF8.self)
    }

    private mutating func escape() throws -> [UInt8] {
        let plain: [UInt8: UInt8] = [
            0x22: 0x22, 0x5c: 0x5c, 0x2f: 0x2f, 0x62: 8, 0x66: 12, 0x6e: 10, 0x72: 13, 0x74: 9,
        ]
        place += 2
        guard place <= bytes.count else { throw error("an escape without an end") }
        if let byte = plain[bytes[place - 1]] { return [byte] }
        let digits = String(decoding: bytes[place..<min(bytes.count, place + 4)], as: UTF8.self)
        guard bytes[place - 1] == UInt8(ascii: "u"), digits.utf8.count == 4,
            let code = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(code)
        else { throw error("an unknown escape") }
        place += 4
        return Array(String(Character(scalar)).utf8)
    }

    private mutating func number() throws -> JSONValue {
        let start = place
        let signs = Set("+-.eE0123456789".utf8)
        while place < bytes.count, signs.contains(bytes[place]) { place += 1 }
        let text = String(decoding: bytes[start..<place], as: UTF8.self)
        if let integer = Int64(text) { return .integer(integer) }
        if let unsigned = UInt64(text) { return .unsigned(unsigned) }
        if let number = Double(text), number.isFinite { return .number(number) }
        throw error("no value")
    }
}

extension JSONValue {
    /// A member of an object.
    subscript(name: String) -> JSONValue? {
        if case .object(let members) = self { members[name] } else { nil }
    }

    /// What a path of names with dots between them leads to.
    subscript(path path: String) -> JSONValue? {
        path.split(separator: ".").reduce(self) { $0?[String($1)] }
    }

    var string: String? { if case .string(let text) = self { text } else { nil } }
    var integer: Int? { if case .integer(let number) = self { Int(number) } else { nil } }
    var bool: Bool? { if case .bool(let flag) = self { flag } else { nil } }
    var array: [JSONValue] { if case .array(let elements) = self { elements } else { [] } }
}
