import FootingSystem
import Testing

@testable import FootingCommands

@Suite struct ParserTests {
    @Test func `defaults hold where nothing is given`() throws {
        let input = try #require(try SampleProgram.parseMake("a", "--size", "1K"))
        #expect(input[SampleProgram.path] == "a")
        #expect(input[SampleProgram.copy] == nil)
        #expect(input[SampleProgram.size] == 1024)
        #expect(input[SampleProgram.wait] == .seconds(2))
        #expect(input[SampleProgram.root] == nil)
        #expect(input[SampleProgram.color] == .green)
        #expect(!input[SampleProgram.verbose])
    }

    @Test(arguments: [
        ["a", "--size", "10G"], ["--size=10G", "a"], ["-s", "10G", "a"], ["-s10G", "a"],
        ["-s=10G", "a"], ["-vqs", "10G", "a"], ["-vs10G", "--", "a"],
    ])
    func `a value has many forms`(words: [String]) throws {
        let line = ["disk", "make"] + words
        let request = try CommandLineParser.parse(line, root: SampleProgram.declaration)
        guard case .run(let path, let input) = request else {
            Issue.record("not a run: \(request)")
            return
        }
        #expect(path.text == "sample disk make")
        #expect(input[SampleProgram.path] == "a")
        #expect(input[SampleProgram.size] == 10 << 30)
    }

    @Test func `everything can be given`() throws {
        let input = try #require(
            try SampleProgram.parseMake(
                "a",
                "b",
                "-v",
                "--quiet",
                "--root=/x=y",
                "--wait",
                "250ms",
                "--color",
                "red",
                "-s",
                "1"
            )
        )
        #expect(input[SampleProgram.copy] == "b")
        #expect(input[SampleProgram.root] == "/x=y")
        #expect(input[SampleProgram.wait] == .milliseconds(250))
        #expect(input[SampleProgram.color] == .red)
        #expect(input[SampleProgram.verbose] && input[SampleProgram.quiet])
    }

    @Test func `after two dashes everything is an argument`() throws {
        let input = try #require(try SampleProgram.parseMake("-s1", "--", "--size", "--help"))
        #expect(input[SampleProgram.path] == "--size")
        #expect(input[SampleProgram.copy] == "--help")
    }

    @Test func `a single dash is an argument`() throws {
        #expect(try SampleProgram.parseMake("-s1", "-")?[SampleProgram.path] == "-")
    }

    @Test func `a dash may begin an attached value`() throws {
        #expect(try SampleProgram.parseMake("a", "-s1", "--root=-x")?[SampleProgram.root] == "-x")
    }

    private static let mistakes: [([String], String)] = [
        ([], "Missing expected argument '<path>'"),
        (["a"], "Missing expected option '-s, --size <size>'"),
        (["a", "-s"], "Missing value for '-s, --size <size>'"),
        (["a", "--size", "--quiet"], "Missing value for '-s, --size <size>'"),
        (["a", "--size=1", "-s2"], "The option '--size' is given twice"),
        (["a", "-s1", "-vv"], "The option '--verbose' is given twice"),
        (["a", "-s1", "--sise=1"], "Unknown option '--sise'. Did you mean '--size'?"),
        (["a", "-s1", "--frobnicate"], "Unknown option '--frobnicate'"),
        (["a", "-s1", "-x"], "Unknown option '-x'"),
        (["a", "-s1", "-vx"], "Unknown option '-x' in '-vx'"),
        (["a", "-s1", "--quiet=yes"], "The flag '--quiet' takes no value"),
        (["a", "b", "c", "-s1"], "Unexpected argument 'c'"),
        (["", "-s1"], "The value '' is invalid for '<path>': expected a path"),
        (
            ["a", "-s1", "--color", "gren"],
            "The value 'gren' is invalid for '--color <choice>': "
                + "expected one of red, green. Did you mean 'green'?"
        ),
    ]

    @Test(arguments: mistakes)
    func `a mistake is named`(words: [String], message: String) {
        let error = #expect(throws: UsageError.self) {
            try CommandLineParser.parse(["disk", "make"] + words, root: SampleProgram.declaration)
        }
        #expect(error?.message == message)
        #expect(error?.path.text == "sample disk make")
    }

    private static let wrongCommands: [([String], String)] = [
        (["dsik"], "Unknown subcommand 'dsik'. Did you mean 'disk'?"),
        (["disk", "bake"], "Unknown subcommand 'bake'. Did you mean 'make'?"),
        (["disk", "xyz"], "Unknown subcommand 'xyz'"),
        (["--helo"], "Unknown option '--helo'. Did you mean '--help'?"),
        (["help", "xyz"], "Unknown subcommand 'xyz'"),
    ]

    @Test(arguments: wrongCommands)
    func `a misspelt command is guessed at`(words: [String], message: String) {
        let error = #expect(throws: UsageError.self) {
            try CommandLineParser.parse(words, root: SampleProgram.declaration)
        }
        #expect(error?.message == message)
    }

    private static let helpRequests: [([String], String)] = [
        ([], "sample"), (["--help"], "sample"), (["-h"], "sample"), (["help"], "sample"),
        (["disk"], "sample disk"), (["disk", "-h"], "sample disk"),
        (["help", "disk"], "sample disk"),
        (["help", "disk", "make"], "sample disk make"),
        (["disk", "help", "make"], "sample disk make"),
        (["disk", "make", "--nonsense", "--help"], "sample disk make"),
        (["disk", "make", "-vh"], "sample disk make"),
    ]

    @Test(arguments: helpRequests)
    func `help is always at hand`(words: [String], path: String) throws {
        let request = try CommandLineParser.parse(words, root: SampleProgram.declaration)
        guard case .help(let found) = request else {
            Issue.record("not a help request: \(request)")
            return
        }
        #expect(found.text == path)
    }

    static let neighbours: [(words: [String], rest: [String])] = [
        (["kubevirt"], []), (["kubevirt", "gates", "-"], ["gates", "-"]),
        (["kubevirt", "--help"], ["--help"]), (["kubevirt", "--", "-x"], ["--", "-x"]),
    ]

    @Test(arguments: neighbours)
    func `another program gets its words as they are`(words: [String], rest: [String]) throws {
        let request = try CommandLineParser.parse(words, root: RootCommand.declaration)
        guard case .become(let program, let path, let left) = request else {
            Issue.record("no other program: \(request)")
            return
        }
        #expect(program == "footing-kubevirt")
        #expect(path.text == NeighbourProgram.kubeVirtName)
        #expect(left == rest)
    }

    @Test func `help for another program is this one's`() throws {
        let request = try CommandLineParser.parse(
            ["help", "kubevirt"],
            root: RootCommand.declaration
        )
        guard case .help(let path) = request else {
            Issue.record("no help: \(request)")
            return
        }
        let text = HelpText(path: path, columns: 80).text
        #expect(text.contains("USAGE: footing kubevirt <subcommand>\n"))
    }

    @Test func `distances count typing mistakes`() {
        #expect(Spelling.distance("", "abc") == 3)
        #expect(Spelling.distance("serve", "serve") == 0)
        #expect(Spelling.distance("sevre", "serve") == 1)
        #expect(Spelling.distance("sever", "serve") == 2)
        #expect(Spelling.distance("kitten", "sitting") == 3)
    }
}
