/// `footing completions`: the script that teaches a shell this program's commands.
package enum CompletionsCommand {
    /// The shells that are served.
    enum Shell: String, CaseIterable, Sendable {
        case bash
        case zsh
        case fish
    }

    static let shell = Argument<Shell>("shell", .choice(), help: "The shell to write for.")

    static let declaration = Command(
        name: "completions",
        overview: "Print a completion script for a shell.",
        discussion: """
            For bash, add to ~/.bashrc:
            source <(footing completions bash)
            """,
        parameters: [shell.model],
        run: run
    )

    /// The same for a neighbour of this program.
    package static func declaration(of root: @escaping @Sendable () -> Command) -> Command {
        Command(
            name: "completions",
            overview: "Print a completion script for a shell.",
            parameters: [shell.model],
            run: { input, console throws(CommandError) in
                console.write(script(for: input[shell], root: root()))
            }
        )
    }

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        console.write(script(for: input[shell], root: RootCommand.declaration))
    }

    /// The script for a program.
    static func script(for shell: Shell, root: Command) -> String {
        let paths = CommandPath(root: root).all
        return switch shell {
        case .bash: BashCompletion(paths: paths).script
        case .zsh: ZshCompletion(paths: paths).script
        case .fish: FishCompletion(paths: paths).script
        }
    }
}
