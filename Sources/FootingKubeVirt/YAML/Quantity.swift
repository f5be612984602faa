/// An amount of a resource, as Kubernetes' `resource.Quantity`: `1Gi`, `500m`, `1e3`, `0.5`.
///
/// Exact to a billionth; what is finer is rounded away from zero, as upstream does. Kept in whole
/// numbers throughout, never as floating point.
public struct Quantity: Sendable, Hashable, Comparable {
    /// The amount in billionths.
    let billionths: Int128

    /// The largest and, negated, the smallest amount: `Int64.max`.
    ///
    /// Upstream caps binary amounts there; a decimal amount beyond cannot be a count of bytes
    /// either, and is refused here.
    private static let limit = Int128(Int64.max) * 1_000_000_000

    /// A whole amount.
    public init(_ whole: Int64) {
        billionths = Int128(whole) * 1_000_000_000
    }

    private init(billionths: Int128) {
        self.billionths = billionths
    }

    /// Smaller amounts first.
    public static func < (left: Quantity, right: Quantity) -> Bool {
        left.billionths < right.billionths
    }

    /// The amount as a whole number, rounded away from zero, as upstream's `Value()`.
    public var roundedUp: Int64 {
        let whole = billionths / 1_000_000_000
        let rest = billionths % 1_000_000_000
        return Int64(rest == 0 ? whole : whole + (billionths < 0 ? -1 : 1))
    }

    /// The amount as a whole number of bytes, where a fraction of one is left out.
    public var wholeBytes: Int64 { Int64(billionths / 1_000_000_000) }

    /// Whether it is nothing.
    public var isZero: Bool { billionths == 0 }

    /// Reads an amount; nil if it is none, or a decimal one that 64 bits cannot hold.
    public init?(_ text: String) {
        guard let parts = QuantityParts(text) else { return nil }
        guard let magnitude = parts.billionths(limit: Self.limit) else { return nil }
        billionths = parts.isNegative ? -magnitude : magnitude
    }
}

/// The pieces of a written amount.
private struct QuantityParts {
    var isNegative = false
    /// The digits before and after the point, without leading zeros.
    var digits: [UInt8] = []
    /// How many of the digits stand after the point.
    var fractionDigits = 0
    var suffix = Suffix.decimal(0)

    enum Suffix {
        /// Times ten to this.
        case decimal(Int)
        /// Times two to this.
        case binary(Int)
    }

    init?(_ text: String) {
        var rest = text.utf8[...]
        if let first = rest.first, first == UInt8(ascii: "-") || first == UInt8(ascii: "+") {
            isNegative = first == UInt8(ascii: "-")
            rest.removeFirst()
        }
        let zero = UInt8(ascii: "0")
        let whole = rest.prefix { (zero...UInt8(ascii: "9")).contains($0) }
        rest = rest.dropFirst(whole.count)
        var fraction = whole.prefix(0)
        if rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            fraction = rest.prefix { (zero...UInt8(ascii: "9")).contains($0) }
            rest = rest.dropFirst(fraction.count)
        }
        guard !whole.isEmpty || !fraction.isEmpty else { return nil }
        guard let suffix = Self.suffix(rest) else { return nil }
        self.suffix = suffix
        digits = whole.drop { $0 == zero }.map { $0 - zero } + fraction.map { $0 - zero }
        fractionDigits = fraction.count
        digits = Array(digits.drop { $0 == 0 })
    }

    private static func suffix(_ text: Substring.UTF8View) -> Suffix? {
        switch String(decoding: text, as: UTF8.self) {
        case "": return .decimal(0)
        case "n": return .decimal(-9)
        case "u": return .decimal(-6)
        case "m": return .decimal(-3)
        case "k": return .decimal(3)
        case "M": return .decimal(6)
        case "G": return .decimal(9)
        case "T": return .decimal(12)
        case "P": return .decimal(15)
        case "E": return .decimal(18)
        case "Ki": return .binary(10)
        case "Mi": return .binary(20)
        case "Gi": return .binary(30)
        case "Ti": return .binary(40)
        case "Pi": return .binary(50)
        case "Ei": return .binary(60)
        default:
            guard text.first == UInt8(ascii: "e") || text.first == UInt8(ascii: "E") else {
                return nil
            }
            let digits = text.dropFirst()
            // A longer exponent is beyond anything that can be held.
            guard digits.count <= 6, let exponent = Int(String(decoding: digits, as: UTF8.self))
            else { return nil }
            return .decimal(exponent)
        }
    }

    /// The magnitude in billionths, rounded up; nil if a decimal amount is beyond the limit.
    func billionths(limit: Int128) -> Int128? {
        guard !digits.isEmpty else { return 0 }
        var point = digits.count - fractionDigits
        var unit: Int128 = 1_000_000_000
        var beyond: Int128?
        switch suffix {
        case .decimal(let exponent):
            point += exponent
        case .binary(let exponent):
            unit <<= exponent
            beyond = limit
        }
        // A unit is less than 10^28, and what can be held has 19 digits before the point.
        guard point <= 40 else { return beyond }
        guard point >= -40 else { return 1 }
        var whole: Int128 = 0
        for index in 0..<max(point, 0) {
            let (times, overflow) = whole.multipliedReportingOverflow(by: 10)
            guard !overflow else { return beyond }
            whole = times + (index < digits.count ? Int128(digits[index]) : 0)
        }
        // From the last digit on, so that leaving out fractions on the way changes no whole part.
        var part: Int128 = 0
        var isInexact = false
        let fraction = Array(repeating: 0, count: max(-point, 0)) + digits.dropFirst(max(point, 0))
        for digit in fraction.reversed() {
            let sum = Int128(digit) * unit + part
            isInexact = isInexact || sum % 10 != 0
            part = sum / 10
        }
        let (scaled, overflow) = whole.multipliedReportingOverflow(by: unit)
        guard !overflow, scaled <= limit else { return beyond }
        let value = scaled + part + (isInexact ? 1 : 0)
        return value <= limit ? value : beyond
    }
}
