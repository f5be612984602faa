import FootingSystem
import Glibc
import Testing

@testable import FootingCommands

/// The scripts are run by the shells they are for.
@Suite struct CompletionTests {
    /// Runs a shell on a script in a file and gives what it printed, or nil if it failed.
    private static func run(_ shell: String, _ script: String) throws -> String? {
        var template = Array("/tmp/footing-completion-XXXXXX".utf8CString)
        let number = unsafe mkstemp(&template)
        guard number >= 0 else { throw Errno.current }
        let file = FileDescriptor(owning: number)
        try file.write(script)
        let bytes = template.dropLast().map { UInt8(bitPattern: $0) }
        let path = String(decoding: bytes, as: UTF8.self)
        defer { _ = unsafe unlink(path) }
        guard let stream = unsafe popen("\(shell) '\(path)' </dev/null 2>&1", "r") else {
            throw Errno.current
        }
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = unsafe fread(&chunk, 1, chunk.count, stream)
            if count == 0 { break }
            output += chunk[..<count]
        }
        return unsafe pclose(stream) == 0 ? String(decoding: output, as: UTF8.self) : nil
    }

    private static func has(_ shell: String) -> Bool {
        (try? run("command -v \(shell) #", "")) ?? nil != nil
    }

    private func script(_ shell: CompletionsCommand.Shell) -> String {
        CompletionsCommand.script(for: shell, root: SampleProgram.declaration)
    }

    @Test(arguments: CompletionsCommand.Shell.allCases)
    func `the command prints the script`(shell: CompletionsCommand.Shell) {
        let outcome = Outcome.of("completions", shell.rawValue, root: RootCommand.declaration)
        let script = CompletionsCommand.script(for: shell, root: RootCommand.declaration)
        #expect(outcome == Outcome(output: script))
        #expect(script.contains("completions"))
    }

    @Test(.enabled(if: has("bash"), "bash is not installed"))
    func `bash understands its script`() throws {
        #expect(try Self.run("bash -n", script(.bash)) == "")
    }

    @Test(.enabled(if: has("zsh"), "zsh is not installed"))
    func `zsh understands its script`() throws {
        #expect(try Self.run("zsh -n", script(.zsh)) == "")
    }

    @Test(.enabled(if: has("fish"), "fish is not installed"))
    func `fish understands its script`() throws {
        #expect(try Self.run("fish -n", script(.fish)) == "")
    }

    /// The words of a line, the last of which is completed, and what is offered.
    private static let lines: [(String, String)] = [
        ("sample ''", "--help --version -h disk"),
        ("sample d", "disk"),
        ("sample disk ''", "--help --version -h check make"),
        ("sample disk make --co", "--color"),
        ("sample disk make --color ''", "green red"),
        ("sample disk make --color = g", "green"),
        ("sample disk make --color =", "green red"),
        ("sample disk make --wait ''", ""),
        ("sample disk make -v --s", "--size"),
        ("sample disk check /dev/nul", "/dev/null"),
        ("sample disk make --root /de", "/dev"),
    ]

    @Test(.enabled(if: has("bash"), "bash is not installed"), arguments: lines)
    func `bash offers what fits`(line: String, offered: String) throws {
        // Outside of a completion compopt has nothing to work on.
        let call = """
            compopt() { :; }
            COMP_WORDS=(\(line))
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _sample
            printf '%s\\n' "${COMPREPLY[@]}" | LC_ALL=C sort | xargs
            """
        let output = try Self.run("bash", script(.bash) + call)
        #expect(output == offered + "\n")
    }

    private static let fishLines: [(String, String)] = [
        ("sample ", "disk"), ("sample disk ", "check make"), ("sample disk make --co", "--color"),
        ("sample disk make --color ", "green red"), ("sample disk check /dev/nul", "/dev/null"),
        ("sample disk make --color=g", "--color=green"),
    ]

    @Test(.enabled(if: has("fish"), "fish is not installed"), arguments: fishLines)
    func `fish offers what fits`(line: String, offered: String) throws {
        let call = "complete --do-complete '\(line)' | string split -f1 \\t | sort | xargs\n"
        let output = try Self.run("fish --no-config", script(.fish) + call)
        #expect(output == offered + "\n")
    }
}
