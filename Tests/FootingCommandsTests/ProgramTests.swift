import FootingSystem
import Testing

@testable import FootingCommands

@Suite struct ProgramTests {
    @Test func `a command that works ends with 0`() {
        let outcome = Outcome.of("disk", "make", "a", "--size", "4K")
        #expect(outcome == Outcome(output: "made a of 4096\n"))
    }

    @Test func `a failure says what, why and what to do`() {
        let error =
            "Error: cannot make 'missing': No space left on device (ENOSPC). "
            + "Free some space\n"
        let outcome = Outcome.of("disk", "make", "missing", "--size", "4K")
        #expect(outcome == Outcome(status: 1, error: error))
    }

    @Test func `bad usage ends with 64 and shows the way`() {
        let error = """
            Error: Missing value for '--wait <duration>'
            Help:  --wait <duration>  How long to wait.
            Usage: sample disk make [<options>] <path> [<copy>] --size <size>
              See 'sample disk make --help' for more information.

            """
        let outcome = Outcome.of("disk", "make", "a", "--wait")
        #expect(outcome == Outcome(status: 64, error: error))
    }

    @Test func `options that exclude each other are bad usage`() {
        let outcome = Outcome.of("disk", "make", "a", "-s1", "-vq")
        #expect(outcome.status == 64)
        #expect(outcome.error.hasPrefix("Error: '--verbose' and '--quiet' exclude each other\n"))
    }

    @Test func `the version comes from one place`() {
        let expected = Outcome(output: Release.version + "\n")
        #expect(Outcome.of("--version") == expected)
        #expect(Outcome.of("disk", "make", "--version") == expected)
    }

    @Test func `JSON has sorted keys`() {
        let expected = "{\n  \"blocks\": 3,\n  \"damaged\": false\n}\n"
        #expect(Outcome.of("disk", "check", "a").output == expected)
    }

    @Test func `a result that cannot be written is a failure`() {
        let errors = Locked("")
        let console = Console(columns: 80, progressColumns: nil) { stream, text throws(Errno) in
            if stream == .output { throw .noSpace }
            errors.withLock { $0 += text }
        }
        let words = ["disk", "check", "a"]
        let status = FootingProgram.run(words, root: SampleProgram.declaration, console: console)
        #expect(status == 1)
        let expected = "Error: cannot write to standard output: No space left on device (ENOSPC)\n"
        #expect(errors.withLock { $0 } == expected)
    }

    @Test func `the declaration of the program is sound`() {
        #expect(DeclarationValidator.problems(in: RootCommand.declaration) == [])
        #expect(DeclarationValidator.problems(in: SampleProgram.declaration) == [])
    }

    private static func command(_ parameters: [ParameterModel]) -> Command {
        Command(name: "a", overview: "A.", parameters: parameters) {
            (_, _) throws(CommandError) in
        }
    }

    private static let unsound: [(Command, String)] = [
        (
            command([Flag("b", help: "B.").model, Flag("b", help: "B.").model]),
            "two parameters are called 'b'"
        ),
        (command([Flag("help", help: "B.").model]), "two parameters are called 'help'"),
        (command([Flag("b", letter: "h", help: "B.").model]), "two options have the letter 'h'"),
        (
            command([
                Argument(optional: "b", .file, help: "B.").model,
                Argument("c", .file, help: "C.").model,
            ]), "<c> is required but follows an argument that is not"
        ),
        (
            command([
                Argument(repeating: "b", .text, help: "B.").model,
                Argument(optional: "c", .text, help: "C.").model,
            ]), "<b> ... takes all that is left but is not the last argument"
        ),
        (
            command([Flag("Big", help: "B.").model]),
            "'Big' is not made of lower-case letters and dashes"
        ),
        (command([Flag("b", help: "B").model]), "the help of --b has no full stop"),
        (
            Command(name: "a", overview: "A.", subcommands: []),
            "does nothing and has no subcommands"
        ),
        (
            Command(name: "a", overview: "A", subcommands: [command([])]),
            "the overview is not one sentence with a full stop"
        ),
    ]

    @Test(arguments: unsound.indices)
    func `an unsound declaration is found`(index: Int) {
        let (command, problem) = Self.unsound[index]
        #expect(DeclarationValidator.problems(in: command) == ["a: \(problem)"])
    }
}
