import FootingDeployment
import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingTuning

/// What a proof asks for at the machine's next start: what it kept, and what was asked for before.
@Suite struct ProofRequestTests {
    private let tree: TuningTree
    private let before: [String: String]
    private let store = MemoryStore()
    private let applier: TuningApplier

    init() throws {
        tree = try TuningTree([.virtio()])
        before = try tree.values()
        let root = try tree.root()
        applier = TuningApplier(root: root, access: FakeKernel(root: root), store: store)
    }

    /// An earlier apply of two rules by a profile and one by its name, and the next start.
    private func applyAndStartAgain() throws {
        var profile = try #require(BuiltInProfiles.named("hypervisor"))
        try profile.set("rules", "read-ahead no-write-back-throttling")
        let text = profile.text().replacing("name = hypervisor", with: "name = ours")
        profile = try ProfileParser.parse(Array(text.utf8))
        let root = try tree.root()
        let plan = TuningPlan(
            Detection(root: root, path: "/disk.footing"),
            root: root,
            profile: profile,
            named: ["no-randomness"]
        )
        _ = try applier.apply(path: "/d", rules: ["no-randomness"], force: false) { plan }
        for (path, value) in before { try tree.write(path, value) }
        try tree.write("proc/sys/kernel/random/boot_id", "second")
    }

    private func prove(
        _ rules: [String],
        limit: UInt64? = nil,
        speed: @escaping (TuningTree) throws -> [ProofFigure: Double] = { _ in [:] }
    ) throws -> ProofReport {
        let run = try ProverTests.prove(
            tree,
            SimulatedPlace(tree, speed: speed),
            store: store,
            limit: limit,
            profile: "bare-metal"
        ) { $0.rules = rules }
        return try #require(run.report, "\(run.error ?? "")")
    }

    /// The only request: its profile, the profile's rules, and those beside.
    private func request() throws -> [[String]] {
        let requests = try applier.requests()
        #expect(requests.count == 1)
        let request = try #require(requests.first)
        let profile = try applier.profile(of: request.profile)
        return [[profile.name], profile.rules, request.rules]
    }

    @Test func `what the profile asks for and was not tried is not asked for`() throws {
        let profile = try #require(BuiltInProfiles.named("bare-metal"))
        #expect(profile.rules.contains("nvme-scheduler-none"))
        _ = try prove(["read-ahead"]) {
            [.cachedReadRate: try ProverTests.isRight($0) ? 2 : 1]
        }
        #expect(try request() == [["bare-metal"], [], ["read-ahead"]])
    }

    @Test func `nothing is asked for if nothing was before, and nothing is kept`() throws {
        _ = try prove(["read-ahead"])
        #expect(try applier.requests().isEmpty)
        #expect(store.current == nil)
    }

    @Test func `what was tried and undone is asked for no longer, what was not tried still is`()
        throws
    {
        try applyAndStartAgain()
        #expect(
            try request() == [
                ["ours"], ["no-write-back-throttling", "read-ahead"], ["no-randomness"],
            ]
        )
        let report = try prove(["read-ahead", "no-randomness"])
        #expect(report.trials.map(\.decision) == [.noGain, .noGain])
        #expect(try request() == [["ours"], ["no-write-back-throttling"], []])
        #expect(try tree.values() == before)
    }

    @Test func `what is kept comes to what was asked for before, with its profile`() throws {
        try applyAndStartAgain()
        let report = try prove(["paravirtual-scheduler-none", "no-randomness", "read-ahead"]) {
            [.randomReadRate: try $0.queue("vda", "scheduler") == "mq-deadline [none]" ? 2 : 1]
        }
        #expect(report.trials.count(where: { $0.decision == .keep }) == 1)
        let rules = ["paravirtual-scheduler-none"]
        #expect(try request() == [["ours"], ["no-write-back-throttling"], rules])
    }

    @Test func `what the time was over for is asked for as before`() throws {
        try applyAndStartAgain()
        let report = try prove(["read-ahead", "no-randomness"], limit: 1_000_000_000)
        #expect(report.skipped.map(\.reason) == ["the time was over"])
        let tried = try #require(report.trials.first?.rules)
        #expect(tried == ["read-ahead"])
        #expect(try request() == [["ours"], ["no-write-back-throttling"], ["no-randomness"]])
    }

    @Test func `a request that cannot be made durable undoes nothing, and is the old one`() throws {
        try applyAndStartAgain()
        let old = try request()
        let journal = try #require(store.current)
        // Begun, dropped; the third is what asks for less.
        let failing = Forgetful(failingSynchronization: 3, journal: journal)
        let run = try ProverTests.prove(
            tree,
            SimulatedPlace(tree) { _ in [:] },
            store: failing,
            profile: "bare-metal"
        ) { $0.rules = ["read-ahead"] }
        #expect(run.error?.hasSuffix("everything is as it was before") == true)
        store.begin(try failing.read())
        #expect(try request() == old)
        #expect(try tree.values() == before)
    }
}
