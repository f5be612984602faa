/// How long requests took: all of them, or every n-th where there are very many.
public struct Latencies: Sendable {
    /// Four megabytes; every second is dropped when there are more.
    private static let countMaximum = 1 << 19

    private var nanoseconds: [UInt64] = []
    private var stride = 1
    private var skipped = 0
    /// The longest of all, also of those that were dropped.
    public private(set) var maximum: UInt64 = 0

    mutating func add(_ value: UInt64) {
        maximum = max(maximum, value)
        skipped += 1
        guard skipped == stride else { return }
        skipped = 0
        if nanoseconds.count == Self.countMaximum {
            nanoseconds = nanoseconds.indices.filter { !$0.isMultiple(of: 2) }
                .map { nanoseconds[$0] }
            stride *= 2
        }
        nanoseconds.append(value)
    }

    /// Adds those of another thread that did the same.
    mutating func add(_ other: Latencies) {
        maximum = max(maximum, other.maximum)
        nanoseconds += other.nanoseconds
    }

    /// Nothing was timed.
    public var isEmpty: Bool { nanoseconds.isEmpty }

    /// A time that a share of the requests did not exceed.
    public func quantile(_ share: Double) -> UInt64? {
        Statistics.quantile(share, of: nanoseconds.sorted())
    }

    /// `p50`, `p90`, `p99`, `p99.9` and `max`; a time below a nanosecond counts as one.
    func figures(_ prefix: String = "") -> [(figure: Figure, value: Double)] {
        let sorted = nanoseconds.sorted()
        var figures: [(figure: Figure, value: Double)] = []
        for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)] {
            guard let value = Statistics.quantile(share, of: sorted) else { return [] }
            let figure = Figure(name: prefix + name, unit: .nanoseconds)
            figures.append((figure, Double(max(value, 1))))
        }
        let longest = Figure(name: prefix + "max", unit: .nanoseconds)
        figures.append((longest, Double(max(maximum, 1))))
        return figures
    }
}
