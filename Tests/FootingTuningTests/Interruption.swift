import FootingSystem
import Testing

@testable import FootingTuning

/// What a process left that ended in the middle of its work.
struct Interruption {
    let tree: TuningTree
    /// What the tree had before the work.
    let before: [String: String]
    let store: MemoryStore
    /// So many steps it lived.
    let steps: Int

    private var what: Comment { "after \(steps) steps" }

    /// Ends the process after the first step of its work, then after the second, and so on, each
    /// time on a tree of its own, until it lives through all of them.
    ///
    /// - Parameters:
    ///   - takesEffect: whether the last step still does what it is for.
    ///   - every: looks at each so many steps only.
    ///   - begin: what was done before, and the journal that is there by then.
    ///   - work: what the process does.
    ///   - look: what is demanded each time.
    /// - Returns: the steps with which it came to its end.
    static func atEachStep(
        takesEffect: Bool,
        every: Int = 1,
        begin: (TuningTree) throws -> [UInt8]? = { _ in nil },
        _ work: (TuningTree, MemoryStore, Lifetime) throws -> Void,
        look: (Interruption) throws -> Void
    ) throws -> Int {
        for steps in stride(from: 1, to: 200, by: every) {
            let tree = try TuningTree([.virtio()])
            let before = try tree.values()
            let lifetime = Lifetime(steps, takesEffect: takesEffect)
            let store = MemoryStore(lifetime)
            store.begin(try begin(tree))
            try? work(tree, store, lifetime)
            if !lifetime.isOver { return steps }
            try look(.init(tree: tree, before: before, store: store, steps: steps))
        }
        return 200
    }

    /// Goes on with a journal as the next calls do, and demands everything as it was in the end.
    func recover(
        _ journal: [UInt8]?,
        _ goOn: (TuningApplier, Comment) throws -> Void = { _, _ in }
    ) throws {
        let store = MemoryStore(journal: journal)
        let root = try tree.root()
        let applier = TuningApplier(root: root, access: FakeKernel(root: root), store: store)
        try goOn(applier, what)
        let outcome = try applier.rollback(force: false)
        #expect(outcome.left.isEmpty, what)
        #expect(try tree.values() == before, what)
        #expect(store.current == nil, what)
    }

    /// Starts the machine again: the kernel has forgotten what was written.
    func startAgain() throws {
        for (path, value) in before { try tree.write(path, value) }
        try tree.write("proc/sys/kernel/random/boot_id", "start \(steps)")
    }
}
