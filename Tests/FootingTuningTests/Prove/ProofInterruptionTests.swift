import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingTuning

/// The process, or the machine, ends after each step of a proof.
@Suite struct ProofInterruptionTests {
    private static let rules = ["paravirtual-scheduler-none", "queue-requests", "read-ahead"]

    /// Tries three rules, of which the first and the last are kept.
    private func prove(
        _ tree: TuningTree,
        _ store: MemoryStore,
        _ lifetime: Lifetime
    ) throws {
        let root = try tree.root()
        var wishes = ProofPlan.Wishes()
        wishes.rules = Self.rules
        var place = SimulatedPlace(tree) { tree in
            let isOff = try tree.queue("vda", "scheduler") == "mq-deadline [none]"
            let isRight = try tree.queue("vda", "read_ahead_kb") == "128"
            return [.randomReadRate: isOff ? 1.5 : 1, .cachedReadRate: isRight ? 1.5 : 1]
        }
        let prover = Prover(
            applier: TuningApplier(
                root: root,
                access: MortalAccess(access: FakeKernel(root: root), lifetime: lifetime),
                store: store
            ),
            limits: .init(rounds: 3, nanoseconds: nil),
            clock: SteppingClock()
        )
        _ = try prover.prove(path: "/d", wishes: wishes, measurer: &place) {
            (rules) throws(TuningError) in try ProverTests.plan(tree, "hypervisor", rules)
        }
    }

    @Test(arguments: [false, true], [false, true])
    func `a proof that is killed at any step is undone`(
        _ takesEffect: Bool,
        _ byApply: Bool
    ) throws {
        let steps = try Interruption.atEachStep(takesEffect: takesEffect, prove) { left in
            try left.recover(left.store.current) { applier, what in
                guard byApply else { return }
                // One that has nothing to change itself undoes what an unfinished proof left.
                _ = try applier.apply(path: "/d", rules: [], force: false) {
                    () throws(TuningError) in try ProverTests.plan(left.tree, "hypervisor", [])
                }
                let isFinished = try !applier.requests().isEmpty
                if !isFinished { #expect(try left.tree.values() == left.before, what) }
            }
        }
        // Journals of three steps: three begun, one dropped, one finished; and the values: on and
        // off three times for each rule, of which a scheduler takes its requests along.
        #expect((30..<200).contains(steps), "\(steps) steps")
    }

    @Test func `a power failure at any step leaves nothing to undo`() throws {
        _ = try Interruption.atEachStep(takesEffect: true, every: 3, prove) { left in
            try left.startAgain()
            // The kernel's own values of this start are not those that the journal remembers.
            for (name, value) in [
                ("read_ahead_kb", "4096"), ("nr_requests", "99"), ("iosched/read_expire", "321"),
            ] {
                try left.tree.write("sys/block/vda/queue/\(name)", value)
            }
            let found = try left.tree.values()
            let store = MemoryStore(journal: left.store.durable)
            let root = try left.tree.root()
            let applier = TuningApplier(root: root, access: FakeKernel(root: root), store: store)
            let outcome = try applier.rollback(force: true)
            #expect(outcome.steps.isEmpty && outcome.left.isEmpty, "after \(left.steps) steps")
            #expect(try left.tree.values() == found, "after \(left.steps) steps")
            #expect(store.current == nil, "after \(left.steps) steps")
        }
    }

    @Test func `the journal is durable before the first write of each rule`() throws {
        _ = try Interruption.atEachStep(takesEffect: true, prove) { left in
            // As if the last that had not been made durable were lost, and the kernel's values not.
            try left.recover(left.store.durable)
        }
    }
}
