import Testing

@testable import FootingTuning

@Suite struct StatisticsTests {
    @Test(
        arguments: [
            ([], nil), ([3], 3), ([3, 1], 2), ([5, 1, 3], 3), ([4, 1, 3, 2], 2.5),
            ([1e308, 1e308], 1e308), ([1, 1, 1, 1000], 1),
        ] as [([Double], Double?)]
    )
    func `the median is the value in the middle`(_ values: [Double], _ median: Double?) {
        #expect(Statistics.median(values) == median)
    }

    @Test(
        arguments: [
            ([], nil), ([7], 0), ([1, 2, 3, 4, 5], 1), ([1, 1, 2, 2, 4, 6, 9], 1),
            ([10, 10, 10, 1000], 0),
        ] as [([Double], Double?)]
    )
    func `the deviation is the distance in the middle`(_ values: [Double], _ mad: Double?) {
        #expect(Statistics.deviation(values) == mad)
    }

    @Test func `a quantile is a value that was there`() {
        let hundred = (1...100).map { UInt64($0) }
        #expect(Statistics.quantile(0.5, of: hundred) == 50)
        #expect(Statistics.quantile(0.99, of: hundred) == 99)
        #expect(Statistics.quantile(0.999, of: hundred) == 100)
        #expect(Statistics.quantile(0, of: hundred) == 1)
        #expect(Statistics.quantile(7, of: hundred) == 100)
        #expect(Statistics.quantile(0.5, of: [9]) == 9)
        #expect(Statistics.quantile(0.5, of: []) == nil)
    }

    @Test func `a figure without positive values was not measured`() {
        let figure = Figure(name: "operations", unit: .operationsPerSecond)
        let measured = MeasuredFigure(figure, [100, 110, 90])
        #expect(measured?.median == 100)
        #expect(measured?.deviation == 10)
        #expect(measured?.spread == 0.1)
        for bad in [[], [0], [-1], [.nan], [.infinity], [1, 1e300]] as [[Double]] {
            #expect(MeasuredFigure(figure, bad) == nil, "\(bad)")
        }
    }

    @Test func `better is more of a rate and less of a time`() {
        let rate = Figure(name: "a", unit: .bytesPerSecond)
        let time = Figure(name: "b", unit: .nanoseconds)
        #expect(rate.gain(of: 200, over: 100) == 2)
        #expect(time.gain(of: 200, over: 100) == 0.5)
    }

    @Test func `very many times are thinned out, and the longest is kept`() {
        var all = Latencies()
        for value in 1...1_200_000 { all.add(UInt64(value)) }
        let median = Double(all.quantile(0.5) ?? 0)
        #expect(abs(median / 600_000 - 1) < 0.01)
        #expect(all.maximum == 1_200_000)
        #expect(Latencies().quantile(0.5) == nil)
    }
}
