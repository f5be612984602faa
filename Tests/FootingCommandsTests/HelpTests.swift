import Testing

@testable import FootingCommands

@Suite struct HelpTests {
    @Test func `a group lists its subcommands`() {
        let expected = """
            OVERVIEW: Work on disks.

            USAGE: sample disk <subcommand>

            OPTIONS:
              --version               Show the version.
              -h, --help              Show help information.

            SUBCOMMANDS:
              make                    Make a disk.
              check                   Check a disk.

              See 'sample help disk <subcommand>' for detailed help.

            """
        #expect(Outcome.of("disk", "--help") == Outcome(output: expected))
    }

    @Test func `a command lists its parameters`() {
        let expected = """
            OVERVIEW: Make a disk.

            Nothing is overwritten.

            USAGE: sample disk make [<options>] <path> [<copy>] --size <size>

            ARGUMENTS:
              <path>                  The disk.
              <copy>                  Where a copy goes.

            OPTIONS:
              -s, --size <size>       Size of the disk.
              --wait <duration>       How long to wait. (default: 2s)
              --root <directory>      Another machine.
              --color <choice>        A color. (values: red, green; default: green)
              -v, --verbose           Tell more.
              -q, --quiet             Tell less.
              --version               Show the version.
              -h, --help              Show help information.

            """
        #expect(Outcome.of("disk", "make", "--help") == Outcome(output: expected))
    }

    @Test func `a narrow terminal wraps`() {
        let expected = """
            OVERVIEW: Check a disk.

            USAGE: sample disk check <path>

            ARGUMENTS:
              <path>                  The disk.

            OPTIONS:
              --version               Show the version.
              -h, --help              Show help
                                      information.

            """
        #expect(Outcome.of("disk", "check", "-h", columns: 46).output == expected)
    }

    @Test func `a wide terminal shows the whole synopsis`() {
        let usage = Outcome.of("disk", "make", "-h", columns: 200).output.split(separator: "\n")[2]
        #expect(
            usage == "USAGE: sample disk make <path> [<copy>] --size <size> [--wait <duration>] "
                + "[--root <directory>] [--color <choice>] [--verbose] [--quiet]"
        )
    }

    @Test func `a long label stands on a line of its own`() {
        let option = Option(optional: "a-very-long-option", .directory, help: "Far away.")
        let command = Command(name: "a", overview: "A.", parameters: [option.model]) {
            (_, _) throws(CommandError) in
        }
        let help = HelpText(path: CommandPath(root: command), columns: 80).text
        let margin = String(repeating: " ", count: 26)
        #expect(help.contains("  --a-very-long-option <directory>\n\(margin)Far away.\n"))
    }

    @Test func `the program's own help`() {
        let output = Outcome.of("--help", root: RootCommand.declaration).output
        let overview = "OVERVIEW: A crash-safe virtual disk that knows the ground it stands on.\n"
        #expect(output.hasPrefix(overview + "\nUSAGE: footing <subcommand>\n"))
        for line in output.split(separator: "\n") { #expect(line.count <= 80) }
    }

    @Test func `the help of completions`() {
        let expected = """
            OVERVIEW: Print a completion script for a shell.

            For bash, add to ~/.bashrc:
            source <(footing completions bash)

            USAGE: footing completions <shell>

            ARGUMENTS:
              <shell>                 The shell to write for. (values: bash, zsh, fish)

            OPTIONS:
              --version               Show the version.
              -h, --help              Show help information.

            """
        let outcome = Outcome.of("help", "completions", root: RootCommand.declaration)
        #expect(outcome == Outcome(output: expected))
    }
}
