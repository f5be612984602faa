import FootingSystem
import Testing

/// Values counted by size: against the exact ones, from many threads, and at the limits.
@Suite struct HistogramTests {
    private typealias Buckets = Histogram.Buckets

    private func counts(_ histogram: Histogram) -> HistogramCounts {
        var counts = HistogramCounts()
        histogram.add(to: &counts)
        return counts
    }

    @Test func `each bucket ends where the next one begins`() {
        for index in 0..<Buckets.count {
            let limit = Buckets.upperBound(index)
            #expect(Buckets.index(limit) == index)
            #expect(Buckets.index(limit + 1) == min(index + 1, Buckets.count - 1))
        }
        #expect(Buckets.index(0) == 0)
        #expect(Buckets.upperBound(15) == 1024)
        #expect(Buckets.maximum == 1 << 36)
    }

    /// OpenMetrics has these as limits, and must not have to guess.
    @Test(arguments: 10...33) func `powers of two and their halves between are limits`(_ bits: Int)
    {
        for limit in [UInt64(1) << bits, UInt64(3) << (bits - 1)] {
            #expect(Buckets.upperBound(Buckets.index(limit)) == limit)
        }
    }

    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
    func `quantiles are the exact ones, rounded up by a sixteenth`(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let histogram = Histogram()
        // Spread over all sizes, as latencies are.
        var values = (0..<10_000).map { _ in
            random.next() >> (30 + random.next() % 30)
        }
        for value in values { histogram.record(value) }
        values.sort()
        let counts = counts(histogram)
        #expect(counts.count == 10_000)
        #expect(counts.sum == values.reduce(0, +))
        for share in [0.001, 0.5, 0.9, 0.99, 0.999, 1] {
            let exact = values[Int((10_000 * share).rounded(.up)) - 1]
            guard let told = counts.quantile(share) else {
                Issue.record("no quantile")
                continue
            }
            #expect(told >= exact)
            #expect(told <= exact + max(64, exact / 16), "\(share): \(exact) as \(told)")
        }
    }

    @Test func `values beyond the last bucket count as its limit`() {
        let histogram = Histogram()
        histogram.record(.max)
        histogram.record(Buckets.maximum + 1, count: 2)
        histogram.record(0)
        let counts = counts(histogram)
        #expect(counts.count == 4)
        #expect(counts.buckets[Buckets.count - 1] == 3)
        #expect(counts.quantile(0.5) == Buckets.maximum)
        #expect(counts.quantile(0.25) == 64)
    }

    @Test func `counts that overflow wrap around and end nothing`() {
        let histogram = Histogram()
        histogram.record(1000, count: .max)
        histogram.record(.max, count: .max)
        #expect(counts(histogram).count == UInt64.max - 1)
        #expect(counts(histogram).quantile(1) != nil)
        histogram.record(1000, count: 2)
        histogram.record(100)
        let counts = counts(histogram)
        #expect(counts.buckets[Buckets.index(1000)] == 1)
        #expect(counts.buckets[Buckets.index(100)] == 1)
    }

    @Test func `nothing has no quantile, and a difference only what came since`() {
        let histogram = Histogram()
        #expect(counts(histogram).quantile(0.5) == nil)
        histogram.record(100, count: 5)
        let before = counts(histogram)
        histogram.record(5000, count: 3)
        let since = counts(histogram).since(before)
        #expect(since.count == 3)
        #expect(since.sum == 15_000)
        #expect(since.quantile(0.01) == 5120)
    }

    @Test func `threads that count at once lose nothing`() throws {
        let histogram = Histogram()
        let rounds = 20_000
        let running = Locked(8)
        for number in 0..<8 {
            try Thread(name: "count-\(number)") {
                for round in 0..<rounds { histogram.record(UInt64(number * 1000 + round % 7)) }
                running.withLock { $0 -= 1 }
                running.wakeAll()
            }.detach()
        }
        // Readers see counts that only grow.
        var last: UInt64 = 0
        for _ in 0..<50 {
            let now = counts(histogram).count
            #expect(now >= last)
            last = now
        }
        running.withLock { left in
            while left > 0 { running.wait(&left) }
        }
        #expect(counts(histogram).count == UInt64(8 * rounds))
    }
}
