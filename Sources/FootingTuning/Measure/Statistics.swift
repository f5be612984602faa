/// What several measurements of one thing say together.
public enum Statistics {
    /// The value in the middle, or the mean of the two in the middle; nil where there are none.
    public static func median(_ values: [Double]) -> Double? {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        if sorted.count.isMultiple(of: 2) {
            // Halves first: two large values may have no sum.
            return sorted[middle - 1] / 2 + sorted[middle] / 2
        }
        return sorted[middle]
    }

    /// How far values lie from their median, in the middle (MAD); nil where there are none.
    ///
    /// Unlike a standard deviation it does not grow with how far off a single outlier is.
    public static func deviation(_ values: [Double]) -> Double? {
        guard let middle = median(values) else { return nil }
        return median(values.map { abs($0 - middle) })
    }

    /// The smallest value that a share of all does not exceed (nearest rank); nil for none.
    ///
    /// - Parameters:
    ///   - share: of the values, 0 to 1.
    ///   - sorted: in rising order.
    public static func quantile(_ share: Double, of sorted: [UInt64]) -> UInt64? {
        guard !sorted.isEmpty else { return nil }
        let rank = Int((Double(sorted.count) * min(max(share, 0), 1)).rounded(.up))
        return sorted[min(max(rank, 1), sorted.count) - 1]
    }
}
