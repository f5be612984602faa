internal import FootingTuning

/// Measured numbers for people.
enum FigureText {
    /// `120 µs`, `15.2k/s` or `1.2 GiB/s`.
    static func text(_ value: Double, _ unit: Figure.Unit) -> String {
        let bounded = min(max(value, 0), 1e18)
        switch unit {
        case .nanoseconds: return DurationText.text(.nanoseconds(Int64(bounded.rounded())))
        case .bytesPerSecond: return ByteSize.text(UInt64(bounded.rounded())) + "/s"
        case .operationsPerSecond: return count(bounded) + "/s"
        }
    }

    private static func count(_ value: Double) -> String {
        for (scale, name) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] where value >= scale {
            return fixed(value / scale, digits: value / scale < 100 ? 1 : 0) + name
        }
        return fixed(value, digits: value < 10 ? 1 : 0)
    }

    /// `1.42`: a number with so many digits behind the point.
    static func fixed(_ value: Double, digits: Int) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "out of range" }
        var scale: Int64 = 1
        for _ in 0..<digits { scale *= 10 }
        // Nothing above 10^15 comes here, and three digits are the most that is asked for.
        let scaled = Int64((abs(value) * Double(min(scale, 1000))).rounded())
        let sign = value < 0 && scaled > 0 ? "-" : ""
        if digits == 0 { return "\(sign)\(scaled)" }
        let rest = String(scaled % scale)
        let zeros = String(repeating: "0", count: digits - rest.count)
        return "\(sign)\(scaled / scale).\(zeros)\(rest)"
    }

    /// `± 3 %`.
    static func spread(_ share: Double) -> String { "± \(fixed(share * 100, digits: 0)) %" }

    /// The same of what was measured; `-` where too few values tell nothing of it.
    static func spread(_ figure: MeasuredFigure) -> String {
        figure.hasSpread ? spread(figure.spread) : "-"
    }

    /// `1.42x`.
    static func gain(_ gain: Double) -> String { fixed(gain, digits: 2) + "x" }
}
