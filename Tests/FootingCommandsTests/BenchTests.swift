import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingCommands

/// `footing bench` as a user runs it.
@Suite struct BenchCommandTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private func run(_ words: String...) -> Outcome {
        Outcome.of(["bench"] + words, root: RootCommand.declaration)
    }

    @Test func `a place is measured, and compared with itself`() throws {
        let words = ["--size", "16M", "--seconds", "1", "--rounds"]
        let text = Outcome.of(
            ["bench", folder.path] + words + ["2"],
            root: RootCommand.declaration
        )
        #expect(text.status == 0, "\(text.error)")
        #expect(text.output.hasPrefix("scratch file of 16 MiB, 2 rounds in about 1 s; "))
        #expect(text.output.contains("\nrandom read, 16"))
        #expect(text.output.contains("\nflush: "))
        // Of two values nothing is known of the noise.
        #expect(!text.output.contains(" %"))
        let json = Outcome.of(
            ["bench", folder.path, "--json"] + words + ["3"],
            root: RootCommand.declaration
        )
        try folder.file("a.json", json.output)
        let file = folder.path("a.json")
        let same = run("--compare", file, file)
        #expect(same.status == 0, "\(same.error)")
        #expect(same.output.contains("random-read-depth-1       operations"))
        #expect(same.output.contains("1.00x  within the noise"))
        #expect(!same.output.contains("What differs"))
        let document = run("--compare", file, file, "--json")
        #expect(document.output.contains("\"schema\": \"footing.bench-comparison/1\""))
        #expect(try HostRoot(path: folder.path).names("") == ["a.json"])
    }

    @Test func `what cannot be measured or compared is refused`() throws {
        #expect(run("--compare", "a").error.contains("--compare takes two documents"))
        #expect(run("a", "b").status == 64)
        #expect(run(folder.path, "--size", "1M").error.contains("has 16 MiB to 1 TiB"))
        #expect(run("/no/such/folder/here").error.contains("No such file or directory"))
        #expect(run("--seconds", "0").status == 64)
        try folder.file("no.json", "{}")
        let no = folder.path("no.json")
        let wrong = run("--compare", no, no)
        #expect(wrong.status == 1)
        #expect(wrong.error.contains("it is not of the form footing.bench/1"))
        #expect(run("--compare", "/dev/zero", no).status == 1)
    }
}
