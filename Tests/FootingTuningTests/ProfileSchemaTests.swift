import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingTuning

/// The document of a profile, and the schema that is kept of it.
@Suite struct ProfileSchemaTests {
    private func schema() throws -> JSONSchema {
        try JSONSchema(project: "docs/profile.schema.json")
    }

    @Test(arguments: BuiltInProfiles.all.map(\.name))
    func `a built-in profile is as the schema says`(_ name: String) throws {
        let profile = try #require(BuiltInProfiles.named(name))
        #expect(try schema().problems(profile.json) == [])
        // Read as others read it, not as it was made.
        let text = Array(profile.json.text().utf8)
        #expect(try schema().problems(try JSONValue(parsing: text)) == [])
    }

    @Test func `every kind of value is as the schema says`() throws {
        var profile = try #require(BuiltInProfiles.named("edge-builder")).renamed("a-1")
        try profile.set("offline-buffer", "256M")
        try profile.set("rules", "none")
        try profile.set("features", "compression snapshots")
        #expect(try schema().problems(profile.json) == [])
    }

    /// What the schema says of a document that lacks a member of the first field, or has others.
    private func problems(
        _ profile: TuningProfile,
        field change: (inout JSONObject) -> Void
    ) throws -> [String] {
        guard case .object(var document) = profile.json,
            case .array(var fields)? = document["fields"], case .object(var field)? = fields.first
        else { throw Errno.invalidArgument }
        change(&field)
        fields[0] = .object(field)
        document["fields"] = .array(fields)
        return try schema().problems(.object(document))
    }

    @Test func `a profile that is not as the schema says is noticed`() throws {
        let profile = try #require(BuiltInProfiles.named("edge-generic"))
        guard case .object(let document) = profile.json else {
            Issue.record("the profile is no object")
            return
        }
        for name in document.keys {
            var without = document
            without[name] = nil
            #expect(try schema().problems(.object(without)) == ["$: \(name) is missing"])
        }
        for name in ["help", "name", "range", "usedBy", "value"] {
            let found = try problems(profile) { $0[name] = nil }
            #expect(found == ["$.fields[0]: \(name) is missing"])
        }
        #expect(try problems(profile) { $0["name"] = "another" }.count == 1)
        #expect(try problems(profile) { $0["value"] = 5 }.count == 1)
        #expect(try schema().problems(profile.renamed("No Name").json).count == 1)
    }
}
