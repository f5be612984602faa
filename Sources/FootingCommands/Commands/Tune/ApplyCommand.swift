internal import FootingDeployment
internal import FootingSystem
internal import FootingTuning

/// `footing apply`: what the plan says, as one step that can be undone.
enum ApplyCommand {
    static let path = Argument(
        optional: "path",
        .file,
        help: "A disk, or the folder it is to be made in; left out with --again."
    )
    static let again = Flag(
        "again",
        help: "Apply what was applied before the machine's last start, for every path."
    )

    static let declaration = Command(
        name: "apply",
        overview: "Change what 'footing plan' says, all or nothing; 'footing rollback' undoes it.",
        discussion: """
            A journal is durable before the first write, every write is read back, and if one \
            fails all are undone. After a crash the next 'footing apply' or 'footing rollback' \
            restores what was there. What somebody else has changed since an earlier apply is \
            left alone, unless --force is given. Only settings that take effect at once are \
            written: words for the kernel's command line and mount options are shown by the plan, \
            for you to set.
            """,
        parameters: [
            path.model, TuneParameters.profile.model, TuneParameters.set.model,
            TuneParameters.rules.model, again.model, TuneParameters.dryRun.model,
            TuneParameters.force.model, TuneParameters.root.model, TuneParameters.journal.model,
            SharedParameters.json.model,
        ],
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        guard (input[path] == nil) == input[again] else {
            throw CommandError(usage: "name a path, or give --again")
        }
        let chooses = [
            TuneParameters.profile.model, TuneParameters.set.model, TuneParameters.rules.model,
        ]
        if input[again], chooses.contains(where: { input.isGiven($0) }) {
            throw CommandError(usage: "--again applies what was chosen before; choose nothing else")
        }
        let (root, store) = try TuneParameters.place(input)
        let isTrial = input[TuneParameters.dryRun]
        let applier = TuningApplier(root: root, access: RootAccess(root), store: store)
        let result: Applied
        let work: () throws(TuningError) -> Applied
        if let path = input[path] {
            let rules = try TuneParameters.names(input)
            let profile = try TuneParameters.profile(input, Detection(root: root, path: path))
            work = { () throws(TuningError) in
                let result = try applier.apply(
                    // A link, as in /dev/disk/by-id, leads to the same disk later on as well.
                    path: path.hasPrefix("/") ? path : root.resolved(path),
                    rules: rules,
                    force: input[TuneParameters.force],
                    isTrial: isTrial
                ) { () throws(TuningError) in
                    // Under the lock: what was there before another apply is of no use.
                    try allowed(
                        TuningPlan(
                            Detection(root: root, path: path),
                            root: root,
                            profile: profile,
                            named: rules
                        )
                    )
                }
                return Applied(outcomes: [result])
            }
        } else {
            work = { () throws(TuningError) in
                try applyAgain(applier, root, force: input[TuneParameters.force], isTrial: isTrial)
            }
        }
        do throws(TuningError) {
            result = isTrial ? try work() : try store.withLock(work)
        } catch {
            throw CommandError("cannot apply: \(error)")
        }
        show(result.outcomes, input, console, isTrial: isTrial)
        if !result.failures.isEmpty {
            throw CommandError("cannot apply: \(result.failures.joined(separator: "; "))")
        }
        if result.outcomes.contains(where: { $0.outcome.hasForeign }) {
            throw CommandError("somebody else has changed values since; --force changes them")
        }
    }

    /// A plan that may be followed: there is nothing to gain for a file that is no disk.
    private static func allowed(_ plan: TuningPlan) throws(TuningError) -> TuningPlan {
        if let refusal = plan.refusal { throw TuningError(refusal) }
        return plan
    }

    /// What came of one path, or of all that were applied before.
    private struct Applied {
        var outcomes: [(plan: TuningPlan, outcome: TuningOutcome)] = []
        var failures: [String] = []
    }

    private static func applyAgain(
        _ applier: TuningApplier,
        _ root: HostRoot,
        force: Bool,
        isTrial: Bool
    ) throws(TuningError) -> Applied {
        var applied = Applied()
        for request in try applier.requests() {
            // One path that fails keeps no other from its values.
            do throws(TuningError) {
                applied.outcomes.append(
                    try applier.apply(
                        path: request.path,
                        rules: request.rules,
                        force: force,
                        isTrial: isTrial
                    ) { () throws(TuningError) in
                        try allowed(
                            TuningPlan(
                                Detection(root: root, path: request.path),
                                root: root,
                                profile: try applier.profile(of: request.profile),
                                named: request.rules
                            )
                        )
                    }
                )
            } catch {
                applied.failures.append("\(request.path): \(error)")
            }
        }
        return applied
    }

    private static func show(
        _ outcomes: [(plan: TuningPlan, outcome: TuningOutcome)],
        _ input: Invocation,
        _ console: Console,
        isTrial: Bool
    ) {
        if input[SharedParameters.json] {
            return console.print([
                "schema": "footing.apply/1", "isDryRun": .bool(isTrial),
                "paths": .array(
                    outcomes.map { plan, outcome in
                        [
                            "path": .string(plan.path), "profile": .string(plan.profile.name),
                            "outcome": outcome.json,
                        ]
                    }
                ),
            ])
        }
        if outcomes.isEmpty { console.print("Nothing was applied before.") }
        for (plan, outcome) in outcomes {
            var text = "\(plan.path): profile \(plan.profile.name)\n"
            text += TuningOutcomeText.text(outcome, isTrial: isTrial)
            if outcome.steps.isEmpty { text += "nothing to change\n" }
            let words = plan.manual.filter(\.isChosen).count
            if words > 0 {
                text += "\(words) more for you to change: see 'footing plan'\n"
            }
            console.write(TerminalText.harmless(text))
        }
    }
}
