import FootingDeployment
import FootingHost
import FootingSystem
import FootingTestSupport
import Foundation
import Testing

@Suite struct SchemaTests {
    private static let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../docs/host-report.schema.json").standardized.path

    private let schema: JSONSchema

    init() throws {
        schema = try JSONSchema(contentsOf: Self.path)
    }

    @Test func `this machine's report is as the schema says`() throws {
        let report = Detection(root: try HostRoot(), path: "/var").json()
        #expect(try schema.problems(report) == [])
    }

    @Test(arguments: MachineFixture.several)
    func `a recorded machine's report is as the schema says`(_ fixture: MachineFixture) throws {
        try fixture.withRoot { root throws in
            let report = Detection(root: root, path: "/var/lib/disk.img").json()
            #expect(try schema.problems(report) == [])
        }
    }

    @Test func `a report that is not as the schema says is noticed`() throws {
        guard case .object(let report) = Detection(root: try HostRoot()).json() else {
            Issue.record("the report is no object")
            return
        }
        var without = report
        without["cloud"] = nil
        #expect(try schema.problems(.object(without)) == ["$: cloud is missing"])
        var other = report
        other["schema"] = "footing.host/2"
        #expect(try schema.problems(.object(other)) == ["$.schema: not const"])
        var more = report
        more["extra"] = 1
        #expect(try schema.problems(.object(more)) == ["$: extra is not in the schema"])
        var wrong = report
        wrong["root"] = 1
        #expect(try schema.problems(.object(wrong)).count == 1)
    }

    private static let hasValidator: Bool = {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", "import jsonschema; jsonschema.Draft202012Validator"]
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }()

    @Test(.enabled(if: hasValidator, "python3-jsonschema is missing"))
    func `another validator agrees, on the schema itself too`() throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "python3", "-c",
            """
            import json, jsonschema, sys
            schema = json.load(open(sys.argv[1]))
            jsonschema.Draft202012Validator.check_schema(schema)
            jsonschema.validate(json.load(sys.stdin), schema)
            """,
            Self.path,
        ]
        let input = Pipe()
        process.standardInput = input
        try process.run()
        input.fileHandleForWriting.write(
            Data(Detection(root: try HostRoot(), path: "/var").json().bytes())
        )
        try input.fileHandleForWriting.close()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }
}
