/// What a measured number is called, what it counts, and which way is better.
public struct Figure: Sendable, Hashable {
    /// What a number counts.
    public enum Unit: String, Sendable, CaseIterable {
        /// A time: less is better.
        case nanoseconds = "ns"
        /// Requests: more is better.
        case operationsPerSecond = "1/s"
        /// Data: more is better.
        case bytesPerSecond = "B/s"
    }

    /// Its name, which does not change between versions: results are compared by it.
    public let name: String
    /// What it counts.
    public let unit: Unit

    /// A figure.
    public init(name: String, unit: Unit) {
        self.name = name
        self.unit = unit
    }

    /// Whether more is better.
    public var isHigherBetter: Bool { unit != .nanoseconds }

    /// How many times better a value is than another; above 1 is better, whichever way that is.
    public func gain(of value: Double, over other: Double) -> Double {
        isHigherBetter ? value / other : other / value
    }
}

/// A figure that was measured several times.
public struct MeasuredFigure: Sendable, Equatable {
    /// Which.
    public let figure: Figure
    /// A value for each round, in their order; at least one.
    public let values: [Double]
    /// The value in the middle.
    public let median: Double
    /// How far the others lie from it, in the middle.
    public let deviation: Double

    /// Less than nothing ever takes, and more than any machine does: what lies beyond is no
    /// measurement, and would spoil a ratio.
    private static let plausible = 1e-9...1e18

    /// - Returns: nil without values, or where one is no positive number.
    public init?(_ figure: Figure, _ values: [Double]) {
        guard let median = Statistics.median(values), let deviation = Statistics.deviation(values),
            values.allSatisfy({ Self.plausible.contains($0) })
        else { return nil }
        self.figure = figure
        self.values = values
        self.median = median
        self.deviation = deviation
    }

    /// The deviation as a share of the median.
    public var spread: Double { deviation / median }

    /// Whether there are enough values for the deviation to say something: two can agree by chance.
    public var hasSpread: Bool { values.count >= 3 }
}
