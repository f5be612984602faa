import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingCommands

/// `footing profile`, `plan`, `apply` and `rollback`, always on a tree of files.
@Suite struct TuneTests {
    private let folder: TemporaryDirectory

    init() throws {
        folder = try TemporaryDirectory()
    }

    private func run(_ words: String...) -> Outcome {
        var outcome = Outcome.of(words, root: RootCommand.declaration)
        outcome.output = outcome.output.replacing(folder.path, with: "HERE")
        outcome.error = outcome.error.replacing(folder.path, with: "HERE")
        return outcome
    }

    @Test func `the built-in profiles are listed and shown`() {
        let list = run("profile", "list")
        #expect(list.output.contains("\nedge-raspberry-pi        A Raspberry Pi with 256 MiB"))
        let shown = run("profile", "show", "edge-raspberry-pi", "--set", "connections=4")
        #expect(shown.output.contains("# Clients at a time. Used by 'footing serve --profile'.\n"))
        #expect(shown.output.contains("\nconnections = 4\n"))
        #expect(shown.output.contains("Nothing uses it yet.\n"))
        #expect(run("profile", "show", "hypervisor", "--json").output.contains("footing.profile/1"))
    }

    @Test func `a profile is made, checked, and refused with its line`() throws {
        let file = folder.path("closet.profile")
        let made = run("profile", "create", file, "--set", "connections=5")
        #expect(made == Outcome(output: "made the profile 'closet' in HERE/closet.profile\n"))
        #expect(run("profile", "check", file) == Outcome(output: "the profile 'closet' is sound\n"))
        #expect(run("profile", "show", file).output.contains("\nconnections = 5\n"))
        #expect(run("profile", "create", file).error.contains("File exists (EEXIST)"))
        #expect(run("profile", "create", folder.path("Bad Name")).status == 64)
        try folder.file("wrong", "format = 1\nname = a\nconnections = 5000\n")
        let wrong = run("profile", "check", folder.path("wrong"))
        #expect(wrong.status == 1)
        #expect(
            wrong.error == "Error: cannot use the profile 'HERE/wrong': line 3: connections: "
                + "'5000' is not a whole number from 1 to 4096\n"
        )
        #expect(run("profile", "show", "moon").error.contains("See 'footing profile list'"))
        #expect(run("profile", "check", "/dev/zero").status == 1)
    }

    @Test func `what a profile asks for and nothing heeds is told when it is checked`() throws {
        try folder.file("far", "format = 1\nname = far\noffline-buffer = 256M\n")
        let checked = run("profile", "check", folder.path("far"))
        #expect(checked.output == "the profile 'far' is sound\n")
        #expect(
            checked.error == "footing: the profile 'far' asks for what nothing heeds yet: "
                + "offline-buffer = 256M\n"
        )
        let document = run("profile", "check", folder.path("far"), "--json")
        #expect(document.error == checked.error)
        #expect(document.output.hasPrefix("{"))
    }

    @Test func `a tree is planned, changed and restored`() throws {
        let tree = try TunedTree(in: folder)
        let root = tree.root
        let words = ["--profile", "hypervisor", "--rules", "read-ahead", "/disk"]
        let plan = run("plan", "--root", root, words[0], words[1], words[2], words[3], words[4])
        #expect(plan.output.contains("vda queue/read_ahead_kb: 8192 -> 128\n"))
        let nothing = run("plan", "--root", root, "--profile", "hypervisor", "/disk")
        #expect(nothing.output.contains("\nNothing to apply.\n"))
        let place = tree.place
        let all = ["apply"] + place + words
        let trial = Outcome.of(all + ["--dry-run"], root: RootCommand.declaration)
        #expect(trial.output.contains("would write  vda queue/read_ahead_kb: 8192 -> 128\n"))
        #expect(try tree.readAhead() == "8192")
        let applied = Outcome.of(all, root: RootCommand.declaration)
        #expect(
            applied.output == "/disk: profile hypervisor\nwrote  vda queue/read_ahead_kb: "
                + "8192 -> 128\n"
        )
        #expect(try tree.readAhead() == "128")
        let again = Outcome.of(["apply", "--again"] + place, root: RootCommand.declaration)
        #expect(again.output == "/disk: profile hypervisor\nnothing to change\n")
        let undone = Outcome.of(["rollback"] + place, root: RootCommand.declaration)
        #expect(undone.output == "wrote  vda queue/read_ahead_kb: 128 -> 8192\n")
        #expect(try tree.readAhead() == "8192")
        let rest = Outcome.of(["rollback", "--json"] + place, root: RootCommand.declaration)
        #expect(rest.output.contains("\"steps\": []"))
    }

    @Test func `what somebody else has changed ends with 1`() throws {
        let tree = try TunedTree(in: folder)
        let place = tree.place
        let words = ["--profile", "hypervisor", "--rules", "read-ahead", "/disk"]
        #expect(Outcome.of(["apply"] + place + words, root: RootCommand.declaration).status == 0)
        try tree.setReadAhead("999")
        let refused = Outcome.of(["rollback"] + place, root: RootCommand.declaration)
        #expect(refused.status == 1)
        #expect(refused.output.contains("left alone  vda queue/read_ahead_kb: somebody made it"))
        let forced = Outcome.of(["rollback", "--force"] + place, root: RootCommand.declaration)
        #expect(forced.status == 0)
        #expect(try tree.readAhead() == "8192")
    }

    @Test(arguments: [
        (["apply"], "name a path, or give --again"),
        (["apply", "--again", "/disk"], "name a path, or give --again"),
        (["apply", "--again", "--rules", "read-ahead"], "choose nothing else"),
        (["apply", "--root", "/tmp", "/disk"], "--root needs --journal"),
        (["rollback", "--root", "/tmp"], "--root needs --journal"),
        (["plan", "--rules", "read-ahed", "/disk"], "there is no rule 'read-ahed'"),
    ])
    func `what does not go together is bad usage`(_ words: [String], _ message: String) {
        let outcome = Outcome.of(words, root: RootCommand.declaration)
        #expect(outcome.status == 64)
        #expect(outcome.error.contains(message), "\(outcome.error)")
    }
}
