internal import FootingDeployment
public import FootingSystem

/// Measures a place: every workload in each of several rounds, so that what else the machine does
/// meanwhile meets all of them.
public struct Bench {
    /// How large, and how long.
    public struct Limits: Sendable, Equatable {
        /// The scratch file at most.
        public let sizeBytes: UInt64
        /// All rounds together, about; writing the file comes on top, at most half as much again.
        public let seconds: Int
        /// How often everything is measured.
        public let rounds: Int

        /// Limits.
        public init(sizeBytes: UInt64, seconds: Int, rounds: Int) {
            self.sizeBytes = sizeBytes
            self.seconds = seconds
            self.rounds = rounds
        }

        /// How long each workload runs in a round.
        var sliceNanoseconds: UInt64 {
            UInt64(seconds) * 1_000_000_000 / UInt64(rounds * Workload.all.count)
        }
    }

    /// How far it is: what is being done, and the share of the time that is over.
    public typealias Progress = (_ task: String, _ done: Double) -> Void

    private let root: HostRoot
    private let path: String
    private let limits: Limits
    private let clock: any TimeSource
    private let stop: () -> Bool
    private let progress: Progress

    /// A measurement.
    ///
    /// - Parameters:
    ///   - root: the machine, where the facts are from.
    ///   - path: what is measured: a folder, or a file in it.
    ///   - limits: of size and time.
    ///   - clock: what measures.
    ///   - stop: whether to give up.
    ///   - progress: is told how far it is.
    public init(
        root: HostRoot,
        path: String,
        limits: Limits,
        clock: any TimeSource = SystemClock(),
        stop: @escaping () -> Bool = { false },
        progress: @escaping Progress = { _, _ in }
    ) {
        self.root = root
        self.path = path
        self.limits = limits
        self.clock = clock
        self.stop = stop
        self.progress = progress
    }

    /// Measures.
    public func run() throws(MeasureError) -> BenchReport {
        let scratch = try ScratchFile(
            beside: path,
            sizeBytes: limits.sizeBytes,
            limitNanoseconds: UInt64(limits.seconds) * 500_000_000,
            clock: clock,
            stop: stop
        ) { progress("writing the scratch file", Double($0) / Double(limits.sizeBytes)) }
        // What is told of the place is told of the folder: a file may be mounted from elsewhere.
        let detection = Detection(root: root, path: root.isLive ? scratch.folder : path)
        let runner = WorkloadRunner(scratch, clock: clock, stop: stop)
        var values: [[String: [Double]]] = Workload.all.map { _ in [:] }
        var operations = [UInt64](repeating: 0, count: Workload.all.count)
        var flushes = (asked: 0, counted: UInt64?.some(0))
        var order = Array(Workload.all.indices)
        var random = SeededRandom(seed: clock.nanoseconds)
        for round in 0..<limits.rounds {
            // Another order each time, so that none always follows the same one.
            order.shuffle(using: &random)
            for (step, index) in order.enumerated() {
                let workload = Workload.all[index]
                let done = Double(round * order.count + step)
                progress(workload.name, done / Double(limits.rounds * order.count))
                let before = PlaceFacts.flushCount(detection, root)
                let sample = try runner.run(workload, forNanoseconds: limits.sliceNanoseconds)
                if stop() { throw .stopped }
                if workload.kind == .durableWrite {
                    flushes.asked += Int(sample.operations)
                    let after = PlaceFacts.flushCount(detection, root)
                    flushes.counted = Self.sum(flushes.counted, before, after)
                }
                operations[index] += sample.operations
                for (figure, value) in sample.figures(workload) {
                    values[index][figure.name, default: []].append(value)
                }
            }
        }
        return report(detection, scratch, runner, values, operations, flushes)
    }

    private static func sum(_ sum: UInt64?, _ before: UInt64?, _ after: UInt64?) -> UInt64? {
        guard let sum, let before, let after else { return nil }
        return sum &+ (after &- before)
    }

    private func report(
        _ detection: Detection,
        _ scratch: ScratchFile,
        _ runner: WorkloadRunner,
        _ values: [[String: [Double]]],
        _ operations: [UInt64],
        _ flushes: (asked: Int, counted: UInt64?)
    ) -> BenchReport {
        let results = Workload.all.enumerated().map { index, workload in
            BenchReport.Result(
                name: workload.name,
                depth: workload.depth,
                blockBytes: workload.blockBytes,
                operations: operations[index],
                figures: BenchReport.figures(values[index])
            )
        }
        var evidence = PlaceFacts.flushEvidence(detection)
        evidence.isDirect = scratch.isDirect
        evidence.asked = flushes.asked
        evidence.counted = flushes.counted
        evidence.flushNanoseconds = results.value("durable-write", "flush-p50")
        evidence.burstNanoseconds = results.value("burst-flush", "flush-p50")
        return BenchReport(
            facts: PlaceFacts(detection),
            unixSeconds: clock.unixSeconds,
            version: Release.version,
            sizeBytes: scratch.sizeBytes,
            seconds: limits.seconds,
            rounds: limits.rounds,
            isDirect: scratch.isDirect,
            requests: runner.ringRefusal == nil ? .ring : .threads,
            results: results,
            flush: FlushVerdict.judge(evidence)
        )
    }
}
