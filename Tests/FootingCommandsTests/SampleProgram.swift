import FootingSystem

@testable import FootingCommands

/// A program with every kind of parameter, for tests of the parser and of what is made from it.
enum SampleProgram {
    enum Color: String, CaseIterable, Sendable {
        case red
        case green
    }

    static let path = Argument("path", .file, help: "The disk.")
    static let copy = Argument(optional: "copy", .directory, help: "Where a copy goes.")
    static let size = Option("size", letter: "s", .byteSize, help: "Size of the disk.")
    static let wait = Option("wait", .duration, default: .seconds(2), help: "How long to wait.")
    static let root = Option(optional: "root", .directory, help: "Another machine.")
    static let color = Option<Color>("color", .choice(), default: .green, help: "A color.")
    static let verbose = Flag("verbose", letter: "v", help: "Tell more.")
    static let quiet = Flag("quiet", letter: "q", help: "Tell less.")

    static let make = Command(
        name: "make",
        overview: "Make a disk.",
        discussion: "Nothing is overwritten.",
        parameters: [
            path.model, copy.model, size.model, wait.model, root.model, color.model,
            verbose.model, quiet.model,
        ]
    ) { (input: Invocation, console: Console) throws(CommandError) in
        if input[verbose] && input[quiet] {
            throw CommandError(usage: "'--verbose' and '--quiet' exclude each other")
        }
        if input[path] == "missing" {
            throw CommandError("cannot make", "missing", .noSpace, remedy: "free some space")
        }
        console.print("made \(input[path]) of \(input[size])")
    }

    static let check = Command(name: "check", overview: "Check a disk.", parameters: [path.model]) {
        (_, console) throws(CommandError) in
        console.print(["damaged": false, "blocks": 3])
    }

    static let declaration = Command(
        name: "sample",
        overview: "A sample.",
        subcommands: [
            Command(name: "disk", overview: "Work on disks.", subcommands: [make, check])
        ]
    )

    /// Reads a command line of `sample disk make`.
    static func parseMake(_ words: String...) throws -> Invocation? {
        let request = try CommandLineParser.parse(["disk", "make"] + words, root: declaration)
        guard case .run(_, let invocation) = request else { return nil }
        return invocation
    }
}

/// What a program wrote and how it ended.
struct Outcome: Equatable {
    var status: Int32 = 0
    var output = ""
    var error = ""

    /// Runs a command line of a program as a user would.
    static func of(
        _ words: String...,
        root: Command = SampleProgram.declaration,
        columns: Int = 80
    ) -> Outcome {
        of(words, root: root, columns: columns)
    }

    static func of(_ words: [String], root: Command, columns: Int = 80) -> Outcome {
        let texts = Locked(Outcome())
        let console = Console(columns: columns, progressColumns: nil) {
            (stream, text) throws(Errno) in
            texts.withLock { outcome in
                switch stream {
                case .output: outcome.output += text
                case .error: outcome.error += text
                }
            }
        }
        let status = FootingProgram.run(words, root: root, console: console)
        return texts.withLock { outcome in
            outcome.status = status
            return outcome
        }
    }
}
