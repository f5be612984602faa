import Testing

@testable import FootingKubeVirt

/// The meaning of plain scalars, as `go.yaml.in/yaml/v2` resolves them for `sigs.k8s.io/yaml`.
@Suite struct YAMLScalarTests {
    @Test(arguments: ["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"])
    func `True has many spellings`(text: String) {
        #expect(YAMLScalar.resolve(text) == .bool(true))
    }

    @Test(arguments: ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"])
    func `False has many spellings`(text: String) {
        #expect(YAMLScalar.resolve(text) == .bool(false))
    }

    @Test(arguments: ["", "~", "null", "Null", "NULL"])
    func `Nothing has five spellings`(text: String) {
        #expect(YAMLScalar.resolve(text) == .null)
    }

    static let wholeNumbers: [(String, Int128)] = [
        ("0", 0), ("00", 0), ("7", 7), ("-7", -7), ("+7", 7), ("010", 8), ("-010", -8),
        ("0o17", 15), ("0x1F", 31), ("-0x1f", -31), ("0b101", 5), ("-0b101", -5),
        ("1_000_000", 1_000_000), ("0x_ff", 255), ("9223372036854775807", Int128(Int64.max)),
        ("-9223372036854775808", Int128(Int64.min)), ("18446744073709551615", Int128(UInt64.max)),
    ]

    @Test(arguments: wholeNumbers)
    func `Whole numbers`(text: String, value: Int128) {
        #expect(YAMLScalar.resolve(text) == .integer(value))
    }

    @Test(arguments: [
        ("0.5", "0.5"), (".5", ".5"), ("5.", "5."), ("1e3", "1e3"), ("1E-3", "1E-3"),
        ("-1.5e+10", "-1.5e+10"), ("1_0.5", "10.5"), ("08", "08"), ("0e5", "0e5"),
        ("18446744073709551616", "18446744073709551616"),
        ("+18446744073709551615", "+18446744073709551615"),
        ("-9223372036854775809", "-9223372036854775809"),
    ])
    func `Other numbers keep their digits`(text: String, kept: String) {
        #expect(YAMLScalar.resolve(text) == .decimal(kept))
    }

    @Test(arguments: [
        "tRUE", "Yess", "nULL", "2024-01-01", "12:30:45", "1Gi", "500m", "0x", "0b", "0b12", "0o8",
        "+-5", "--5", "1e", "e3", "._5", ".e3", "-", "+", ".", "1.2.3", "0xg", "1e400", "<<", "=",
        "0x-5", "-0x+5", "_", "é", "infinity", "nan", "0a7", "0é7", "0z", "0x0x5", "00x5", "0oo7",
    ])
    func `Everything else is a text`(text: String) {
        #expect(YAMLScalar.resolve(text) == .string(text))
    }

    static let integral: [(String, Int128?)] = [
        ("1.0", 1), ("5.", 5), ("1e1", 10), ("08", 8), ("0e5", 0), ("-2.50e1", -25),
        ("1e20", 100_000_000_000_000_000_000), ("1.5", nil), ("1e-1", nil), ("1e21", nil),
        ("-1e21", nil), ("1Gi", nil), ("'1'", nil),
    ]

    @Test(arguments: integral)
    func `A number without a fraction is a whole one`(text: String, value: Int128?) throws {
        #expect(try #require(YAMLScalar.resolve(text)).wholeNumber == value)
    }

    @Test(arguments: [".nan", ".NaN", ".inf", "-.INF", "+.Inf"])
    func `Infinity and no number at all have no value`(text: String) {
        #expect(YAMLScalar.resolve(text) == nil)
    }
}
