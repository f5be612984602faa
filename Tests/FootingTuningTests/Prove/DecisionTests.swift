import FootingSystem
import Glibc
import Testing

@testable import FootingTuning

/// What follows from measured values, without a clock and without a machine.
@Suite struct DecisionTests {
    private static let rate = Figure(name: "rate", unit: .operationsPerSecond)
    private static let time = Figure(name: "time", unit: .nanoseconds)

    private func series(
        _ figure: Figure = rate,
        _ without: [Double],
        _ with: [Double]
    ) throws -> FigureSeries {
        try #require(FigureSeries(figure, without: without, with: with))
    }

    @Test func `more of a rate, and less of a time, is better`() throws {
        let rate = try series(Self.rate, [100, 100, 100, 100], [150, 150, 150])
        #expect(rate.gain == 1.5)
        #expect(rate.noise == 0)
        #expect(rate.threshold == 0.1)
        #expect(rate.isBetter && !rate.isWorse)
        let time = try series(Self.time, [100, 100, 100, 100], [150, 150, 150])
        #expect(!time.isBetter && time.isWorse)
    }

    @Test(arguments: [(1.09, false), (1.11, true)])
    func `a difference must exceed a tenth`(_ factor: Double, _ isBetter: Bool) throws {
        let value = 100 * factor
        let one = try series(Self.rate, [100, 100, 100, 100], [value, value, value])
        #expect(one.isBetter == isBetter)
    }

    @Test func `a difference must exceed three times the noise of the pairs`() throws {
        // Ratios 1.1, 1.3, 1.5: their deviation in the middle is 0.2 of 1.3.
        let noisy = try series(Self.rate, [100, 100, 100, 100], [110, 130, 150])
        #expect(abs(noisy.noise - 0.2 / 1.3) < 1e-9)
        #expect(!noisy.isBetter)
        let clear = try series(Self.rate, [100, 100, 100, 100], [125, 130, 135])
        #expect(clear.isBetter)
        // What is many times better differs by more, but not as a share.
        let large = try series(Self.rate, [100, 100, 100, 100], [700, 1000, 1400])
        #expect(large.isBetter, "noise \(large.noise)")
    }

    @Test func `noise without the change counts as well`() throws {
        let one = try series(Self.rate, [100, 150, 100, 150, 100, 150], [160, 160, 160, 160, 160])
        #expect(one.gain > 1.25)
        #expect(!one.isBetter, "noise \(one.noise)")
    }

    @Test(arguments: [0.7, 0.97, 1.03, 1.2, 2])
    func `a machine that drifts steadily favours neither`(_ factor: Double) throws {
        // A, B, A, B, ...: each measurement is `factor` times the one before.
        let all = (0..<11).map { 1000 * pow(factor, Double($0)) }
        let without = all.indices.filter { $0.isMultiple(of: 2) }.map { all[$0] }
        let with = all.indices.filter { !$0.isMultiple(of: 2) }.map { all[$0] }
        for figure in [Self.rate, Self.time] {
            let one = try series(figure, without, with)
            #expect(abs(one.gain - 1) < 1e-9)
            #expect(!one.isBetter && !one.isWorse)
        }
    }

    @Test func `a gain is seen through a drift`() throws {
        let all = (0..<11).map { index in
            1000 * pow(1.2, Double(index)) * (index.isMultiple(of: 2) ? 1 : 1.5)
        }
        let without = all.indices.filter { $0.isMultiple(of: 2) }.map { all[$0] }
        let with = all.indices.filter { !$0.isMultiple(of: 2) }.map { all[$0] }
        let one = try series(Self.rate, without, with)
        #expect(abs(one.gain - 1.5) < 1e-9)
        #expect(one.isBetter)
    }

    @Test func `a machine that becomes faster at once favours neither`() throws {
        for at in 0..<11 {
            let all = (0..<11).map { $0 < at ? 100.0 : 200.0 }
            let without = all.indices.filter { $0.isMultiple(of: 2) }.map { all[$0] }
            let with = all.indices.filter { !$0.isMultiple(of: 2) }.map { all[$0] }
            #expect(try !series(Self.rate, without, with).isBetter, "at \(at)")
        }
    }

