import Synchronization

/// How many values of each size there were, counted by any number of threads without a lock.
///
/// Buckets are log-linear, as in HdrHistogram: 16 of equal width up to 1024, then 16 for each
/// doubling, so that a value is known to 6.25 % of itself, or 64. Values beyond the last bucket
/// count as its limit; 2^36, a bit more than 68 seconds where a value is in nanoseconds.
public final class Histogram: Sendable {
    /// Limits and numbers of buckets.
    public enum Buckets {
        /// Width of the first buckets, as a power of two.
        private static let unitBits = 6
        private static let perDoublingBits = 4
        private static let doublings = 26

        /// How many there are.
        public static let count = (1 << perDoublingBits) * (doublings + 1)

        /// The largest value that is not rounded down.
        public static let maximum = upperBound(count - 1)

        /// The bucket of a value: above the limit of the bucket before it, and at most its own.
        public static func index(_ value: UInt64) -> Int {
            let units = (max(value, 1) - 1) >> unitBits
            let perDoubling = UInt64(1) << perDoublingBits
            if units < perDoubling { return Int(units) }
            // Which power of two it begins with, and the next four bits.
            let exponent = 63 - units.leadingZeroBitCount
            let shift = exponent - perDoublingBits
            let index = (shift + 1) << perDoublingBits + Int((units >> UInt64(shift)) - perDoubling)
            return min(index, count - 1)
        }

        /// The largest value of a bucket.
        public static func upperBound(_ index: Int) -> UInt64 {
            precondition((0..<count).contains(index), "no such bucket")
            let perDoubling = 1 << perDoublingBits
            if index < perDoubling { return UInt64(index + 1) << unitBits }
            let shift = index >> perDoublingBits - 1
            let mantissa = UInt64(perDoubling + index & (perDoubling - 1) + 1)
            return mantissa << UInt64(shift + unitBits)
        }
    }

    private let cells: InlineArray<432, Atomic<UInt64>>
    private let sum = Atomic<UInt64>(0)

    /// Nothing counted yet.
    public init() {
        precondition(Buckets.count == 432, "as many cells as buckets")
        cells = InlineArray { _ in Atomic(0) }
    }

    /// Counts a value, as often as it occurred.
    public func record(_ value: UInt64, count: UInt64 = 1) {
        cells[Buckets.index(value)].wrappingAdd(count, ordering: .relaxed)
        sum.wrappingAdd(value &* count, ordering: .relaxed)
    }

    /// Adds what was counted to a sum of several.
    ///
    /// What others count meanwhile may be in the counts and not yet in their sum.
    public func add(to counts: inout HistogramCounts) {
        for index in 0..<Buckets.count {
            counts.buckets[index] &+= cells[index].load(ordering: .relaxed)
        }
        counts.sum &+= sum.load(ordering: .relaxed)
    }
}

/// What a ``Histogram`` had counted at a moment.
public struct HistogramCounts: Sendable, Equatable {
    /// Values by bucket.
    public internal(set) var buckets = [UInt64](repeating: 0, count: Histogram.Buckets.count)
    /// All values together; it wraps around.
    public internal(set) var sum: UInt64 = 0

    /// Nothing.
    public init() {}

    /// How many values there were.
    public var count: UInt64 { buckets.reduce(0, &+) }

    /// The limit of the bucket in which a share of all values ends: not too small, and too large by
    /// at most 6.25 % or 64.
    ///
    /// - Parameter share: of the values, 0 to 1.
    /// - Returns: nil where there are none.
    public func quantile(_ share: Double) -> UInt64? {
        let total = count
        guard total > 0 else { return nil }
        let rank = max(1, UInt64(exactly: (Double(total) * share).rounded(.up)) ?? total)
        var seen: UInt64 = 0
        for (index, bucket) in buckets.enumerated() {
            seen &+= bucket
            if seen >= rank { return Histogram.Buckets.upperBound(index) }
        }
        return Histogram.Buckets.maximum
    }

    /// What was counted since an earlier moment.
    public func since(_ earlier: HistogramCounts) -> HistogramCounts {
        var counts = self
        for index in buckets.indices { counts.buckets[index] &-= earlier.buckets[index] }
        counts.sum &-= earlier.sum
        return counts
    }
}
