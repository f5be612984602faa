import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingTuning

/// The documents of plans and of what was changed, and the schemas that are kept of them.
@Suite struct PlanSchemaTests {
    private func schema(_ name: String) throws -> JSONSchema {
        let folder = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        return try JSONSchema(
            contentsOf: folder.joined(separator: "/") + "/docs/\(name).schema.json"
        )
    }

    @Test(arguments: [
        "ext4 /dev/vda rw,data=journal", "ext4 /dev/vda rw", "xfs /dev/vda rw",
        "btrfs /dev/vda rw", "tmpfs tmpfs rw", "overlay overlay rw", "nfs4 server:/export rw",
    ])
    func `a plan is as the schema says`(_ mount: String) throws {
        let tree = try TuningTree([.virtio()], mount: mount)
        for rules in [[], TuningPlan.ruleNames] {
            let plan = try tree.plan(rules: rules).json
            #expect(try schema("plan").problems(plan) == [])
        }
        try tree.write("disk.footing", "no disk")
        #expect(try schema("plan").problems(try tree.plan().json) == [])
    }

    @Test func `a plan that is not as the schema says is noticed`() throws {
        guard case .object(let plan) = try TuningTree([.virtio()]).plan().json else {
            Issue.record("the plan is no object")
            return
        }
        for name in plan.keys {
            var without = plan
            without[name] = nil
            #expect(try schema("plan").problems(.object(without)) == ["$: \(name) is missing"])
        }
        var more = plan
        more["extra"] = 1
        #expect(try schema("plan").problems(.object(more)) == ["$: extra is not in the schema"])
    }

    @Test func `what was done is as the schemas say`() throws {
        let tree = try TuningTree([.virtio()])
        let store = MemoryStore()
        let kernel = FakeKernel(root: try tree.root())
        let applier = TuningApplier(root: kernel.root, access: kernel, store: store)
        let plan = try tree.plan(rules: ["read-ahead", "dirty-bytes"])
        let outcome = try applier.apply(path: "/d", rules: [], force: false) { plan }.outcome
        try tree.write("sys/block/vda/queue/read_ahead_kb", "4099")
        let undone = try applier.rollback(force: false)
        #expect(undone.hasForeign && !undone.steps.isEmpty)
        for outcome in [outcome, undone] {
            let applied: JSONValue = [
                "schema": "footing.apply/1", "isDryRun": false,
                "paths": [["path": "/d", "profile": "edge", "outcome": outcome.json]],
            ]
            #expect(try schema("apply").problems(applied) == [])
            let rolled: JSONValue = [
                "schema": "footing.rollback/1", "isDryRun": true, "outcome": outcome.json,
            ]
            #expect(try schema("rollback").problems(rolled) == [])
        }
    }
}
