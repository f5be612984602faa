/// Sizes in bytes as people write and read them, in binary units.
enum ByteSize {
    private static let units = ["K", "M", "G", "T", "P", "E"]

    /// Reads `4096`, `512M`, `10G`, `10GiB` or `1t`.
    static func parse(_ text: String) throws(InvalidValue) -> UInt64 {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit = text.dropFirst(digits.count).uppercased()
        guard let number = UInt64(digits) else {
            throw InvalidValue(expectation: "a size in bytes, such as 4096, 512M, 10G or 1TiB")
        }
        if unit.isEmpty || unit == "B" { return number }
        if unit.count == 2, unit.hasSuffix("B"), let letter = unit.first,
            units.contains(String(letter))
        {
            // "10GB" means 10^9 to some and 2^30 to others: a disk of the wrong size is worse.
            throw InvalidValue(
                expectation: "a binary unit: write \(digits)\(letter) for \(digits) \(letter)iB"
            )
        }
        let prefix = unit.hasSuffix("IB") ? String(unit.dropLast(2)) : unit
        guard let power = units.firstIndex(of: prefix) else {
            throw InvalidValue(expectation: "a unit among K, M, G, T, P and E, such as 512M or 10G")
        }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << (10 * (power + 1)))
        guard !overflow else {
            throw InvalidValue(expectation: "a size below 16E")
        }
        return bytes
    }

    /// `1.5 GiB`: rounded to three digits, for people.
    static func text(_ bytes: UInt64) -> String {
        guard bytes >= 1024 else { return "\(bytes) B" }
        var power = (63 - bytes.leadingZeroBitCount) / 10
        var tenths = rounded(bytes, power)
        if tenths >= 10235 {
            power += 1
            tenths = rounded(bytes, power)
        }
        // A fraction is told where it matters: 1.5 GiB, but 512 MiB and 931 GiB.
        let showsFraction = tenths < 1000 && tenths % 10 != 0
        let number = showsFraction ? "\(tenths / 10).\(tenths % 10)" : "\((tenths + 5) / 10)"
        return "\(number) \(units[power - 1])iB"
    }

    /// `1536M`: what ``parse(_:)`` reads as exactly this size, in the largest unit that fits.
    static func exactText(_ bytes: UInt64) -> String {
        guard bytes > 0 else { return "0" }
        let power = min(bytes.trailingZeroBitCount / 10, units.count)
        return power == 0 ? String(bytes) : "\(bytes >> (10 * power))\(units[power - 1])"
    }

    /// Tenths of a unit, rounded to the nearest; ten times the rest stays below 2^64.
    private static func rounded(_ bytes: UInt64, _ power: Int) -> UInt64 {
        let shift = UInt64(10 * power)
        let rest = bytes & ((1 << shift) - 1)
        let twentieths = (rest * 10) >> (shift - 1)
        return (bytes >> shift) * 10 + (twentieths + 1) / 2
    }
}
