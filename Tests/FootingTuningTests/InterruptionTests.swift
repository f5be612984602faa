import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingTuning

/// The process, or the machine, ends after each step of an apply and of a rollback.
@Suite struct InterruptionTests {
    private static let rules = ["paravirtual-scheduler-none"] + ["queue-requests", "dirty-bytes"]
    private static let stepsMaximum = 60

    private func run(
        _ tree: TuningTree,
        _ store: any JournalStore,
        _ lifetime: Lifetime,
        isRollback: Bool
    ) throws {
        let root = try tree.root()
        let access = MortalAccess(access: FakeKernel(root: root), lifetime: lifetime)
        let applier = TuningApplier(root: root, access: access, store: store)
        if isRollback {
            _ = try applier.rollback(force: false)
        } else {
            _ = try applier.apply(path: "/d", rules: Self.rules, force: false) {
                () throws(TuningError) in
                do {
                    return try tree.plan(rules: Self.rules)
                } catch {
                    throw TuningError("no plan: \(error)")
                }
            }
        }
    }

    /// Goes on after a crash as the next call does, and demands everything as it was.
    private func recover(
        _ tree: TuningTree,
        _ journal: [UInt8]?,
        by isRollback: Bool,
        expecting before: [String: String],
        _ what: Comment
    ) throws {
        let store = MemoryStore(journal: journal)
        try run(tree, store, Lifetime(), isRollback: isRollback)
        if !isRollback {
            #expect(try tree.plan(rules: Self.rules).changes.isEmpty, what)
            try run(tree, store, Lifetime(), isRollback: true)
        }
        #expect(try tree.values() == before, what)
        #expect(store.current == nil, what)
    }

    @Test(arguments: [false, true], [false, true])
    func `an apply that is killed at any step is undone`(
        _ takesEffect: Bool,
        _ byRollback: Bool
    ) throws {
        var steps = 0
        while steps < Self.stepsMaximum {
            steps += 1
            let tree = try TuningTree([.virtio()])
            let before = try tree.values()
            let lifetime = Lifetime(steps, takesEffect: takesEffect)
            let store = MemoryStore(lifetime)
            try? run(tree, store, lifetime, isRollback: false)
            if !lifetime.isOver { break }
            try recover(
                tree,
                store.current,
                by: byRollback,
                expecting: before,
                "after \(steps) steps"
            )
        }
        // Two journals of three steps each, and three values.
        #expect(steps == 10)
    }

    @Test(arguments: [false, true], [false, true])
    func `a rollback that is killed at any step is finished`(
        _ takesEffect: Bool,
        _ byRollback: Bool
    ) throws {
        var steps = 0
        while steps < Self.stepsMaximum {
            steps += 1
            let tree = try TuningTree([.virtio()])
            let before = try tree.values()
            let first = MemoryStore()
            try run(tree, first, Lifetime(), isRollback: false)
            let lifetime = Lifetime(steps, takesEffect: takesEffect)
            let store = MemoryStore(lifetime)
            try store.prepareForTests(first.current)
            try? run(tree, store, lifetime, isRollback: true)
            if !lifetime.isOver { break }
            try recover(
                tree,
                store.current,
                by: byRollback,
                expecting: before,
                "after \(steps) steps"
            )
        }
        #expect((8..<Self.stepsMaximum).contains(steps), "\(steps) steps")
    }

    @Test(arguments: [false, true])
    func `a power failure at any step leaves nothing to undo`(_ takesEffect: Bool) throws {
        for steps in 1..<10 {
            let tree = try TuningTree([.virtio()])
            let before = try tree.values()
            let lifetime = Lifetime(steps, takesEffect: takesEffect)
            let store = MemoryStore(lifetime)
            try? run(tree, store, lifetime, isRollback: false)
            #expect(lifetime.isOver)
            for journal in [store.durable, store.current] {
                // What the kernel had is gone; the journal may be as it was, or as it was to be.
                for (path, value) in before { try tree.write(path, value) }
                try tree.write("proc/sys/kernel/random/boot_id", "start \(steps)")
                try recover(tree, journal, by: true, expecting: before, "after \(steps) steps")
            }
        }
    }

    @Test func `the journal is durable before the first write`() throws {
        let tree = try TuningTree([.virtio()])
        let before = try tree.values()
        for steps in 1..<10 {
            let lifetime = Lifetime(steps, takesEffect: true)
            let store = MemoryStore(lifetime)
            try? run(tree, store, lifetime, isRollback: false)
            if try tree.values() != before {
                #expect(store.durable != nil, "after \(steps) steps")
                let left = MemoryStore(journal: store.durable)
                try run(tree, left, Lifetime(), isRollback: true)
            }
            #expect(try tree.values() == before, "after \(steps) steps")
        }
    }

    @Test func `a disk that is unplugged in the middle fails the apply`() throws {
        let tree = try TuningTree([.virtio()])
        let before = try tree.values().filter { $0.key.hasPrefix("proc") }
        let root = try tree.root()
        let plan = try tree.plan(rules: Self.rules + ["read-ahead"])
        let access = Unplugging(access: FakeKernel(root: root), tree: tree)
        let store = MemoryStore()
        let error = #expect(throws: TuningError.self) {
            try TuningApplier(root: root, access: access, store: store)
                .apply(path: "/d", rules: [], force: false) { plan }
        }
        #expect(error?.description.contains("everything is as it was before") == true)
        #expect(try tree.values().filter { $0.key.hasPrefix("proc") } == before)
        #expect(store.current == nil)
    }

    @Test func `two at once are refused, and others may not enter the folder`() throws {
        let folder = try TemporaryDirectory()
        let store = FolderStore(folder: folder.path("a/tuning"))
        try store.withLock { () throws(TuningError) in
            let error = #expect(throws: TuningError.self) {
                try FolderStore(folder: folder.path("a/tuning")).withLock {}
            }
            #expect(
                error?.description == "another 'footing apply' or 'footing rollback' is at work"
            )
        }
        try store.withLock {}
        _ = try folder.directory("open")
        try folder.file("open/journal.json", "{}")
        #expect(chmodOpen(folder.path("open")) == 0)
        let open = FolderStore(folder: folder.path("open"))
        #expect(throws: TuningError.self) { try open.withLock {} }
        #expect(throws: Errno.notPermitted) { try open.read() }
    }

    @Test func `a journal in a folder is replaced as a whole`() throws {
        let folder = try TemporaryDirectory()
        let store = FolderStore(folder: folder.path("tuning"))
        try store.withLock {}
        #expect(try store.read() == nil)
        try store.prepare([1, 2, 3])
        #expect(try store.read() == nil)
        try store.replace()
        try store.synchronize()
        #expect(try store.read() == [1, 2, 3])
        try store.prepare([4])
        try store.replace()
        #expect(try store.read() == [4])
        try store.remove()
        try store.remove()
        try store.synchronize()
        #expect(try store.read() == nil)
    }
}

/// Takes the disk away when its read-ahead is written.
private struct Unplugging: TuningAccess {
    let access: FakeKernel
    nonisolated(unsafe) let tree: TuningTree

    func read(_ path: String) throws(Errno) -> String { try access.read(path) }

    func write(_ path: String, _ value: String) throws(Errno) {
        if path.hasSuffix("read_ahead_kb") { try? unsafe tree.remove("vda") }
        try access.write(path, value)
    }
}
