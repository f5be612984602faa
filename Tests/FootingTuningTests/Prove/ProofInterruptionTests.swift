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
        _ store: any JournalStore,
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

    private func recover(
        _ tree: TuningTree,
        _ journal: [UInt8]?,
        byApply: Bool,
        expecting before: [String: String],
        _ what: Comment
    ) throws {
        let store = MemoryStore(journal: journal)
        let root = try tree.root()
        let applier = TuningApplier(root: root, access: FakeKernel(root: root), store: store)
        if byApply {
            // One that has nothing to change itself undoes what an unfinished proof left.
            _ = try applier.apply(path: "/d", rules: [], force: false) {
                () throws(TuningError) in try ProverTests.plan(tree, "hypervisor", [])
            }
        }
        let isFinished = try !applier.requests().isEmpty
        if byApply, !isFinished { #expect(try tree.values() == before, what) }
        let outcome = try applier.rollback(force: false)
        #expect(outcome.left.isEmpty, what)
        #expect(try tree.values() == before, what)
        #expect(store.current == nil, what)
    }

    @Test(arguments: [false, true], [false, true])
    func `a proof that is killed at any step is undone`(
        _ takesEffect: Bool,
        _ byApply: Bool
    ) throws {
        var steps = 0
        while steps < 200 {
            steps += 1
            let tree = try TuningTree([.virtio()])
            let before = try tree.values()
            let lifetime = Lifetime(steps, takesEffect: takesEffect)
            let store = MemoryStore(lifetime)
            try? prove(tree, store, lifetime)
            if !lifetime.isOver { break }
            try recover(
                tree,
                store.current,
                byApply: byApply,
                expecting: before,
                "after \(steps) steps"
            )
        }
        // Journals of three steps: three begun, one dropped, one finished; and the values: on and
        // off three times for each rule, of which a scheduler takes its requests along.
        #expect((30..<200).contains(steps), "\(steps) steps")
    }

    @Test func `a power failure at any step leaves nothing to undo`() throws {
        for steps in stride(from: 1, through: 40, by: 3) {
            let tree = try TuningTree([.virtio()])
            let before = try tree.values()
            let lifetime = Lifetime(steps, takesEffect: true)
            let store = MemoryStore(lifetime)
            try? prove(tree, store, lifetime)
            guard lifetime.isOver else { break }
            for (path, value) in before { try tree.write(path, value) }
            try tree.write("proc/sys/kernel/random/boot_id", "start \(steps)")
            try recover(
                tree,
                store.durable,
                byApply: false,
                expecting: before,
                "after \(steps) steps"
            )
        }
    }

    @Test func `the journal is durable before the first write of each rule`() throws {
        for steps in 1..<40 {
            let tree = try TuningTree([.virtio()])
            let before = try tree.values()
            let lifetime = Lifetime(steps, takesEffect: true)
            let store = MemoryStore(lifetime)
            try? prove(tree, store, lifetime)
            guard lifetime.isOver else { break }
            // As if the last that had not been made durable were lost, and the kernel's values not.
            try recover(
                tree,
                store.durable,
                byApply: false,
                expecting: before,
                "after \(steps) steps"
            )
        }
    }
}
