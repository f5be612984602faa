internal import FootingDeployment
internal import FootingHost
internal import FootingSystem
internal import FootingTuning

/// `footing plan`: what is worth changing under a disk, and why.
enum PlanCommand {
    static let declaration = Command(
        name: "plan",
        overview: "Show what is worth changing under a disk, and why.",
        discussion: """
            Follows the path from the file down to the disks. Writes nothing and needs no rights. \
            A rule is followed only if the profile names it, and built-in profiles name only \
            those that something speaks for; all others are listed as candidates.
            """,
        parameters: [
            TuneParameters.path.model, TuneParameters.profile.model, TuneParameters.set.model,
            TuneParameters.rules.model, DetectCommand.root.model, DetectCommand.recording.model,
            SharedParameters.json.model,
        ],
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        let machine = try MachineOption.machine(input)
        let plan = try plan(input, machine.root, input[TuneParameters.path])
        if input[SharedParameters.json] { return console.print(plan.json) }
        console.write(TerminalText.harmless(plan.text()))
    }

    /// The plan for a path, as the options say.
    static func plan(
        _ input: Invocation,
        _ root: HostRoot,
        _ path: String
    ) throws(CommandError) -> TuningPlan {
        let names = try TuneParameters.names(input)
        let detection = Detection(root: root, path: path)
        let profile = try TuneParameters.profile(input, detection)
        return TuningPlan(detection, root: root, profile: profile, named: names)
    }
}
