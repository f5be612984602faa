/// What a plain scalar means, as `go.yaml.in/yaml/v2` reads it for `sigs.k8s.io/yaml`.
///
/// YAML 1.1 with its odd truth values, without its numbers to the base 60 and without its dates:
/// those stay texts. A whole number may be binary, octal (also with a bare zero in front) or
/// hexadecimal; underscores are left out of numbers.
enum YAMLScalar {
    /// The value of a plain scalar; nil for infinity and for no number at all.
    static func resolve(_ text: String) -> YAMLValue? {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON":
            return .bool(true)
        case "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF":
            return .bool(false)
        case ".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf",
            "-.Inf", "-.INF":
            return nil
        default: break
        }
        let bytes = text.utf8
        guard let first = bytes.first else { return .null }
        switch first {
        case UInt8(ascii: "."):
            return isDecimal(bytes) ? .decimal(text) : .string(text)
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"):
            return number(text)
        default:
            return .string(text)
        }
    }

    private static func number(_ text: String) -> YAMLValue {
        var plain = text
        plain.removeAll { $0 == "_" }
        if let whole = integer(plain) { return .integer(whole) }
        return isDecimal(plain.utf8) ? .decimal(plain) : .string(text)
    }

    /// A whole number in 64 bits, as Go's `ParseInt` and `ParseUint` read it with base 0.
    static func integer(_ text: String) -> Int128? {
        var digits = Substring(text)
        let sign = digits.first.flatMap { $0 == "+" || $0 == "-" ? $0 : nil }
        if sign != nil { digits.removeFirst() }
        var radix = 10
        if digits.first == "0", digits.utf8.count > 1 {
            digits.removeFirst()
            radix = 8
            let prefixes: [Character: Int] = ["x": 16, "X": 16, "o": 8, "O": 8, "b": 2, "B": 2]
            // Of any other letter `0a7` would keep its digits alone, and be a number.
            if let prefix = digits.first, let named = prefixes[prefix] {
                radix = named
                digits.removeFirst()
            }
        }
        // Swift would take a second sign here.
        guard let first = digits.utf8.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "-"),
            let magnitude = UInt64(digits, radix: radix)
        else { return nil }
        let value = Int128(magnitude)
        switch sign {
        case "-": return -value >= Int128(Int64.min) ? -value : nil
        case "+": return value <= Int128(Int64.max) ? value : nil
        default: return value
        }
    }

    /// Whether it is `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, and fits in a double.
    private static func isDecimal(_ text: some Collection<UInt8>) -> Bool {
        var rest = text[...]
        func takeSign() {
            if let first = rest.first, first == UInt8(ascii: "+") || first == UInt8(ascii: "-") {
                rest.removeFirst()
            }
        }
        func takeDigits() -> Int {
            let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            rest = rest.dropFirst(digits.count)
            return digits.count
        }
        takeSign()
        let whole = takeDigits()
        if rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            let fraction = takeDigits()
            guard whole > 0 || fraction > 0 else { return false }
        } else if whole == 0 {
            return false
        }
        if let first = rest.first, first == UInt8(ascii: "e") || first == UInt8(ascii: "E") {
            rest.removeFirst()
            takeSign()
            guard takeDigits() > 0 else { return false }
        }
        guard rest.isEmpty, let value = Double(String(decoding: text, as: UTF8.self)) else {
            return false
        }
        return value.isFinite
    }
}
