internal import FootingDeployment
internal import FootingSystem
internal import FootingTuning

/// What `footing prove` was asked for, once the options are understood.
struct Proof {
    let root: HostRoot
    let path: String
    /// A path in whose folder the scratch file is made.
    let scratch: String
    let profile: TuningProfile
    let wishes: ProofPlan.Wishes
    let time: ProofTime
    let sizeBytes: UInt64

    /// The plan as the machine is now.
    ///
    /// - Parameter rules: these alone; nil for those of the profile, with all others as candidates.
    private func plan(_ rules: [String]?) throws(TuningError) -> TuningPlan {
        let plan = TuningPlan(
            Detection(root: root, path: path),
            root: root,
            profile: rules == nil ? profile : profile.without(rules: profile.rules),
            named: rules ?? []
        )
        // As 'footing apply': there is nothing to gain for a file that is no disk.
        if let refusal = plan.refusal { throw TuningError(refusal) }
        return plan
    }

    /// Says what would be tried, and how long it would take.
    func tell(_ console: Console, isJSON: Bool) throws(CommandError) {
        let plan: TuningPlan
        do throws(TuningError) { plan = try self.plan(nil) } catch {
            throw CommandError("cannot prove anything: \(error)")
        }
        let proof = ProofPlan(plan, wishes)
        let total = time.total(groups: proof.groups.count)
        if isJSON {
            return console.print([
                "schema": "footing.proof-plan/1", "path": .string(plan.path),
                "profile": .string(profile.name), "rounds": .integer(Int64(time.rounds)),
                "nanoseconds": JSONValue(ProofTime.nanoseconds(total)),
                "groups": .array(proof.groups.map(\.json)),
                "skipped": .array(proof.skipped.map(\.json)),
            ])
        }
        console.write(TerminalText.harmless(ProofText.text(proof, plan.path, time)))
    }

    /// Measures, and keeps what helps.
    func run(_ store: FolderStore, _ console: Console) throws(CommandError) -> ProofReport {
        let stop: StopFlag
        do throws(Errno) { stop = try StopFlag() } catch {
            throw CommandError("cannot wait for", "signals", error)
        }
        let line = Locked(ProgressLine(console))
        defer { line.withLock { $0.clear() } }
        do throws(TuningError) {
            return try store.withLock { () throws(TuningError) in
                try measured(store, stop, line)
            }
        } catch {
            throw CommandError("cannot prove anything: \(error)")
        }
    }

    private func measured(
        _ store: FolderStore,
        _ stop: StopFlag,
        _ line: Locked<ProgressLine>
    ) throws(TuningError) -> ProofReport {
        // Before what a crash left behind is undone.
        _ = try plan(nil)
        let clock = SystemClock()
        let slice = ProofTime.nanoseconds(time.slice)
        let isOver: @Sendable () -> Bool = { stop.hasCome }
        var measurer = PlaceMeasurer(sliceNanoseconds: slice, stop: isOver) {
            () throws(MeasureError) in
            let file = try ScratchFile(
                beside: scratch,
                sizeBytes: sizeBytes,
                limitNanoseconds: 30_000_000_000,
                clock: clock,
                stop: isOver
            ) { bytes in
                let share = Double(bytes) / Double(sizeBytes)
                line.withLock { $0.show("writing the scratch file", share: share) }
            }
            return WorkloadRunner(file, clock: clock, stop: isOver)
        }
        let prover = Prover(
            applier: TuningApplier(root: root, access: RootAccess(root), store: store),
            limits: .init(
                rounds: time.rounds,
                nanoseconds: time.limit.map(ProofTime.nanoseconds)
            ),
            clock: clock
        ) { task, done in line.withLock { $0.show(task, share: done) } }
        return try prover.prove(path: path, wishes: wishes, measurer: &measurer) {
            (rules) throws(TuningError) in try plan(rules)
        }
    }
}

/// Whether a signal has asked this to end; from its making on they end nothing by themselves, so
/// that what was changed can be undone first.
private final class StopFlag: Sendable {
    private let signals: StopSignals

    init() throws(Errno) { signals = try StopSignals() }

    var hasCome: Bool { signals.hasCome }
}
