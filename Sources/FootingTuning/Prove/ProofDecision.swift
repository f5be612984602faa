internal import Glibc

/// What A/B/A/B/A of one figure says: pure arithmetic, without a clock.
///
/// Each B is compared with the geometric mean of the A before it and the A after it, so that a
/// machine that becomes steadily faster or slower meanwhile, by any factor a step, favours neither.
/// What counts is the middle of these ratios, and by how much they differ among themselves.
public struct FigureSeries: Sendable, Equatable {
    /// Which figure.
    public let figure: Figure
    /// Measured without the change: one more than with it.
    public let without: [Double]
    /// Measured with the change, each between two of the others.
    public let with: [Double]
    /// How many times better it is with the change; below 1 it is worse.
    public let gain: Double
    /// How far ratios lie from their middle, as a share of it: those of the pairs, or of the A's
    /// with their own neighbours, whichever is more.
    public let noise: Double

    /// The least that counts as a difference.
    public static let leastDifference = 0.1
    /// How many times the noise a difference must be.
    public static let noiseFactor = 3.0
    /// The fewest pairs that say anything.
    public static let roundsMinimum = 3

    /// - Returns: nil with too few values, or with one that is no positive number.
    public init?(_ figure: Figure, without: [Double], with: [Double]) {
        guard with.count >= Self.roundsMinimum, without.count == with.count + 1,
            MeasuredFigure(figure, without) != nil, MeasuredFigure(figure, with) != nil
        else { return nil }
        self.figure = figure
        self.without = without
        self.with = with
        let pairs = with.indices.map { index in
            figure.gain(of: with[index], over: sqrt(without[index]) * sqrt(without[index + 1]))
        }
        let own = (1..<without.count - 1).map { index in
            figure.gain(
                of: without[index],
                over: sqrt(without[index - 1]) * sqrt(without[index + 1])
            )
        }
        let gain = Statistics.median(pairs) ?? 1
        self.gain = gain
        // Of the A's the middle is known: none differs from its neighbours but by chance.
        let ownNoise = Statistics.median(own.map { abs($0 - 1) }) ?? 0
        // A share: where something is ten times as fast, ratios differ ten times as much.
        noise = max((Statistics.deviation(pairs) ?? 0) / gain, ownNoise)
    }

    /// What a difference must exceed: 10 %, or three times the noise.
    public var threshold: Double { max(Self.leastDifference, Self.noiseFactor * noise) }

    /// Whether the change makes this figure better by more than the noise.
    public var isBetter: Bool { gain > 1 + threshold }

    /// Whether it makes it worse by more than the noise.
    public var isWorse: Bool { gain < 1 / (1 + threshold) }
}

/// Whether a change stays.
public enum ProofDecision: Sendable, Equatable {
    /// The chosen figure is better, and no other is worse.
    case keep
    /// The chosen figure is not better by more than the noise.
    case noGain
    /// It is, but these others are worse.
    case harms([String])

    /// Decides.
    ///
    /// - Parameters:
    ///   - series: every figure that was measured.
    ///   - chosen: the name of the one that the change is for.
    public static func decide(_ series: [FigureSeries], chosen: String) -> ProofDecision {
        guard let own = series.first(where: { $0.figure.name == chosen }), own.isBetter else {
            return .noGain
        }
        let worse = series.filter { $0.figure.name != chosen && $0.isWorse }.map(\.figure.name)
        return worse.isEmpty ? .keep : .harms(worse)
    }

    /// Its name in documents.
    public var name: String {
        switch self {
        case .keep: "kept"
        case .noGain: "no gain"
        case .harms: "harms others"
        }
    }
}
