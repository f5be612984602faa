import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingCommands
@testable import FootingTuning

/// `footing prove`, always on a tree of files.
@Suite struct ProveTests {
    private let folder: TemporaryDirectory
    private let tree: TunedTree

    init() throws {
        folder = try TemporaryDirectory()
        tree = try TunedTree(in: folder)
        try folder.directory("scratch")
    }

    private func run(_ words: String...) -> Outcome {
        Outcome.of(["prove", "/disk"] + tree.place + words, root: RootCommand.declaration)
    }

    @Test func `a dry run tells what would be tried and how long it takes`() throws {
        let dry = run("--dry-run", "--rules", "read-ahead")
        #expect(
            dry.output == """
                /disk: would try 1 in about 44 s (11 measurements), \
                after the scratch file is written
                  read-ahead: kept for cached-read-rate
                    vda queue/read_ahead_kb: 8192 -> 128

                """
        )
        #expect(dry.status == 0)
        let json = run("--dry-run", "--json", "--rounds", "3", "--slice", "10ms")
        #expect(json.output.contains("\"schema\": \"footing.proof-plan/1\""))
        #expect(try tree.readAhead() == "8192")
    }

    @Test func `what a tree cannot change is undone, and a page tells of it`() throws {
        let page = folder.path("page.html")
        let words = ["--rules", "read-ahead", "--rounds", "3", "--slice", "10ms", "--size", "16M"]
        let scratch = ["--scratch", folder.path("scratch"), "--html", page]
        let proved = Outcome.of(
            ["prove", "/disk"] + tree.place + words + scratch,
            root: RootCommand.declaration
        )
        #expect(proved.status == 0, "\(proved.error)")
        // A busy machine may make it seem harmful by chance: then there are twice as many.
        #expect(
            proved.output.hasPrefix("/disk: 1 tried, 3 pairs each, in ")
                || proved.output.hasPrefix("/disk: 1 tried, 3 pairs each, twice as many where "),
            "\(proved.output)"
        )
        // A tree's attribute changes nothing, but chance may: then it is kept, and says so.
        let isKept = proved.output.contains("read-ahead: kept")
        #expect(try tree.readAhead() == (isKept ? "128" : "8192"))
        let text = String(
            decoding: try HostRoot(path: folder.path).bytes("page.html"),
            as: UTF8.self
        )
        #expect(text.hasPrefix("<!DOCTYPE html>"))
        #expect(text.contains("<svg "))
        #expect(try HostRoot(path: folder.path("scratch")).names("").isEmpty)
        let again = run(
            "--scratch",
            folder.path("scratch"),
            "--html",
            page,
            "--rules",
            "read-ahead"
        )
        #expect(again.error.contains("File exists (EEXIST)"))
    }

    @Test(arguments: [
        (["--rules", "read-ahed"], "there is no rule 'read-ahed'"),
        (["--slice", "1ms"], "--slice takes 10ms to 1m"),
        (["--figure", "luck"], "one of random-read-latency, "),
        (["--rounds", "2"], "from 3 to 50"),
        ([], "--root needs --scratch"),
    ])
    func `what does not go together is bad usage`(_ words: [String], _ message: String) {
        let outcome = Outcome.of(
            ["prove", "/disk"] + tree.place + words,
            root: RootCommand.declaration
        )
        #expect(outcome.status == 64)
        #expect(outcome.error.contains(message), "\(outcome.error)")
    }

    @Test func `a page has no other meaning than its texts`() throws {
        let hostile = "<script>alert('x')</script>&\"\u{1b}[2J"
        let figure = Figure(name: hostile, unit: .nanoseconds)
        let series = try #require(
            FigureSeries(figure, without: [1, 2, 1, 2], with: [1e17, 2, 1])
        )
        let report = ProofReport(
            path: hostile,
            profile: hostile,
            rounds: 3,
            elapsedNanoseconds: 5,
            unixSeconds: 1_700_000_000,
            trials: [
                .init(
                    rules: [hostile],
                    figure: hostile,
                    steps: [.init(target: hostile, from: hostile, to: hostile)],
                    series: [series],
                    decision: .harms([hostile])
                )
            ],
            skipped: [.init(rule: hostile, reason: hostile)],
            recovery: TuningOutcome(),
            outcome: TuningOutcome()
        )
        let page = ProofPage.text(report)
        #expect(!page.contains("<script"))
        #expect(!page.contains("\u{1b}"))
        #expect(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;"))
        for word in ["src=", "href=", "url(", "http:", "https:", "onload", "@import"] {
            #expect(!page.contains(word), "\(word)")
        }
        #expect(page.contains("2023-11-14 22:13:20"))
    }

    /// A report of one trial, with what an earlier run had left.
    private func report(_ decision: ProofDecision, recovered: Bool) throws -> ProofReport {
        let figure = Figure(name: "rate", unit: .operationsPerSecond)
        let series = try #require(
            FigureSeries(figure, without: [1, 1, 1, 1], with: [2, 2, 2])
        )
        let step = TuningOutcome.Step(target: "vda queue/read_ahead_kb", from: "8192", to: "128")
        var recovery = TuningOutcome()
        if recovered {
            recovery.steps = [.init(target: "vda queue/scheduler", from: "none", to: "bfq")]
            recovery.notes = ["an interrupted apply or proof was undone"]
        }
        var outcome = TuningOutcome()
        if decision == .keep { outcome.steps = [step] }
        return ProofReport(
            path: "/d",
            profile: "edge",
            rounds: 3,
            elapsedNanoseconds: 5,
            unixSeconds: 1_700_000_000,
            trials: [
                .init(
                    rules: ["read-ahead"],
                    figure: "rate",
                    steps: [step],
                    series: [series],
                    decision: decision
                )
            ],
            skipped: [],
            recovery: recovery,
            outcome: outcome
        )
    }

    @Test func `what was recovered is not what was kept`() throws {
        let recovered = """
            Before anything was tried:
            note: an interrupted apply or proof was undone
            wrote  vda queue/scheduler: none -> bfq


            """
        let nothing = "Nothing is kept; everything that was tried is as it was before.\n"
        let kept = """
            wrote  vda queue/read_ahead_kb: 8192 -> 128
            'footing rollback' undoes what was kept.

            """
        for (decision, isRecovered, expected) in [
            (.noGain, false, nothing), (.noGain, true, recovered + nothing),
            (.keep, false, kept), (.keep, true, recovered + kept),
        ] as [(ProofDecision, Bool, String)] {
            let report = try report(decision, recovered: isRecovered)
            #expect(ProofText.closing(report) == expected)
            #expect(ProofText.text(report).hasSuffix("\n\n" + expected))
            #expect(ProofPage.text(report).contains(ProofPage.escaped(expected)))
            let steps = report.json.member("outcome")?.member("steps")
            #expect(steps == report.outcome.json.member("steps"))
            let undone = report.json.member("recovery")?.member("steps")
            #expect(undone == report.recovery.json.member("steps"))
        }
    }

    @Test func `a rule that asks for nothing here is named, and no file is written`() throws {
        // Where nothing may be written.
        let proved = Outcome.of(
            ["prove", "/disk"] + tree.place
                + ["--rules", "nvme-scheduler-none", "--scratch", folder.path("nowhere")],
            root: RootCommand.declaration
        )
        #expect(proved.status == 0, "\(proved.error)")
        #expect(proved.output.hasPrefix("/disk: 0 tried, 5 pairs each, in "))
        #expect(
            proved.output.contains("not tried  nvme-scheduler-none: it asks for nothing here\n")
        )
    }
}
