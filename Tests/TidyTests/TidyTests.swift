import FootingSystem
import Testing

/// The project's own sources against the project's own rules; see CONTRIBUTING.md.
@Suite struct TidyTests {
    let repository: Repository
    let code: [String]

    init() throws {
        repository = try Repository()
        code = repository.files(".swift", ".c", ".h")
    }

    @Test func `the sources are found`() {
        #expect(code.contains("Sources/footing/main.swift"))
        #expect(code.contains("Tests/TidyTests/TidyTests.swift"))
        #expect(!code.contains { $0.contains(".build/") })
    }

    @Test func `lines are short`() throws {
        let problems = try repository.problems(SourceRules.lineLength, in: code)
        #expect(problems == "")
    }

    @Test func `files are short`() throws {
        let problems = try repository.problems(SourceRules.fileLength, in: code)
        #expect(problems == "")
    }

    @Test func `functions are short`() throws {
        let problems = try repository.problems(SourceRules.functionLength, in: code)
        #expect(problems == "")
    }

    @Test func `white space is clean`() throws {
        let texts = code + repository.files(".md", ".sh", ".yml", "Makefile", ".ci/run")
        let problems = try repository.problems(SourceRules.whiteSpace, in: texts)
        #expect(problems == "")
    }

    @Test func `errors are thrown, not crashed on`() throws {
        let problems = try repository.problems(SourceRules.crashes, in: code)
        #expect(problems == "")
    }

    @Test func `no work is left in comments`() throws {
        let texts = code + repository.files(".sh", "Makefile", ".ci/run")
        let problems = try repository.problems(SourceRules.markers, in: texts)
        #expect(problems == "")
    }

    @Test func `no machine's paths are left`() throws {
        let texts = code + repository.files(".md", ".sh", ".yml", "Makefile", ".ci/run")
        let problems = try repository.problems(SourceRules.privatePaths, in: texts)
        #expect(problems == "")
    }

    @Test func `every module imports only what is below it`() throws {
        let problems = try repository.problems(ImportRules.problems, in: code)
        #expect(problems == "")
    }

    @Test func `every test file asserts something`() throws {
        let tests = code.filter { $0.hasPrefix("Tests/") }
        let problems = try repository.problems(SourceRules.assertions, in: tests)
        #expect(problems == "")
    }

    @Test func `every document has one title`() throws {
        let documents = repository.files(".md")
        #expect(documents.contains("README.md"))
        let problems = try repository.problems(DocumentRules.title, in: documents)
        #expect(problems == "")
    }

    @Test func `every link leads somewhere`() throws {
        let documents = repository.files(".md")
        let root = repository.root
        let problems = try documents.flatMap {
            DocumentRules.links($0, try repository.text($0)) { root.exists($0) }
        }
        #expect(problems.joined(separator: "\n") == "")
    }

    @Test func `every requirement has its row`() throws {
        let path = "docs/REQUIREMENTS.md"
        let problems = try repository.problems(DocumentRules.requirementRows, in: [path])
        #expect(problems == "")
    }
}
