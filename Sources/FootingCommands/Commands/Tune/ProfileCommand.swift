internal import FootingSystem
internal import FootingTuning

/// `footing profile`: what places allow and ask for, as readable files.
enum ProfileCommand {
    static let declaration = Command(
        name: "profile",
        overview: "Show, make and check profiles.",
        discussion: """
            A profile is a file of 'field = value' lines: what a place allows, and which of its \
            settings may be changed. The place decides which built-in one holds, unless \
            --profile names another.
            """,
        subcommands: [
            list,
            ProfileShowCommand.declaration,
            ProfileCreateCommand.declaration,
            ProfileCheckCommand.declaration,
        ]
    )

    private static let list = Command(
        name: "list",
        overview: "List the profiles that are built in.",
        parameters: [SharedParameters.json.model]
    ) { (input: Invocation, console: Console) throws(CommandError) in
        if input[SharedParameters.json] {
            return console.print([
                "schema": "footing.profiles/1",
                "profiles": .array(
                    BuiltInProfiles.all.map {
                        ["name": .string($0.name), "description": .string($0.description)]
                    }
                ),
            ])
        }
        var table = TextTable(alignments: [.left, .left])
        for profile in BuiltInProfiles.all { table.add([profile.name, profile.description]) }
        console.write(table.text())
    }
}

/// `footing profile show`: a whole profile, with what each field means and who heeds it.
enum ProfileShowCommand {
    static let name = Argument("name", .file, help: "A built-in profile's name, or a file.")

    static let declaration = Command(
        name: "show",
        overview: "Show a profile, with what each field means and what uses it.",
        parameters: [name.model, TuneParameters.set.model, SharedParameters.json.model]
    ) { (input: Invocation, console: Console) throws(CommandError) in
        let profile = try TuneParameters.changed(try TuneParameters.read(input[name]), input)
        if input[SharedParameters.json] { return console.print(profile.json) }
        console.write(TerminalText.harmless(profile.text()))
    }
}

/// `footing profile create`: a new file, to be edited.
enum ProfileCreateCommand {
    static let file = Argument("file", .file, help: "The file to write; must not exist yet.")
    static let base = Option(
        "base",
        .file,
        placeholder: "profile",
        default: "edge-builder",
        help: "The profile whose values it starts with: a built-in one, or a file."
    )
    static let name = Option(
        optional: "name",
        .text,
        help: "What it is called; by default as the file, up to its first dot."
    )

    static let declaration = Command(
        name: "create",
        overview: "Make a profile of one's own, to be edited.",
        parameters: [
            file.model, base.model, name.model, TuneParameters.set.model,
            SharedParameters.json.model,
        ]
    ) { (input: Invocation, console: Console) throws(CommandError) in
        let last = input[file].split(separator: "/").last ?? ""
        let called = input[name] ?? String(last.prefix { $0 != "." })
        guard ProfileParser.isName(called) else {
            throw CommandError(
                usage:
                    "'\(called)' is no profile's name: 1 to 40 small letters, digits and dashes; "
                    + "choose one with --name"
            )
        }
        let base = try TuneParameters.changed(try TuneParameters.read(input[base]), input)
        let profile = base.renamed(called)
        do throws(Errno) {
            let created = try FileDescriptor.open(
                input[file],
                [.writeOnly, .create, .exclusive],
                permissions: 0o644
            )
            do throws(Errno) {
                try created.write(profile.text())
            } catch {
                FileDescriptor.remove(input[file])
                throw error
            }
        } catch {
            let remedy = error == .fileExists ? "remove it, or choose another name" : nil
            throw CommandError("cannot write", input[file], error, remedy: remedy)
        }
        if input[SharedParameters.json] { return console.print(profile.json) }
        console.print(
            TerminalText.harmless("made the profile '\(called)' in \(input[file])")
        )
    }
}

/// `footing profile check`: whether a file is a profile.
enum ProfileCheckCommand {
    static let file = Argument("file", .file, help: "The profile's file.")

    static let declaration = Command(
        name: "check",
        overview: "Check a profile's file; status 1 tells the line and what would be right.",
        parameters: [file.model, SharedParameters.json.model]
    ) { (input: Invocation, console: Console) throws(CommandError) in
        let profile = try TuneParameters.read(input[file])
        ServeCommand.tellUnheeded(profile, console)
        if input[SharedParameters.json] { return console.print(profile.json) }
        console.print("the profile '\(profile.name)' is sound")
    }
}
