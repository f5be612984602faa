import FootingSystem
import Glibc

@testable import FootingTuning

/// A place whose speed follows from its attributes, and from what else happens meanwhile.
struct SimulatedPlace: ProofMeasurer {
    let tree: TuningTree
    /// How many times as fast a rate is with attributes as they are.
    var speed: (TuningTree) throws -> [ProofFigure: Double]
    /// How far values lie from what they should be, as a share.
    var noise = 0.0
    /// How many times as fast the machine is at each measurement as at the one before.
    var drift = 1.0
    /// The measurement that fails, counted from 1.
    var failsAt = Int.max
    /// What is done before each measurement.
    var before: (Int) throws -> Void = { _ in }

    private(set) var count = 0
    private(set) var prepared = 0
    private var random = SeededRandom(seed: 1)

    init(_ tree: TuningTree, speed: @escaping (TuningTree) throws -> [ProofFigure: Double]) {
        self.tree = tree
        self.speed = speed
    }

    var figures: [Figure] { ProofFigure.allCases.map(\.figure) }

    mutating func prepare() throws(MeasureError) { prepared += 1 }

    mutating func measure() throws(MeasureError) -> [Double] {
        count += 1
        if count >= failsAt { throw MeasureError("the disk does not answer") }
        do {
            try before(count)
            let speeds = try speed(tree)
            var values: [Double] = []
            for figure in ProofFigure.allCases {
                let chance = Double(random.below(2_000_001) - 1_000_000) / 1e6
                let factor =
                    (speeds[figure] ?? 1) * pow(drift, Double(count))
                    * (1 + noise * chance)
                let isTime = figure.figure.unit == .nanoseconds
                values.append(isTime ? 100_000 / factor : 100_000 * factor)
            }
            return values
        } catch {
            throw MeasureError("\(error)")
        }
    }
}

/// A clock that goes on by a second each time somebody looks.
final class SteppingClock: TimeSource {
    private let seconds = Locked<UInt64>(0)

    var nanoseconds: UInt64 {
        seconds.withLock { seconds in
            seconds += 1
            return seconds * 1_000_000_000
        }
    }

    var unixSeconds: UInt64 { 1_700_000_000 }
}
