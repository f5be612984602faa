/// Sizes and times as profiles have them, in the largest unit that is exact.
enum ProfileUnits {
    private typealias Scale = [(name: String, factor: UInt64)]

    private static let bytes: Scale = [
        ("T", 1 << 40), ("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10), ("", 1),
    ]
    private static let microseconds: Scale = [
        ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1000), ("us", 1),
    ]

    /// Reads `48M`; the units are K, M, G and T, in powers of 1024.
    static func bytes(_ text: String) -> UInt64? { number(text, bytes) }

    /// Reads `250ms`; the units are us, ms, s, m and h.
    static func microseconds(_ text: String) -> UInt64? { number(text, microseconds) }

    static func bytesText(_ number: UInt64) -> String { text(number, bytes) }

    static func microsecondsText(_ number: UInt64) -> String { text(number, microseconds) }

    /// A whole number in decimal digits, without a sign.
    static func count(_ text: String) -> UInt64? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return UInt64(text)
    }

    private static func number(_ text: String, _ scale: Scale) -> UInt64? {
        let digits = text.utf8.prefix { (48...57).contains($0) }
        guard let number = count(String(Substring(digits))),
            let unit = scale.first(where: {
                $0.name.utf8.elementsEqual(text.utf8.dropFirst(digits.count))
            })
        else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: unit.factor)
        return overflow ? nil : product
    }

    private static func text(_ number: UInt64, _ scale: Scale) -> String {
        guard number > 0, let unit = scale.first(where: { number.isMultiple(of: $0.factor) })
        else { return "0" + (scale.last?.name ?? "") }
        return "\(number / unit.factor)\(unit.name)"
    }
}
