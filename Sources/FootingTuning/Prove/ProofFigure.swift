/// What `footing prove` measures each time: short, and for every way in which a disk is used.
public enum ProofFigure: String, Sendable, CaseIterable {
    /// Half of the reads of 4 KiB, one at a time, take no longer.
    case randomReadLatency = "random-read-latency"
    /// Reads of 4 KiB, 32 at a time.
    case randomReadRate = "random-read-rate"
    /// Writes of 4 KiB, 32 at a time, not flushed.
    case randomWriteRate = "random-write-rate"
    /// Reads of 1 MiB in order, four at a time.
    case sequentialReadRate = "sequential-read-rate"
    /// Writes of 1 MiB in order, four at a time, not flushed.
    case sequentialWriteRate = "sequential-write-rate"
    /// Reads in order by the page cache, of a file that is opened anew.
    case cachedReadRate = "cached-read-rate"
    /// Writes in order by the page cache, flushed each 16 MiB.
    case cachedWriteRate = "cached-write-rate"
    /// Half of the writes of 4 KiB, each with a flush, take no longer.
    case durableWriteLatency = "durable-write-latency"

    /// The figure.
    public var figure: Figure {
        let unit: Figure.Unit =
            switch self {
            case .randomReadLatency, .durableWriteLatency: .nanoseconds
            case .randomReadRate, .randomWriteRate: .operationsPerSecond
            case .sequentialReadRate, .sequentialWriteRate, .cachedReadRate, .cachedWriteRate:
                .bytesPerSecond
            }
        return Figure(name: rawValue, unit: unit)
    }

    /// What is run for it.
    var workload: Workload {
        switch self {
        case .randomReadLatency: Workload(.randomRead)
        case .randomReadRate: Workload(.randomRead, depth: 32)
        case .randomWriteRate: Workload(.randomWrite, depth: 32)
        case .sequentialReadRate: Workload(.sequentialRead, depth: 4)
        case .sequentialWriteRate: Workload(.sequentialWrite, depth: 4)
        case .cachedReadRate: Workload(.cachedRead)
        case .cachedWriteRate: Workload(.cachedWrite)
        case .durableWriteLatency: Workload(.durableWrite)
        }
    }

    /// The name of what counts among a sample's figures.
    var sampleFigure: String {
        switch figure.unit {
        case .nanoseconds: "p50"
        case .operationsPerSecond: "operations"
        case .bytesPerSecond: "throughput"
        }
    }

    /// The figure that a rule is for: what it is kept for, if it is better.
    ///
    /// One for each, chosen before anything is measured: of many figures some are better by chance.
    ///
    /// - Returns: nil where nothing that is measured here could show what the rule is for.
    public static func purpose(of rule: String) -> ProofFigure? {
        switch rule {
        case "nvme-scheduler-none", "paravirtual-scheduler-none", "queue-requests",
            "completion-on-submitter", "no-merges", "no-randomness":
            .randomReadRate
        case "read-ahead": .cachedReadRate
        case "no-write-back-throttling", "dirty-bytes", "dirty-background-bytes":
            .cachedWriteRate
        default: nil
        }
    }
}

/// Measures everything that counts for a proof, once.
public protocol ProofMeasurer {
    /// Makes ready, once, before anything is tried; not called where nothing is to be tried.
    mutating func prepare() throws(MeasureError)
    /// A value for each of ``figures``, in their order.
    mutating func measure() throws(MeasureError) -> [Double]
    /// What is measured.
    var figures: [Figure] { get }
}

/// Measures a scratch file.
public struct PlaceMeasurer: ProofMeasurer {
    private let makeRunner: () throws(MeasureError) -> WorkloadRunner
    private var runner: WorkloadRunner?
    private let sliceNanoseconds: UInt64
    private let stop: () -> Bool

    /// A measurer.
    ///
    /// - Parameters:
    ///   - sliceNanoseconds: how long each of them runs.
    ///   - stop: whether to give up.
    ///   - makeRunner: writes the scratch file that the workloads run on.
    public init(
        sliceNanoseconds: UInt64,
        stop: @escaping () -> Bool,
        makeRunner: @escaping () throws(MeasureError) -> WorkloadRunner
    ) {
        self.makeRunner = makeRunner
        self.sliceNanoseconds = sliceNanoseconds
        self.stop = stop
    }

    /// Every ``ProofFigure``.
    public var figures: [Figure] { ProofFigure.allCases.map(\.figure) }

    /// Writes the scratch file.
    public mutating func prepare() throws(MeasureError) { runner = try makeRunner() }

    /// Runs every workload once.
    public mutating func measure() throws(MeasureError) -> [Double] {
        guard let runner else { preconditionFailure("measured before it was prepared") }
        var values: [Double] = []
        for figure in ProofFigure.allCases {
            let sample = try runner.run(figure.workload, forNanoseconds: sliceNanoseconds)
            if stop() { throw .stopped }
            let found = sample.figures(figure.workload)
            guard let value = found.first(where: { $0.figure.name == figure.sampleFigure })?.value
            else { throw MeasureError("\(figure.rawValue): nothing was measured") }
            values.append(value)
        }
        return values
    }
}
