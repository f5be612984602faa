internal import FootingSystem
import Glibc

/// The `footing` program: commands in, exit status out.
public enum FootingProgram {
    /// What was asked for failed.
    static let failureStatus: Int32 = 1
    /// The command line makes no sense, `EX_USAGE` of `sysexits.h`.
    static let usageStatus: Int32 = 64

    /// Runs the process's own command line and ends the process.
    public static func main() -> Never {
        main(RootCommand.declaration)
    }

    /// The same for another program of the same make.
    package static func main(_ root: Command) -> Never {
        let words = Array(ProcessArguments.all.dropFirst())
        exit(run(words, root: root, console: .standard()))
    }

    /// Runs one command line and gives the exit status.
    package static func run(_ words: [String], root: Command, console: Console) -> Int32 {
        let request: Request
        do throws(UsageError) {
            request = try CommandLineParser.parse(words, root: root)
        } catch {
            let text = error.text(columns: console.columns)
            console.writeError(TerminalText.harmless(text))
            return usageStatus
        }
        let status = perform(request, console)
        guard status == 0, let failure = console.outputFailure else { return status }
        console.writeError("Error: cannot write to standard output: \(failure)\n")
        return failureStatus
    }

    private static func perform(_ request: Request, _ console: Console) -> Int32 {
        switch request {
        case .help(let path):
            console.write(HelpText(path: path, columns: console.columns).text)
        case .version:
            console.print(Release.version)
        case .become(let program, let path, let words):
            return report(NeighbourProgram.become(program, as: path, words), of: path, console)
        case .run(let path, let invocation):
            do throws(CommandError) {
                try path.command.body?(invocation, console)
            } catch {
                return report(error, of: path, console)
            }
        }
        return 0
    }

    private static func report(
        _ error: CommandError,
        of path: CommandPath,
        _ console: Console
    ) -> Int32 {
        switch error.kind {
        case .answer: return failureStatus
        case .failure:
            console.writeError("Error: \(TerminalText.harmless(error.message))\n")
            return failureStatus
        case .usage:
            let usage = UsageError(error.message, at: path)
            console.writeError(TerminalText.harmless(usage.text(columns: console.columns)))
            return usageStatus
        }
    }
}
