import FootingDeployment
import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingTuning

/// What a proof keeps and what it undoes, on trees of files and simulated places.
@Suite struct ProverTests {
    struct Run {
        var report: ProofReport?
        var error: String?
        /// Of the simulated place.
        var measurements: Int
        /// How often it was made ready.
        var prepared: Int
    }

    static func prove(
        _ tree: TuningTree,
        _ place: SimulatedPlace,
        store: any JournalStore = MemoryStore(),
        access: (any TuningAccess)? = nil,
        limit: UInt64? = nil,
        profile: String = "hypervisor",
        _ change: (inout ProofPlan.Wishes) -> Void = { _ in }
    ) throws -> Run {
        let root = try tree.root()
        var wishes = ProofPlan.Wishes()
        wishes.rules = ["paravirtual-scheduler-none", "queue-requests", "read-ahead"]
        change(&wishes)
        var place = place
        let prover = Prover(
            applier: TuningApplier(
                root: root,
                access: access ?? FakeKernel(root: root),
                store: store
            ),
            limits: .init(rounds: 5, nanoseconds: limit),
            clock: SteppingClock()
        )
        do throws(TuningError) {
            let report = try prover.prove(path: "/d", wishes: wishes, measurer: &place) {
                (rules) throws(TuningError) in try plan(tree, profile, rules)
            }
            return Run(report: report, measurements: place.count, prepared: place.prepared)
        } catch {
            return Run(
                error: error.description,
                measurements: place.count,
                prepared: place.prepared
            )
        }
    }

    static func plan(
        _ tree: TuningTree,
        _ profile: String,
        _ rules: [String]?
    ) throws(TuningError) -> TuningPlan {
        do {
            let root = try tree.root()
            let chosen = try #require(BuiltInProfiles.named(profile))
            return TuningPlan(
                Detection(root: root, path: "/disk.footing"),
                root: root,
                profile: rules == nil ? chosen : chosen.without(rules: chosen.rules),
                named: rules ?? []
            )
        } catch {
            throw TuningError("no plan: \(error)")
        }
    }

    static func isRight(_ tree: TuningTree) throws -> Bool {
        try tree.queue("vda", "read_ahead_kb") == "128"
    }

