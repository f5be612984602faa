import Testing

/// Every rule is seen to pass and to fail: a rule that cannot fail protects nothing.
@Suite struct RuleTests {
    private static let cases: [(name: String, rule: SourceRules.Rule, good: String, bad: String)] =
        [
            (
                "line length", SourceRules.lineLength,
                String(repeating: "ü", count: 100), String(repeating: "x", count: 101)
            ),
            (
                "tabs count", SourceRules.lineLength,
                "\t" + String(repeating: "x", count: 92), "\t" + String(repeating: "x", count: 93)
            ),
            ("tab", SourceRules.whiteSpace, "a b\n", "a\tb\n"),
            ("trailing space", SourceRules.whiteSpace, "a\n\nb\n", "a \nb\n"),
            ("last line feed", SourceRules.whiteSpace, "a\n", "a"),
            (
                "file length", SourceRules.fileLength,
                String(repeating: "a\n", count: 600), String(repeating: "a\n", count: 601)
            ),
            (
                "function length", SourceRules.functionLength, function(lines: 70),
                function(lines: 71)
            ),
            ("fatal error", SourceRules.crashes, "// fatalError()", "fatalError()"),
            ("forced try", SourceRules.crashes, "try? a()", "try! a()"),
            ("forced cast", SourceRules.crashes, "\"as!\"", "a as! B"),
            ("to do", SourceRules.markers, "// today", "// TO" + "DO: later"),
            ("fix me", SourceRules.markers, "// fixme", "// FIX" + "ME"),
            ("three crosses", SourceRules.markers, "a-XXXXXX", "/* XX" + "X */"),
            ("private path", SourceRules.privatePaths, "Fixtures/a/root/sys", "\"/" + "root/a\""),
            ("assertion", SourceRules.assertions, "@Test #expect(a)", "@Test func a() { }"),
            ("comment", SourceRules.assertions, "func a()", "@Test // #expect(a)"),
            (
                "arrow", ImportRules.problems, "public import FootingSystem",
                "import FootingCommands"
            ),
            (
                "Foundation", ImportRules.problems, "import Glibc",
                "internal import FoundationEssentials"
            ),
            ("other module", ImportRules.problems, "// import Other", "import struct Other.Thing"),
            ("title", DocumentRules.title, "# A\n```\n# b\n```", "# A\n# B"),
            ("first line", DocumentRules.title, "# A", "\n# A"),
        ]

    private static func function(lines: Int) -> String {
        "func a() {\n" + String(repeating: "    b()\n", count: lines - 2) + "}\n"
    }

    @Test(arguments: cases.indices)
    func `a rule tells good from bad`(index: Int) {
        let (name, rule, good, bad) = Self.cases[index]
        let path = "Sources/FootingHost/File.swift"
        #expect(rule(path, good) == [], "\(name)")
        #expect(rule(path, bad).count == 1, "\(name)")
    }

    @Test func `a module without arrows is refused`() {
        #expect(ImportRules.problems("Sources/New/File.swift", "").count == 1)
    }

    @Test func `Foundation is for the command layer only`() {
        let text = "import Foundation"
        #expect(ImportRules.problems("Sources/FootingCommands/A/File.swift", text) == [])
        #expect(ImportRules.problems("Sources/FootingDisk/File.swift", text).count == 1)
    }

    @Test func `links are resolved from their document`() {
        let exists = { ["README.md", "docs/A.md"].contains($0) }
        let good = "[a](A.md) [b](../README.md#c) [d](https://example.org) [e](#f)"
        #expect(DocumentRules.links("docs/B.md", good, exists: exists) == [])
        let bad = "[a](C.md)\n[b](README.md) `[1]`\n```\n[c](D.md)\n```"
        #expect(DocumentRules.links("docs/B.md", bad, exists: exists).count == 2)
    }

    @Test func `requirements are complete and unique`() {
        #expect(DocumentRules.requirements.count == 36)
        let rows = DocumentRules.requirements.map { "| \($0) | state |\n" }
        let table = "| id | state |\n|---|---|\n"
        let complete = table + rows.joined()
        #expect(DocumentRules.requirementRows("R.md", complete) == [])
        #expect(DocumentRules.requirementRows("R.md", complete + rows[0]).count == 1)
        #expect(DocumentRules.requirementRows("R.md", table + rows.dropFirst().joined()).count == 1)
        #expect(DocumentRules.requirementRows("R.md", complete + "| NEW-1 | |\n").count == 1)
    }
}
