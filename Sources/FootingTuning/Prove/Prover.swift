public import FootingSystem

/// Tries changes one group after the other, each A/B/A/B/A, and keeps what helps.
///
/// What helps and seems to harm something else is measured as often again before that is believed.
/// What is kept stays on while the next group is tried. Any failure, of a measurement, of a write
/// or of the journal, undoes everything that this run has changed, also what had been kept.
public struct Prover {
    /// How often, and how long.
    public struct Limits: Sendable {
        /// Pairs of A and B for each group.
        public let rounds: Int
        /// No group is begun after this time; nil for no limit.
        public let nanoseconds: UInt64?

        /// Limits.
        public init(rounds: Int, nanoseconds: UInt64?) {
            precondition(rounds >= FigureSeries.roundsMinimum, "too few rounds: \(rounds)")
            self.rounds = rounds
            self.nanoseconds = nanoseconds
        }
    }

    private let applier: TuningApplier
    private let limits: Limits
    private let clock: any TimeSource
    private let progress: (_ task: String, _ done: Double) -> Void

    /// One that works on a machine, with the journal's lock held.
    public init(
        applier: TuningApplier,
        limits: Limits,
        clock: any TimeSource,
        progress: @escaping (_ task: String, _ done: Double) -> Void = { _, _ in }
    ) {
        self.applier = applier
        self.limits = limits
        self.clock = clock
        self.progress = progress
    }

    /// Tries what a plan offers.
    ///
    /// - Parameters:
    ///   - path: what the plan is for, as it is to be asked for again.
    ///   - wishes: what is tried, and what decides.
    ///   - measurer: measures.
    ///   - makePlan: looks at the machine as it is now, with a profile's rules, or, where rules are
    ///     named, with these alone.
    public func prove<Measurer: ProofMeasurer>(
        path: String,
        wishes: ProofPlan.Wishes,
        measurer: inout Measurer,
        makePlan: (_ rules: [String]?) throws(TuningError) -> TuningPlan
    ) throws(TuningError) -> ProofReport {
        var run = try TuningRun(applier, path: path)
        let plan: TuningPlan
        do throws(TuningError) { plan = try makePlan(nil) } catch {
            throw run.abandon(error.description)
        }
        let all = ProofPlan(plan, wishes)
        if !all.groups.isEmpty { try prepare(&measurer, run) }
        let start = clock.nanoseconds
        var trials: [ProofReport.Trial] = []
        var skipped = all.skipped
        for (index, group) in all.groups.enumerated() {
            let isLate = limits.nanoseconds.map { clock.nanoseconds - start > $0 } ?? false
            if isLate {
                skipped += group.rules.map { .init(rule: $0, reason: "the time was over") }
                continue
            }
            // What was kept before may have changed what this group would write.
            let changes: [TuningChange]
            do throws(TuningError) { changes = try makePlan(group.rules).changes } catch {
                throw run.abandon(error.description)
            }
            guard let trial = try run.begin(changes) else {
                skipped += group.rules.map { .init(rule: $0, reason: "nothing is left to change") }
                continue
            }
            let series = try measure(group, trial, &run, &measurer) { isOn, done in
                let name = group.rules.joined(separator: ", ")
                let share = (Double(index) + done) / Double(all.groups.count)
                progress("\(name) \(isOn ? "on" : "off")", share)
            }
            let decision = ProofDecision.decide(series, chosen: group.figure)
            try run.settle(trial, decision)
            trials.append(
                .init(
                    rules: group.rules,
                    figure: group.figure,
                    steps: trial.steps,
                    series: series,
                    decision: decision
                )
            )
        }
        let outcome = try run.finish(
            path: path,
            profile: plan.profile,
            kept: trials.filter { $0.decision == .keep }.flatMap(\.rules),
            dropped: trials.filter { $0.decision != .keep }.flatMap(\.rules)
        )
        return ProofReport(
            path: plan.path,
            profile: plan.profile.name,
            rounds: limits.rounds,
            elapsedNanoseconds: clock.nanoseconds - start,
            unixSeconds: clock.unixSeconds,
            trials: trials,
            skipped: skipped,
            recovery: run.recovery,
            outcome: outcome
        )
    }

    private func prepare<Measurer: ProofMeasurer>(
        _ measurer: inout Measurer,
        _ run: TuningRun
    ) throws(TuningError) {
        do throws(MeasureError) { try measurer.prepare() } catch {
            throw run.abandon(error.description)
        }
    }

    /// Measures off, on, off, on, ..., off; as often again where something seems to be harmed.
    private func measure<Measurer: ProofMeasurer>(
        _ group: ProofPlan.Group,
        _ trial: TuningRun.Trial,
        _ run: inout TuningRun,
        _ measurer: inout Measurer,
        _ tell: (_ isOn: Bool, _ done: Double) -> Void
    ) throws(TuningError) -> [FigureSeries] {
        var without: [[Double]] = []
        var with: [[Double]] = []
        var total = 2 * limits.rounds + 1
        func values(_ isOn: Bool) throws(TuningError) -> [Double] {
            tell(isOn, Double(without.count + with.count) / Double(total))
            do throws(MeasureError) { return try measurer.measure() } catch {
                throw run.abandon(error.description)
            }
        }
        func addRounds() throws(TuningError) -> [FigureSeries] {
            for _ in 0..<limits.rounds {
                try run.turnOn(trial)
                with.append(try values(true))
                try run.turnOff(trial)
                without.append(try values(false))
            }
            return try measurer.figures.enumerated().map {
                (index, figure) throws(TuningError) in
                guard without.allSatisfy({ $0.count == measurer.figures.count }),
                    with.allSatisfy({ $0.count == measurer.figures.count }),
                    let one = FigureSeries(
                        figure,
                        without: without.map { $0[index] },
                        with: with.map { $0[index] }
                    )
                else { throw run.abandon("\(figure.name): no usable values") }
                return one
            }
        }
        without.append(try values(false))
        let series = try addRounds()
        // Of many figures some become worse by chance, and hardly one of them twice.
        guard case .harms = ProofDecision.decide(series, chosen: group.figure) else {
            return series
        }
        total += 2 * limits.rounds
        return try addRounds()
    }
}

extension TuningRun {
    /// Keeps what was tried, or has it no more.
    fileprivate mutating func settle(
        _ trial: Trial,
        _ decision: ProofDecision
    ) throws(TuningError) {
        guard decision == .keep else { return try drop(trial) }
        try turnOn(trial)
        keep(trial)
    }
}