    @Test func `what helps stays, what does not is undone, and a rollback restores all`() throws {
        let tree = try TuningTree([.virtio()])
        let before = try tree.values()
        let store = MemoryStore()
        var place = SimulatedPlace(tree) { [.cachedReadRate: try Self.isRight($0) ? 2 : 1] }
        place.noise = 0.03
        let run = try Self.prove(tree, place, store: store)
        let report = try #require(run.report, "\(run.error ?? "")")
        #expect(report.trials.map(\.decision) == [.noGain, .noGain, .keep])
        #expect(
            report.trials.map(\.rules.first) == [
                "paravirtual-scheduler-none", "queue-requests", "read-ahead",
            ]
        )
        #expect(run.measurements == 3 * 11)
        #expect(report.outcome.steps.map(\.target) == ["vda queue/read_ahead_kb"])
        var expected = before
        expected["sys/block/vda/queue/read_ahead_kb"] = "128"
        #expect(try tree.values() == expected)
        let root = try tree.root()
        let applier = TuningApplier(root: root, access: FakeKernel(root: root), store: store)
        // What is asked for again at the machine's next start is what was kept, and no more.
        let requests = try applier.requests()
        #expect(requests.map(\.rules) == [["read-ahead"]])
        #expect(try requests.map { try applier.profile(of: $0.profile).rules } == [[]])
        _ = try applier.rollback(force: false)
        #expect(try tree.values() == before)
        #expect(store.current == nil)
    }

    @Test(arguments: [
        ("it does nothing", 0.0, 1.0, 1.0), ("it harms", 0.0, 1.0, 0.5),
        ("the place is noisy", 0.5, 1.0, 1.2), ("the machine becomes faster", 0.0, 1.3, 1.0),
        ("the machine becomes slower", 0.0, 0.8, 1.0),
    ])
    func `nothing is kept without a gain`(
        _ name: String,
        _ noise: Double,
        _ drift: Double,
        _ speed: Double
    ) throws {
        let tree = try TuningTree([.virtio()])
        let before = try tree.values()
        let store = MemoryStore()
        var place = SimulatedPlace(tree) { [.cachedReadRate: try Self.isRight($0) ? speed : 1] }
        place.noise = noise
        place.drift = drift
        let run = try Self.prove(tree, place, store: store) { $0.rules = ["read-ahead"] }
        #expect(run.report?.trials.map(\.decision) == [.noGain], "\(name)")
        #expect(try tree.values() == before, "\(name)")
        #expect(store.current == nil, "\(name)")
    }

    @Test func `what helps one figure and harms another is undone`() throws {
        let tree = try TuningTree([.virtio()])
        let before = try tree.values()
        let place = SimulatedPlace(tree) {
            let isRight = try Self.isRight($0)
            return [.cachedReadRate: isRight ? 2 : 1, .durableWriteLatency: isRight ? 0.7 : 1]
        }
        let run = try Self.prove(tree, place) { $0.rules = ["read-ahead"] }
        #expect(run.report?.trials.first?.decision == .harms(["durable-write-latency"]))
        #expect(
            run.report?.trials.first?.series.map(\.with.count) == Array(repeating: 10, count: 8)
        )
        #expect(run.measurements == 21)
        #expect(try tree.values() == before)
    }

    @Test func `what another figure loses by chance is measured again`() throws {
        let tree = try TuningTree([.virtio()])
        let neighbour = Locked(0)
        var place = SimulatedPlace(tree) {
            let isRight = try Self.isRight($0)
            // Somebody else writes during the first five measurements of the change.
            let isBusy = isRight && neighbour.withLock { $0 } < 11
            return [.cachedReadRate: isRight ? 2 : 1, .durableWriteLatency: isBusy ? 0.7 : 1]
        }
        place.noise = 0.03
        place.before = { count in neighbour.withLock { $0 = count } }
        let run = try Self.prove(tree, place) { $0.rules = ["read-ahead"] }
        #expect(run.report?.trials.first?.decision == .keep, "\(run.error ?? "")")
        #expect(run.measurements == 21)
        #expect(try Self.isRight(tree))
    }

    @Test func `what is kept stays on while the next is tried`() throws {
        let tree = try TuningTree([.virtio()])
        let before = try tree.values()
        let store = MemoryStore()
        // Read-ahead helps only once the scheduler is gone, which brings 254 requests along.
        let place = SimulatedPlace(tree) { tree in
            let isOff = try tree.queue("vda", "scheduler") == "mq-deadline [none]"
            return [
                .randomReadRate: isOff ? 1.5 : 1,
                .cachedReadRate: try isOff && Self.isRight(tree) ? 1.5 : 1,
            ]
        }
        let run = try Self.prove(tree, place, store: store)
        #expect(run.report?.trials.map(\.decision) == [.keep, .noGain, .keep])
        #expect(try tree.queue("vda", "nr_requests") == "254")
        let root = try tree.root()
        let applier = TuningApplier(root: root, access: FakeKernel(root: root), store: store)
        _ = try applier.rollback(force: false)
        #expect(try tree.values() == before)
        #expect(store.current == nil)
    }

    @Test func `a measurer that fails at any time leaves everything as it was`() throws {
        for at in 1...33 {
            let tree = try TuningTree([.virtio()])
            let before = try tree.values()
            let store = MemoryStore()
            // The first rule is kept before the others fail.
            var place = SimulatedPlace(tree) {
                [.randomReadRate: try $0.queue("vda", "scheduler") == "mq-deadline [none]" ? 2 : 1]
            }
            place.failsAt = at
            let run = try Self.prove(tree, place, store: store)
            #expect(
                run.error == "the disk does not answer; everything is as it was before",
                "at \(at)"
            )
            #expect(try tree.values() == before, "at \(at)")
            #expect(store.current == nil, "at \(at)")
        }
    }

    @Test func `an earlier apply is left as it was, and a rollback undoes both`() throws {
        let tree = try TuningTree([.virtio()])
        let before = try tree.values()
        let store = MemoryStore()
        let root = try tree.root()
        let applier = TuningApplier(root: root, access: FakeKernel(root: root), store: store)
        _ = try applier.apply(path: "/d", rules: ["no-randomness"], force: false) {
            () throws(TuningError) in try Self.plan(tree, "hypervisor", ["no-randomness"])
        }
        let applied = try tree.values()
        #expect(applied != before)
        var place = SimulatedPlace(tree) { [.cachedReadRate: try Self.isRight($0) ? 2 : 1] }
        place.failsAt = 20
        #expect(try Self.prove(tree, place, store: store).error != nil)
        #expect(try tree.values() == applied)
        place.failsAt = .max
        #expect(try Self.prove(tree, place, store: store).report != nil)
        #expect(try applier.requests().map(\.rules) == [["no-randomness", "read-ahead"]])
        _ = try applier.rollback(force: false)
        #expect(try tree.values() == before)
        #expect(store.current == nil)
    }

    @Test func `an error after the last journal is there undoes the whole proof`() throws {
        let tree = try TuningTree([.virtio()])
        let before = try tree.values()
        // The first journal is the one with what is tried.
        let store = Forgetful(failingSynchronization: 2)
        let place = SimulatedPlace(tree) { [.cachedReadRate: try Self.isRight($0) ? 2 : 1] }
        let run = try Self.prove(tree, place, store: store) { $0.rules = ["read-ahead"] }
        #expect(run.error?.hasSuffix("everything is as it was before") == true)
        #expect(try tree.values() == before)
        #expect(try store.read() == nil)
    }

    @Test func `a journal that is not taken away at once is taken away in the end`() throws {
        let tree = try TuningTree([.virtio()])
        let before = try tree.values()
        let store = Forgetful(failingRemoval: 1)
        let run = try Self.prove(tree, SimulatedPlace(tree) { _ in [:] }, store: store) {
            $0.rules = ["read-ahead"]
        }
        #expect(run.error?.hasSuffix("everything is as it was before") == true)
        #expect(try tree.values() == before)
        #expect(try store.read() == nil)
    }

    @Test(arguments: [true, false])
    func `what the kernel refuses or ignores ends it`(_ isRefused: Bool) throws {
        let tree = try TuningTree([.virtio()])
        let before = try tree.values()
        let store = MemoryStore()
        var kernel = FakeKernel(root: try tree.root())
        let path = "sys/block/vda/queue/read_ahead_kb"
        if isRefused { kernel.refused = [path] } else { kernel.stubborn = [path] }
        let place = SimulatedPlace(tree) {
            [.randomReadRate: try $0.queue("vda", "scheduler") == "mq-deadline [none]" ? 2 : 1]
        }
        let run = try Self.prove(tree, place, store: store, access: kernel)
        #expect(run.error?.hasSuffix("; everything is as it was before") == true)
        #expect(try tree.values() == before)
        #expect(store.current == nil)
    }

    @Test func `rules are one group, and one figure decides, if asked`() throws {
        let tree = try TuningTree([.virtio()])
        let place = SimulatedPlace(tree) {
            [.durableWriteLatency: try Self.isRight($0) ? 2 : 1]
        }
        let run = try Self.prove(tree, place) {
            $0.isTogether = true
            $0.figure = .durableWriteLatency
        }
        let trials = try #require(run.report?.trials)
        #expect(trials.count == 1)
        #expect(trials.first?.decision == .keep)
        #expect(trials.first?.steps.count == 3)
        #expect(run.measurements == 11)
    }

    @Test func `what asks for nothing here is said, and nothing is made ready for it`() throws {
        let tree = try TuningTree([.virtio()])
        let run = try Self.prove(tree, SimulatedPlace(tree) { _ in [:] }) {
            $0.rules = ["nvme-scheduler-none"]
        }
        let reason = "it asks for nothing here"
        #expect(run.report?.skipped == [.init(rule: "nvme-scheduler-none", reason: reason)])
        #expect(run.report?.trials.isEmpty == true)
        #expect(run.prepared == 0)
        #expect(try Self.prove(tree, SimulatedPlace(tree) { _ in [:] }).prepared == 1)
    }

    @Test func `what an earlier proof had left is told apart from what is kept`() throws {
        let tree = try TuningTree([.virtio()])
        let before = try tree.values()
        let store = MemoryStore()
        let path = "sys/block/vda/queue/read_ahead_kb"
        // The process ends while read-ahead is on for the first time.
        var seen: [UInt8]?
        var place = SimulatedPlace(tree) { _ in [:] }
        place.before = { count in if count == 2 { seen = store.current } }
        _ = try Self.prove(tree, place, store: store) { $0.rules = ["read-ahead"] }
        store.begin(seen)
        try tree.write(path, "128")
        let run = try Self.prove(tree, SimulatedPlace(tree) { _ in [:] }, store: store) {
            $0.rules = ["read-ahead"]
        }
        let report = try #require(run.report, "\(run.error ?? "")")
        #expect(report.recovery.steps.map(\.to) == ["8192"])
        #expect(report.recovery.notes == ["an interrupted apply or proof was undone"])
        #expect(report.outcome == TuningOutcome())
        #expect(try tree.values() == before)
    }

    @Test func `no group is begun when the time is over`() throws {
        let tree = try TuningTree([.virtio()])
        let place = SimulatedPlace(tree) { _ in [:] }
        // The clock goes on by a second with each look: the first group is begun, no other.
        let run = try Self.prove(tree, place, limit: 1_000_000_000)
        #expect(run.report?.trials.count == 1)
        #expect(run.report?.skipped.map(\.reason) == ["the time was over", "the time was over"])
    }
}