    @Test(arguments: [0.02, 0.1, 0.3, 0.6])
    func `noise alone is hardly ever kept`(_ spread: Double) throws {
        var random = SeededRandom(seed: 7)
        var kept = 0
        let runs = 2000
        for _ in 0..<runs {
            func value() -> Double {
                // The sum of four is about as values around a middle are spread.
                let sum = (0..<4).reduce(0.0) { sum, _ in
                    sum + Double(random.below(1_000_000)) / 1e6 - 0.5
                }
                return 1000 * exp(spread * sum)
            }
            let one = try series(
                Self.rate,
                (0..<6).map { _ in value() },
                (0..<5).map { _ in value() }
            )
            if one.isBetter { kept += 1 }
        }
        #expect(kept < runs / 50, "\(kept) of \(runs)")
    }

    /// As docs/prove.md says: of two kinds as with a cache that helps now and then.
    @Test(arguments: [(3, 0.1), (5, 0.05), (7, 0.025)], [0.2, 0.35, 0.5])
    func `values of two kinds are seldom kept, and the less the more rounds`(
        _ rounds: (count: Int, share: Double),
        _ often: Double
    ) throws {
        var random = SeededRandom(seed: 11)
        func value() -> Double {
            let isFast = Double(random.below(1_000_000)) / 1e6 < often
            return (isFast ? 1500 : 1000) * (1 + Double(random.below(40_000)) / 1e6)
        }
        let runs = 4000
        var kept = 0
        for _ in 0..<runs {
            let without = (0...rounds.count).map { _ in value() }
            let with = (0..<rounds.count).map { _ in value() }
            if try series(Self.rate, without, with).isBetter { kept += 1 }
        }
        #expect(Double(kept) < rounds.share * Double(runs), "\(kept) of \(runs)")
    }

    /// As docs/prove.md says: seven figures that nothing happened to, beside one that doubled.
    @Test(arguments: [(3, 0.25, 0.035), (5, 0.12, 0.015)])
    func `a harm by chance is seldom seen twice`(
        _ rounds: Int,
        _ once: Double,
        _ twice: Double
    ) throws {
        var random = SeededRandom(seed: 5)
        func values(_ count: Int, _ factor: Double = 1) -> [Double] {
            (0..<count).map { _ in factor * (700 + Double(random.below(600_001)) / 1000) }
        }
        let runs = 2000
        var harms = (once: 0, twice: 0)
        for _ in 0..<runs {
            let names = ["own"] + (0..<7).map { "other\($0)" }
            let all = names.map { name in
                let figure = Figure(name: name, unit: .operationsPerSecond)
                let with = values(2 * rounds, name == "own" ? 2 : 1)
                return (figure, without: values(2 * rounds + 1), with: with)
            }
            func isHarmed(_ rounds: Int) throws -> Bool {
                let found = try all.map { figure, without, with in
                    try series(figure, Array(without[...rounds]), Array(with[..<rounds]))
                }
                if case .harms = ProofDecision.decide(found, chosen: "own") { return true }
                return false
            }
            guard try isHarmed(rounds) else { continue }
            harms.once += 1
            if try isHarmed(2 * rounds) { harms.twice += 1 }
        }
        print("\(rounds) rounds: harms seen once \(harms.once), twice \(harms.twice) of \(runs)")
        #expect(Double(harms.once) < once * Double(runs), "\(harms)")
        #expect(Double(harms.twice) < twice * Double(runs), "\(harms)")
        // Else the second look would be for nothing.
        #expect(harms.once > 4 * harms.twice, "\(harms)")
    }

    @Test func `too few values, and none at all, decide nothing`() {
        let one = [100.0, 100, 100, 100]
        #expect(FigureSeries(Self.rate, without: one, with: [100, 100]) == nil)
        #expect(FigureSeries(Self.rate, without: [100, 100, 100], with: [100, 100]) == nil)
        #expect(FigureSeries(Self.rate, without: one, with: [100, 0, 100]) == nil)
        #expect(FigureSeries(Self.rate, without: one, with: [100, .nan, 100]) == nil)
    }

    @Test func `what helps is kept only if it harms nothing else`() throws {
        let better = try series(Self.rate, [100, 100, 100, 100], [200, 200, 200])
        let worse = try series(Self.time, [100, 100, 100, 100], [200, 200, 200])
        let same = try series(Self.time, [100, 100, 100, 100], [101, 99, 100])
        #expect(ProofDecision.decide([better, same], chosen: "rate") == .keep)
        #expect(ProofDecision.decide([better, worse], chosen: "rate") == .harms(["time"]))
        #expect(ProofDecision.decide([better, same], chosen: "time") == .noGain)
        #expect(ProofDecision.decide([better, same], chosen: "other") == .noGain)
    }
}
