import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingTuning

/// Applying and rolling back on trees of files, with what the kernel does besides.
@Suite struct ApplyTests {
    static let rules = [
        "paravirtual-scheduler-none", "read-ahead", "no-write-back-throttling", "no-randomness",
        "dirty-bytes", "dirty-background-bytes",
    ]

    private func applier(
        _ tree: TuningTree,
        _ store: any JournalStore,
        _ change: (inout FakeKernel) -> Void = { _ in }
    ) throws -> TuningApplier {
        var kernel = FakeKernel(root: try tree.root())
        change(&kernel)
        return TuningApplier(root: kernel.root, access: kernel, store: store)
    }

    private func apply(
        _ tree: TuningTree,
        _ store: any JournalStore,
        rules: [String] = Self.rules,
        force: Bool = false
    ) throws -> TuningOutcome {
        let plan = try tree.plan(rules: rules)
        return try applier(tree, store).apply(path: "/disk.footing", rules: rules, force: force) {
            plan
        }.outcome
    }

    @Test func `what is applied is there, a second plan is empty, a rollback restores all`() throws
    {
        let tree = try TuningTree([.virtio()])
        let store = MemoryStore()
        let before = try tree.values()
        let outcome = try apply(tree, store)
        #expect(outcome.steps.count == Self.rules.count)
        #expect(outcome.left.isEmpty)
        #expect(try tree.queue("vda", "scheduler") == "mq-deadline [none]")
        #expect(try tree.queue("vda", "read_ahead_kb") == "128")
        #expect(try tree.read("proc/sys/vm/dirty_ratio") == "0")
        // The new scheduler has brought its own number of requests.
        #expect(try tree.queue("vda", "nr_requests") == "254")
        #expect(try tree.plan(rules: Self.rules).changes.isEmpty)
        #expect(try apply(tree, store).steps.isEmpty)
        let undone = try applier(tree, store).rollback(force: false)
        #expect(undone.left.isEmpty)
        #expect(try tree.values() == before)
        #expect(store.current == nil)
        #expect(try applier(tree, store).rollback(force: false) == TuningOutcome())
    }

    @Test func `a second apply adds to the first, and one rollback undoes both`() throws {
        let tree = try TuningTree([.virtio()])
        let store = MemoryStore()
        let before = try tree.values()
        _ = try apply(tree, store, rules: ["read-ahead", "dirty-bytes"])
        #expect(try apply(tree, store, rules: ["read-ahead", "no-randomness"]).steps.count == 1)
        let scheduler = ["paravirtual-scheduler-none", "queue-requests"]
        #expect(try apply(tree, store, rules: scheduler).steps.count == 2)
        #expect(try tree.queue("vda", "nr_requests") == "256")
        _ = try applier(tree, store).rollback(force: false)
        #expect(try tree.values() == before)
    }

