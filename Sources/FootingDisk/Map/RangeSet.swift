/// A set of blocks as disjoint ranges in order, for trims too large to list block by block.
struct RangeSet: Sendable {
    private(set) var ranges: [Range<UInt64>] = []

    var isEmpty: Bool { ranges.isEmpty }

    /// Index of the first range that ends after a block.
    private func index(after block: UInt64) -> Int {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound <= block {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }

    func contains(_ block: UInt64) -> Bool {
        if ranges.isEmpty { return false }
        let index = index(after: block)
        return index < ranges.count && ranges[index].lowerBound <= block
    }

    /// Whether any block of a range is in the set.
    func overlaps(_ range: Range<UInt64>) -> Bool {
        let index = index(after: range.lowerBound)
        return index < ranges.count && ranges[index].lowerBound < range.upperBound
    }

    /// The ranges that overlap a range, cut to it.
    func intersection(_ range: Range<UInt64>) -> [Range<UInt64>] {
        var result: [Range<UInt64>] = []
        var index = index(after: range.lowerBound)
        while index < ranges.count, ranges[index].lowerBound < range.upperBound {
            result.append(ranges[index].clamped(to: range))
            index += 1
        }
        return result
    }

    /// Adds a range, joining what it touches.
    mutating func insert(_ range: Range<UInt64>) {
        if range.isEmpty { return }
        var merged = range
        let first = index(after: range.lowerBound == 0 ? 0 : range.lowerBound - 1)
        var end = first
        while end < ranges.count, ranges[end].lowerBound <= merged.upperBound {
            merged =
                min(
                    merged.lowerBound,
                    ranges[end].lowerBound
                )..<max(
                    merged.upperBound,
                    ranges[end].upperBound
                )
            end += 1
        }
        ranges.replaceSubrange(first..<end, with: [merged])
    }
}
