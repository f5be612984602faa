/// Times as people write and read them.
enum DurationText {
    private static let units: [(name: String, nanoseconds: Int64)] = [
        ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000),
        ("ms", 1_000_000), ("us", 1000), ("ns", 1),
    ]

    /// Reads `250ms`, `5s`, `2m` or `1h`; the unit is required.
    static func parse(_ text: String) throws(InvalidValue) -> Duration {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit = text.dropFirst(digits.count)
        guard let number = Int64(digits), let scale = units.first(where: { $0.name == unit }) else {
            throw InvalidValue(
                expectation: "a time with its unit (ns, us, ms, s, m or h), such as 250ms or 5s"
            )
        }
        let (nanoseconds, overflow) = number.multipliedReportingOverflow(by: scale.nanoseconds)
        guard !overflow else {
            throw InvalidValue(expectation: "a time below 292 years")
        }
        return .nanoseconds(nanoseconds)
    }

    /// `250 ms`, `1.5 s`, `2 min 5 s`: for people.
    static func text(_ duration: Duration) -> String {
        let nanoseconds = nanoseconds(duration)
        if nanoseconds < 0 { return "-" + text(.zero - duration) }
        let seconds = (nanoseconds + 500_000_000) / 1_000_000_000
        if seconds >= 3600 { return pair(seconds / 60, "h", "min") }
        if seconds >= 60 { return pair(seconds, "min", "s") }
        for (name, scale) in [("s", 1_000_000_000), ("ms", 1_000_000), ("µs", 1000)] as [(_, Int64)]
        where nanoseconds >= scale {
            let tenths = (nanoseconds * 10 + scale / 2) / scale
            let showsFraction = tenths < 100 && tenths % 10 != 0
            let number = showsFraction ? "\(tenths / 10).\(tenths % 10)" : "\((tenths + 5) / 10)"
            return "\(number) \(name)"
        }
        return "\(nanoseconds) ns"
    }

    /// `1500ms`: what ``parse(_:)`` reads as exactly this time, in the largest unit that fits.
    static func exactText(_ duration: Duration) -> String {
        let nanoseconds = nanoseconds(duration)
        let fitting = units.first {
            nanoseconds.isMultiple(of: $0.nanoseconds) && nanoseconds >= $0.nanoseconds
        }
        guard let fitting else { return "0s" }
        return "\(nanoseconds / fitting.nanoseconds)\(fitting.name)"
    }

    private static func nanoseconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }

    private static func pair(_ count: Int64, _ large: String, _ small: String) -> String {
        let rest = count % 60
        return "\(count / 60) \(large)" + (rest == 0 ? "" : " \(rest) \(small)")
    }
}
