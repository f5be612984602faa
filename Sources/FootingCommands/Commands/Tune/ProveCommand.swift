internal import FootingDeployment
internal import FootingHost
internal import FootingSystem
internal import FootingTuning

/// `footing prove`: what of a plan helps here, by measurement, and nothing else stays.
enum ProveCommand {
    static let path = Argument(
        "path",
        .file,
        default: ".",
        help: "A disk, or the folder it is to be made in."
    )
    static let only = Option(
        optional: "rules",
        .text,
        placeholder: "names",
        help: "Try only these rules, with commas between them."
    )
    static let figure = Option(
        optional: "figure",
        .choice(of: ProofFigure.self),
        help: "What has to become better; by default what each rule is for."
    )
    static let together = Flag("together", help: "Try all rules as one group.")
    static let rounds = Option(
        "rounds",
        .integer(FigureSeries.roundsMinimum...50),
        default: 5,
        help: "How often each group is on, between being off."
    )
    static let slice = Option(
        "slice",
        .duration,
        default: .milliseconds(500),
        help: "How long each figure is measured each time, 10ms to 1m."
    )
    static let limit = Option(
        optional: "limit",
        .duration,
        help: "Begin no group after this time."
    )
    static let size = Option(
        "size",
        .byteSize,
        default: 512 << 20,
        help: "The scratch file at most, 16M to 1T; a slow place gets a smaller one."
    )
    static let scratch = Option(
        optional: "scratch",
        .directory,
        help: "The scratch file's folder, on the same disks; by default beside the disk."
    )
    static let html = Option(
        optional: "html",
        .file,
        help: "Also write a page with plots to this file, which must not exist yet."
    )

    static let declaration = Command(
        name: "prove",
        overview: "Measure which changes help here, keep these and undo the others.",
        discussion: """
            Tries what 'footing plan' lists as changes and as candidates, rule by rule: off, on, \
            off, on and so on, measured each time on a scratch file of its own. A rule stays only \
            if its figure becomes better by more than 10 % and three times the noise, and no other \
            becomes worse by as much. A journal is durable before the first write: if this is \
            killed, 'footing rollback' restores what was there, as it does later on. If it is \
            stopped or anything fails, everything is as it was before.
            """,
        parameters: [
            path.model, TuneParameters.profile.model, TuneParameters.set.model, only.model,
            figure.model, together.model, rounds.model, slice.model, limit.model, size.model,
            scratch.model, html.model, TuneParameters.dryRun.model, TuneParameters.root.model,
            TuneParameters.journal.model, SharedParameters.json.model,
        ],
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        var wishes = ProofPlan.Wishes()
        wishes.rules = try rules(input)
        wishes.figure = input[figure]
        wishes.isTogether = input[together]
        let advice =
            "Run 'footing prove --dry-run', which needs no rights, to see what it would try"
        let (root, store) = try TuneParameters.place(input, advice: advice)
        let time = ProofTime(slice: input[slice], rounds: input[rounds], limit: input[limit])
        try time.check()
        let profile = try TuneParameters.profile(input, Detection(root: root, path: input[path]))
        let proof = Proof(
            root: root,
            // A link, as in /dev/disk/by-id, leads to the same disk later on as well.
            path: input[path].hasPrefix("/") ? input[path] : root.resolved(input[path]),
            scratch: try scratchPlace(input, root),
            profile: profile,
            wishes: wishes,
            time: time,
            sizeBytes: input[size]
        )
        if input[TuneParameters.dryRun] {
            return try proof.tell(console, isJSON: input[SharedParameters.json])
        }
        var page: ProofPage.File?
        if let path = input[html] { page = try ProofPage.File(path) }
        let report = try proof.run(store, console)
        if input[SharedParameters.json] {
            console.print(report.json)
        } else {
            console.write(TerminalText.harmless(ProofText.text(report)))
        }
        try page?.write(ProofPage.text(report))
        if report.outcome.hasForeign {
            throw CommandError("somebody else has changed values since an earlier apply")
        }
    }

    private static func rules(_ input: Invocation) throws(CommandError) -> [String]? {
        input.isGiven(only.model) ? try TuneParameters.names(input[only] ?? "") : nil
    }

    /// Where the scratch file lies: on the disks whose queues are changed.
    private static func scratchPlace(
        _ input: Invocation,
        _ root: HostRoot
    ) throws(CommandError) -> String {
        let given = input[scratch]
        if !root.isLive {
            guard given != nil || input[TuneParameters.dryRun] else {
                throw CommandError(usage: "--root needs --scratch: a tree's path is none of here")
            }
            return given ?? input[path]
        }
        if given == nil, input[TuneParameters.dryRun] { return input[path] }
        let folder: String
        do throws(MeasureError) {
            folder = if let given { given } else { try ScratchFile.folder(input[path]) }
        } catch {
            throw CommandError("cannot prove anything: \(error)")
        }
        let wanted = HostReport.gather(root: root, path: input[path]).path?.disks.value
        let found = HostReport.gather(root: root, path: folder).path?.disks.value
        // A file may be a mount of its own, from another disk than its folder's.
        guard wanted.map(Set.init) == found.map(Set.init), given == nil || wanted != nil else {
            throw CommandError(
                "'\(folder)', where the scratch file would be, does not lie on the disks of "
                    + "'\(input[path])': name a folder on them by --scratch"
            )
        }
        return folder
    }
}

/// How long a proof takes.
struct ProofTime {
    let slice: Duration
    let rounds: Int
    let limit: Duration?

    func check() throws(CommandError) {
        guard (.milliseconds(10) ... .seconds(60)).contains(slice) else {
            throw CommandError(usage: "--slice takes 10ms to 1m")
        }
    }

    /// All measurements of a number of groups, without the scratch file.
    func total(groups: Int) -> Duration {
        let figures = ProofFigure.allCases.count
        return slice * (ProofPlan.measurements(groups: groups, rounds: rounds) * figures)
    }

    static func nanoseconds(_ duration: Duration) -> UInt64 {
        let (seconds, attoseconds) = duration.components
        return UInt64(clamping: seconds) &* 1_000_000_000
            &+ UInt64(clamping: attoseconds / 1_000_000_000)
    }
}
