import FootingSystem
import Testing

@Suite struct JSONParserTests {
    private func parse(_ text: String) throws(JSONParseError) -> JSONValue {
        try JSONValue(parsing: Array(text.utf8))
    }

    private static let documents: [(String, JSONValue)] = [
        ("null", .null), ("true", true), (" false\n", false), ("0", 0), ("-0", 0), ("-12", -12),
        ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
        ("9223372036854775808", .unsigned(1 << 63)), ("18446744073709551615", .unsigned(.max)),
        ("0.5", .number(0.5)), ("1e3", .number(1000)), ("-2.5E-01", .number(-0.25)),
        ("\"\"", ""), (#""a\"\\\/\b\f\n\r\t""#, "a\"\\/\u{8}\u{c}\n\r\t"),
        (#""\u00e9\u20AC\ud83e\uddf1""#, "é€🧱"), ("\"grün 🧱\"", "grün 🧱"),
        ("[]", []), ("[ ]", []), ("[1,[2, 3] ,\t{}]", [1, [2, 3], [:]]), ("{}", [:]),
        (#"{"b": [null], "a": {"": 1}}"#, ["a": ["": 1], "b": [.null]]),
    ]

    @Test(arguments: documents)
    func `a document has one value`(text: String, value: JSONValue) throws {
        #expect(try parse(text) == value)
        // What is written is read again as the same.
        #expect(try parse(value.text()) == value)
    }

    private static let mistakes: [(String, JSONParseError.Problem, Int)] = [
        ("", .unexpectedEnd, 0), (" \n", .unexpectedEnd, 2), ("nul", .unexpectedEnd, 3),
        ("nulL", .unexpectedByte, 3), ("1 2", .trailingBytes, 2), ("{} x", .trailingBytes, 3),
        ("\u{feff}{}", .unexpectedByte, 0), ("'a'", .unexpectedByte, 0),
        ("[1", .unexpectedEnd, 2), ("[1,]", .unexpectedByte, 3), ("[,1]", .unexpectedByte, 1),
        ("[1 2]", .unexpectedByte, 3), ("[}", .unexpectedByte, 1), ("{]", .unexpectedByte, 1),
        ("{\"a\"}", .unexpectedByte, 4), ("{\"a\":1,}", .unexpectedByte, 7),
        ("{a:1}", .unexpectedByte, 1), ("{1:1}", .unexpectedByte, 1), ("{\"a\"", .unexpectedEnd, 4),
        ("{\"a\":1, \"a\":2}", .duplicateKey, 8), (#"{"a":1,"\u0061":2}"#, .duplicateKey, 7),
        ("{\"é\":1,\"e\u{301}\":2}", .duplicateKey, 8),
        ("-", .unexpectedEnd, 1), ("01", .trailingBytes, 1), ("+1", .unexpectedByte, 0),
        ("1.", .unexpectedEnd, 2), (".5", .unexpectedByte, 0), ("1e", .unexpectedEnd, 2),
        ("1e+x", .unexpectedByte, 3), ("NaN", .unexpectedByte, 0), ("0x10", .trailingBytes, 1),
        ("[18446744073709551616]", .numberOutOfRange, 1), ("1e999", .numberOutOfRange, 0),
        ("-9223372036854775809", .numberOutOfRange, 0),
        ("\"a", .unexpectedEnd, 2), ("\"a\nb\"", .controlCharacter, 2), ("\"\\", .unexpectedEnd, 2),
        (#""\x""#, .invalidEscape, 1), (#""ab\u12g4""#, .invalidEscape, 3),
        (#""\u12"#, .unexpectedEnd, 5), (#""\ud83e""#, .invalidEscape, 1),
        (#""\ud83e\n""#, .invalidEscape, 1), (#""\ud83e\u0041""#, .invalidEscape, 1),
        (#""\uddf1""#, .invalidEscape, 1),
    ]

    @Test(arguments: mistakes)
    func `a mistake is named with its place`(
        text: String,
        problem: JSONParseError.Problem,
        offset: Int
    ) {
        let error = #expect(throws: JSONParseError.self) { try parse(text) }
        #expect(error?.problem == problem)
        #expect(error?.offset == offset)
        #expect(error?.description.hasSuffix(" at byte \(offset)") == true)
    }

    @Test(arguments: [
        [0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2],
    ])
    func `a text that is not UTF-8 is refused`(bytes: [UInt8]) {
        let error = #expect(throws: JSONParseError.self) {
            try JSONValue(parsing: Array("[\"".utf8) + bytes + Array("\"]".utf8))
        }
        #expect(error?.problem == .invalidUTF8)
        #expect(error?.offset == 1)
    }

    @Test func `depth and size are limited`() throws {
        let deep = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
        _ = try parse(deep)
        let deeper = #expect(throws: JSONParseError.self) {
            try JSONValue(parsing: [UInt8](repeating: UInt8(ascii: "["), count: 1 << 20))
        }
        #expect(deeper?.problem == .tooDeep)
        #expect(deeper?.offset == 64)
        let large = #expect(throws: JSONParseError.self) {
            try JSONValue(parsing: Array("[1, 2]".utf8), bytesMaximum: 5)
        }
        #expect(large?.problem == .documentTooLarge)
        // Levels are counted on the way down only.
        let wide = String(repeating: "[[]],", count: 100)
        #expect(throws: Never.self) { try parse("[\(wide)0]") }
    }

    @Test func `every beginning of a document ends too early`() {
        let text = #"{"a": ["\u00e9", -1.5e3, true, null], "b": {"c": "d"}}"#
        let bytes = Array(text.utf8)
        for count in 0..<bytes.count {
            let error = #expect(throws: JSONParseError.self) {
                try JSONValue(parsing: Array(bytes[..<count]))
            }
            #expect(error?.problem == .unexpectedEnd)
            #expect(error?.offset == count)
        }
    }

    @Test func `members and texts are found by name`() throws {
        let value = try parse(#"{"a": {"b": "text", "c": 1}}"#)
        #expect(value.member("a")?.member("b")?.stringValue == "text")
        #expect(value.member("a")?.member("c")?.stringValue == nil)
        #expect(value.member("b") == nil)
        #expect(JSONValue.null.member("a") == nil)
    }
}
