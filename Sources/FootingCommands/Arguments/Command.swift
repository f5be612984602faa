/// The declaration of a command: one model for parser, help, errors and completions.
///
/// A command either has subcommands or does something itself.
package struct Command: Sendable {
    package typealias Body = @Sendable (Invocation, Console) throws(CommandError) -> Void

    package let name: String
    /// One sentence with a full stop.
    package let overview: String
    /// Paragraphs below the overview, for what a user cannot guess.
    package let discussion: String?
    private let declared: @Sendable () -> [ParameterModel]
    package let subcommands: [Command]
    package let body: Body?
    /// The program beside this one that goes on with the words that follow.
    package let program: String?

    /// A command that does something.
    ///
    /// - Parameter parameters: asked for only when the command is used, so that a program of many
    ///   commands starts as fast as one of few.
    package init(
        name: String,
        overview: String,
        discussion: String? = nil,
        parameters: @escaping @autoclosure @Sendable () -> [ParameterModel] = [],
        run body: @escaping Body
    ) {
        self.name = name
        self.overview = overview
        self.discussion = discussion
        declared = parameters
        self.body = body
        subcommands = []
        program = nil
    }

    /// A command that only groups others.
    package init(name: String, overview: String, discussion: String? = nil, subcommands: [Command])
    {
        self.name = name
        self.overview = overview
        self.discussion = discussion
        self.subcommands = subcommands
        declared = { [] }
        body = nil
        program = nil
    }

    /// A command that a program of its own does, which is installed beside this one.
    package init(name: String, overview: String, discussion: String, program: String) {
        self.name = name
        self.overview = overview
        self.discussion = discussion
        self.program = program
        declared = { [] }
        body = nil
        subcommands = []
    }

    /// What it takes, in the order of its help.
    package var parameters: [ParameterModel] { declared() }

    /// What every command understands besides its own parameters.
    package static let common = [
        Flag("version", help: "Show the version.").model,
        Flag("help", letter: "h", help: "Show help information.").model,
    ]

    package var arguments: [ParameterModel] { parameters.filter { $0.kind == .argument } }

    /// Flags and options, its own first.
    package var options: [ParameterModel] {
        parameters.filter { $0.kind != .argument } + Self.common
    }
}

/// A command and the names that lead to it, the program's first.
package struct CommandPath: Sendable {
    package let command: Command
    package let names: [String]

    package init(root: Command) {
        command = root
        names = [root.name]
    }

    private init(command: Command, names: [String]) {
        self.command = command
        self.names = names
    }

    /// One step down; nil if there is no such subcommand.
    package func descending(to name: String) -> CommandPath? {
        command.subcommands.first { $0.name == name }.map {
            CommandPath(command: $0, names: names + [name])
        }
    }

    /// This command and everything below it, depth first.
    package var all: [CommandPath] {
        [self]
            + command.subcommands.flatMap { child in
                CommandPath(command: child, names: names + [child.name]).all
            }
    }

    /// `footing disk create`.
    package var text: String { names.joined(separator: " ") }
}
