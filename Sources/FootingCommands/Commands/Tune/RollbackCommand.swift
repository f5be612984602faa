internal import FootingSystem
internal import FootingTuning

/// `footing rollback`: everything as it was before `footing apply` and `footing prove`.
enum RollbackCommand {
    static let declaration = Command(
        name: "rollback",
        overview: "Undo everything that 'footing apply' changed and 'footing prove' kept.",
        discussion: """
            What somebody else has changed since is reported and left alone, unless --force is \
            given; the status is 1 then. A disk that has another name by now is found by its \
            serial number or its place; the values of one that is gone went with it.
            """,
        parameters: [
            TuneParameters.dryRun.model, TuneParameters.force.model, TuneParameters.root.model,
            TuneParameters.journal.model, SharedParameters.json.model,
        ],
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        let (root, store) = try TuneParameters.place(input)
        let isTrial = input[TuneParameters.dryRun]
        let applier = TuningApplier(root: root, access: RootAccess(root), store: store)
        let work = { () throws(TuningError) in
            try applier.rollback(force: input[TuneParameters.force], isTrial: isTrial)
        }
        let outcome: TuningOutcome
        do throws(TuningError) {
            outcome = isTrial ? try work() : try store.withLock(work)
        } catch {
            throw CommandError("cannot roll everything back: \(error)")
        }
        if input[SharedParameters.json] {
            console.print([
                "schema": "footing.rollback/1", "isDryRun": .bool(isTrial),
                "outcome": outcome.json,
            ])
        } else {
            let text = TuningOutcomeText.text(outcome, isTrial: isTrial)
            console.write(TerminalText.harmless(text.isEmpty ? "nothing to undo\n" : text))
        }
        if outcome.hasForeign {
            throw CommandError("somebody else has changed values since; --force undoes them too")
        }
    }
}