    @Test func `a write that fails undoes those before it`() throws {
        let tree = try TuningTree([.virtio()])
        let before = try tree.values()
        for name in ["scheduler", "read_ahead_kb", "add_random"] {
            for isStubborn in [false, true] {
                let store = MemoryStore()
                let path = "sys/block/vda/queue/\(name)"
                let applier = try applier(tree, store) {
                    if isStubborn { $0.stubborn = [path] } else { $0.refused = [path] }
                }
                let plan = try tree.plan(rules: Self.rules)
                let error = #expect(throws: TuningError.self) {
                    try applier.apply(path: "/disk.footing", rules: Self.rules, force: false) {
                        plan
                    }
                }
                let text = error?.description ?? ""
                #expect(text.contains("vda queue/\(name)"), "\(text)")
                #expect(text.hasSuffix("everything is as it was before"), "\(text)")
                #expect(try tree.values() == before)
                #expect(store.current == nil)
            }
        }
    }

    @Test func `what somebody else has changed is left alone unless forced`() throws {
        let tree = try TuningTree([.virtio()])
        let store = MemoryStore()
        let before = try tree.values()
        _ = try apply(tree, store)
        try tree.write("sys/block/vda/queue/read_ahead_kb", "4099")
        // Not by another apply,
        let again = try apply(tree, store)
        #expect(again.steps.isEmpty)
        #expect(again.left.map(\.target) == ["vda queue/read_ahead_kb"])
        #expect(again.hasForeign)
        // nor by a rollback, which restores the rest and keeps it in mind.
        let trial = try applier(tree, store).rollback(force: false, isTrial: true)
        #expect(try tree.queue("vda", "scheduler") == "mq-deadline [none]")
        let undone = try applier(tree, store).rollback(force: false)
        #expect(trial.steps == undone.steps)
        #expect(undone.left.map(\.target) == ["vda queue/read_ahead_kb"])
        var expected = before
        expected["sys/block/vda/queue/read_ahead_kb"] = "4099"
        #expect(try tree.values() == expected)
        #expect(try applier(tree, store).rollback(force: true).steps.count == 1)
        #expect(try tree.values() == before)
        #expect(store.current == nil)
    }

    @Test func `what was changed between a crash and its recovery is left alone too`() throws {
        let tree = try TuningTree([.virtio()])
        let before = try tree.values()
        let done = MemoryStore()
        _ = try apply(tree, done, rules: ["read-ahead"])
        // The journal as it is before the last step of an apply.
        let whole = try TuningJournal(try #require(done.current))
        var open = TuningJournal(boot: whole.boot)
        open.pending = whole.applied
        let store = MemoryStore(journal: open.json.bytes())
        try tree.write("sys/block/vda/queue/read_ahead_kb", "4099")
        let again = try apply(tree, store, rules: ["read-ahead"])
        #expect(again.steps.isEmpty)
        #expect(again.hasForeign)
        #expect(try tree.queue("vda", "read_ahead_kb") == "4099")
        // Forced, it is applied; and the oldest value is the one to go back to.
        try tree.write("sys/block/vda/queue/read_ahead_kb", "4100")
        #expect(try apply(tree, store, rules: ["read-ahead"], force: true).steps.count == 1)
        #expect(try applier(tree, store).rollback(force: false).left.isEmpty)
        #expect(try tree.values() == before)
        #expect(store.current == nil)
    }

    @Test func `a trial writes nothing`() throws {
        let tree = try TuningTree([.virtio()])
        let before = try tree.values()
        let store = MemoryStore()
        let plan = try tree.plan(rules: Self.rules)
        let outcome = try applier(tree, store).apply(
            path: "/disk.footing",
            rules: Self.rules,
            force: false,
            isTrial: true
        ) { plan }.outcome
        #expect(outcome.steps.count == Self.rules.count)
        #expect(try tree.values() == before)
        #expect(store.current == nil)
    }

    @Test func `a disk that has another name by now is found again`() throws {
        let tree = try TuningTree([.virtio(), .virtio("vdb", slot: 6, serial: "disk-b")])
        let store = MemoryStore()
        let other = try tree.queue("vdb", "read_ahead_kb")
        _ = try apply(tree, store, rules: ["read-ahead", "no-randomness"])
        // After a hot plug the kernel has given the names the other way round.
        let values = try ["read_ahead_kb", "add_random"].map { try tree.queue("vda", $0) }
        #expect(values == ["128", "0"])
        try tree.remove("vda")
        try tree.remove("vdb")
        var first = TuningTree.Disk.virtio("vdb", slot: 5, serial: "disk-a")
        first.queue["read_ahead_kb"] = "128"
        first.queue["add_random"] = "0"
        try tree.add(first, minor: 16)
        try tree.add(.virtio("vda", slot: 6, serial: "disk-b"), minor: 0)
        let undone = try applier(tree, store).rollback(force: false)
        #expect(undone.steps.map(\.target) == ["vdb queue/read_ahead_kb", "vdb queue/add_random"])
        #expect(try tree.queue("vdb", "read_ahead_kb") == "8192")
        #expect(try tree.queue("vda", "read_ahead_kb") == other)
    }

    @Test func `a disk that is gone is reported, and the rest restored`() throws {
        let tree = try TuningTree([.virtio(), .virtio("vdb", slot: 6, serial: "disk-b")])
        let store = MemoryStore()
        _ = try apply(tree, store)
        try tree.remove("vda")
        let undone = try applier(tree, store).rollback(force: false)
        #expect(undone.left.map(\.target) == ["vda"])
        #expect(!undone.hasForeign)
        #expect(try tree.read("proc/sys/vm/dirty_ratio") == "20")
        #expect(store.current == nil)
    }

    @Test func `another disk in the same place is left alone`() throws {
        let tree = try TuningTree([.virtio()])
        let store = MemoryStore()
        _ = try apply(tree, store, rules: ["read-ahead"])
        try tree.remove("vda")
        var other = TuningTree.Disk.virtio(serial: "another")
        other.queue["read_ahead_kb"] = "128"
        try tree.add(other, minor: 0)
        let undone = try applier(tree, store).rollback(force: true)
        #expect(undone.left.map(\.target) == ["vda"])
        #expect(try tree.queue("vda", "read_ahead_kb") == "128")
    }

    @Test func `copies with one serial number are told apart by their place`() throws {
        let tree = try TuningTree([.virtio(), .virtio("vdb", slot: 6)])
        let root = try tree.root()
        let first = DeviceIdentity("vda", root)
        let second = DeviceIdentity("vdb", root)
        #expect(first.own == second.own)
        #expect(DeviceIdentity.find(first, root) == "vda")
        #expect(DeviceIdentity.find(second, root) == "vdb")
        #expect(first.place == "pci0000:00/0000:00:05.0")
    }

    @Test func `after the machine's next start nothing is restored, and all can be applied again`()
        throws
    {
        let tree = try TuningTree([.virtio()])
        let store = MemoryStore()
        _ = try apply(tree, store, rules: ["read-ahead"])
        try tree.write("proc/sys/kernel/random/boot_id", "second")
        try tree.write("sys/block/vda/queue/read_ahead_kb", "7777")
        let applier = try applier(tree, store)
        let request = try #require(try applier.requests().first)
        #expect(request.path == "/disk.footing")
        #expect(request.rules == ["read-ahead"])
        #expect(try applier.profile(of: request.profile).name == "hypervisor")
        #expect(try applier.rollback(force: true, isTrial: true).steps.isEmpty)
        #expect(try apply(tree, store, rules: request.rules).steps.map(\.from) == ["7777"])
        _ = try applier.rollback(force: false)
        #expect(try tree.queue("vda", "read_ahead_kb") == "7777")
    }

    @Test(arguments: [
        "", "{}", "[]", #"{"schema": "footing.tuning-journal/2"}"#,
        #"{"applied":[],"boot":"first","isRollingBack":false,"kept":[],"pending":[]}"#,
    ])
    func `a damaged journal is touched by nobody`(_ text: String) throws {
        let tree = try TuningTree([.virtio()])
        let before = try tree.values()
        let store = MemoryStore(journal: Array(text.utf8))
        #expect(throws: TuningError.self) { try apply(tree, store) }
        #expect(throws: TuningError.self) { try applier(tree, store).rollback(force: true) }
        #expect(try tree.values() == before)
        #expect(store.current == Array(text.utf8))
    }

    @Test(arguments: [
        (#""attribute": "read_ahead_kb""#, #""attribute": "write_cache""#),
        (#""attribute": "read_ahead_kb""#, #""attribute": "../../../../proc/sysrq-trigger""#),
        (#""before": "8192""#, #""before": """#), (#""before": "8192""#, #""before": "1\n2""#),
        (#""before": "8192""#, #""before": null"#),
        (#""attribute": "read_ahead_kb""#, #""attribute": "iosched/../scheduler""#),
        (#""attribute": "read_ahead_kb""#, #""attribute": "iosched/..""#),
        (#""attribute": "read_ahead_kb""#, #""attribute": "iosched/a/b""#),
        // It moves with a scheduler, and is never what somebody wants.
        (#""attribute": "read_ahead_kb""#, #""attribute": "iosched/read_expire""#),
    ])
    func `a journal leads nowhere else`(_ old: String, _ new: String) throws {
        let tree = try TuningTree([.virtio()])
        let store = MemoryStore()
        _ = try apply(tree, store, rules: ["read-ahead"])
        let text = String(decoding: try #require(store.current), as: UTF8.self)
        let changed = text.replacing(old, with: new)
        #expect(changed != text)
        let other = MemoryStore(journal: Array(changed.utf8))
        #expect(throws: TuningError.self) { try applier(tree, other).rollback(force: true) }
        #expect(try tree.queue("vda", "read_ahead_kb") == "128")
    }

    @Test func `a journal that has an attribute twice is refused`() throws {
        let tree = try TuningTree([.virtio()])
        let store = MemoryStore()
        _ = try apply(tree, store, rules: ["read-ahead"])
        var journal = try TuningJournal(try #require(store.current))
        journal.applied[0].entries += journal.applied[0].entries
        let twice = journal.json.bytes()
        #expect(throws: TuningError.self) { try TuningJournal(twice) }
        let other = MemoryStore(journal: twice)
        #expect(throws: TuningError.self) { try applier(tree, other).rollback(force: true) }
        #expect(try tree.queue("vda", "read_ahead_kb") == "128")
    }
}
