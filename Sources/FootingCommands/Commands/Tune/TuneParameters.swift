internal import FootingDeployment
internal import FootingSystem
internal import FootingTuning

/// What the commands of profiles, plans and changes have in common.
enum TuneParameters {
    static let path = Argument(
        "path",
        .file,
        help: "A disk, or the folder it is to be made in."
    )
    static let profile = Option(
        optional: "profile",
        .file,
        placeholder: "profile",
        help: "A built-in profile's name, or a file; by default the place decides."
    )
    static let set = Option(
        optional: "set",
        .text,
        placeholder: "field=value",
        help: "Other values for fields of the profile, with commas between them."
    )
    static let rules = Option(
        optional: "rules",
        .text,
        placeholder: "names",
        help: "Also follow these rules, with commas between them."
    )
    static let root = Option(
        "root",
        .directory,
        default: "/",
        help: "Work on a tree of files instead of this machine; needs --journal."
    )
    static let journal = Option(
        optional: "journal",
        .directory,
        help: "Where the journal lies; by default where the user's programs keep their state."
    )
    static let dryRun = Flag(
        "dry-run",
        help: "Show what would be written or tried, and write nothing."
    )
    static let force = Flag("force", help: "Also change what somebody else has changed since.")

    /// The profile that was asked for, or the place's own.
    static func profile(
        _ input: Invocation,
        _ detection: Detection
    ) throws(CommandError) -> TuningProfile {
        try changed(
            try input[profile].map(read) ?? TuningProfile.choose(detection),
            input
        )
    }

    /// A profile with what `--set` says.
    static func changed(
        _ profile: TuningProfile,
        _ input: Invocation
    ) throws(CommandError) -> TuningProfile {
        guard let assignments = input[set] else { return profile }
        var profile = profile
        do throws(ProfileError) { try profile.set(assignments: assignments) } catch {
            throw CommandError("cannot set", assignments, error.description)
        }
        return profile
    }

    /// A built-in profile, or one in a file.
    static func read(_ name: String) throws(CommandError) -> TuningProfile {
        if let known = BuiltInProfiles.named(name) { return known }
        let bytes: [UInt8]
        do throws(Errno) {
            bytes = try SmallFile.beginning(name, bytes: ProfileParser.bytesMaximum + 1)
        } catch {
            let isName = ProfileParser.isName(name)
            let remedy = isName ? "see 'footing profile list' for those that are built in" : nil
            throw CommandError("cannot read the profile", name, error, remedy: remedy)
        }
        return try parse(bytes, name)
    }

    private static func parse(
        _ bytes: [UInt8],
        _ path: String
    ) throws(CommandError) -> TuningProfile {
        do throws(ProfileError) {
            return try ProfileParser.parse(bytes)
        } catch {
            throw CommandError("cannot use the profile", path, error.description)
        }
    }

    /// The names of `--rules`.
    static func names(_ input: Invocation) throws(CommandError) -> [String] {
        try names(input[rules] ?? "")
    }

    /// Names of rules with commas between them.
    static func names(_ text: String) throws(CommandError) -> [String] {
        let names = text.split(separator: ",").map { word in
            String(word.filter { $0 != " " })
        }
        if let unknown = names.first(where: { !TuningPlan.ruleNames.contains($0) }) {
            let suggestion = Spelling.suggestion(for: unknown, among: TuningPlan.ruleNames)
            throw CommandError(usage: "there is no rule '\(unknown)'\(suggestion)")
        }
        return names
    }

    /// The machine to work on and where its journal lies.
    ///
    /// - Parameter advice: what who is not root can do instead.
    static func place(
        _ input: Invocation,
        advice: String = "Run 'footing plan' to see what is worth changing, which needs no rights"
    ) throws(CommandError) -> (root: HostRoot, store: FolderStore) {
        let isLive = input[root] == "/"
        guard isLive || input[journal] != nil else {
            throw CommandError(
                usage: "--root needs --journal: a tree's journal must not take the machine's place"
            )
        }
        if isLive, ProcessIdentity.userNumber != 0, !input[dryRun] {
            throw CommandError("only root may change this machine. \(advice)")
        }
        guard let folder = input[journal] ?? FolderStore.userFolder() else {
            throw CommandError("it is not known where the journal belongs. Name it with --journal")
        }
        do throws(Errno) {
            return (try HostRoot(path: input[root]), FolderStore(folder: folder))
        } catch {
            throw CommandError("cannot open the tree", input[root], error)
        }
    }
}

/// What was written and what was not, for people.
enum TuningOutcomeText {
    static func text(_ outcome: TuningOutcome, isTrial: Bool) -> String {
        var text = outcome.notes.map { "note: \($0)\n" }.joined()
        for step in outcome.steps {
            text += "\(isTrial ? "would write" : "wrote")  \(step.target): "
            text += "\(step.from) -> \(step.to)\n"
        }
        for left in outcome.left { text += "left alone  \(left.target): \(left.reason)\n" }
        return text
    }
}
