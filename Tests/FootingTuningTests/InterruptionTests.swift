import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingTuning

/// The process, or the machine, ends after each step of an apply and of a rollback.
@Suite struct InterruptionTests {
    private static let rules = ["paravirtual-scheduler-none"] + ["queue-requests", "dirty-bytes"]

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
                () throws(TuningError) in try Self.plan(tree)
            }
        }
    }

    private static func plan(_ tree: TuningTree) throws(TuningError) -> TuningPlan {
        do {
            return try tree.plan(rules: rules)
        } catch {
            throw TuningError("no plan: \(error)")
        }
    }

    /// What the next call does, if it is no rollback: what was asked for, as a whole.
    private func applyAgain(_ tree: TuningTree) -> (TuningApplier, Comment) throws -> Void {
        { applier, what in
            _ = try applier.apply(path: "/d", rules: Self.rules, force: false) {
                () throws(TuningError) in try Self.plan(tree)
            }
            #expect(try Self.plan(tree).changes.isEmpty, what)
        }
    }

    @Test(arguments: [false, true], [false, true])
    func `an apply that is killed at any step is undone`(
        _ takesEffect: Bool,
        _ byRollback: Bool
    ) throws {
        let steps = try Interruption.atEachStep(takesEffect: takesEffect) {
            try run($0, $1, $2, isRollback: false)
        } look: { left in
            let next = byRollback ? { _, _ in } : applyAgain(left.tree)
            try left.recover(left.store.current, next)
        }
        // Two journals of three steps each, and three values.
        #expect(steps == 10)
    }

    @Test(arguments: [false, true], [false, true])
    func `a rollback that is killed at any step is finished`(
        _ takesEffect: Bool,
        _ byRollback: Bool
    ) throws {
        let steps = try Interruption.atEachStep(
            takesEffect: takesEffect,
            begin: { tree in
                let store = MemoryStore()
                try run(tree, store, Lifetime(), isRollback: false)
                return store.current
            }
        ) {
            try run($0, $1, $2, isRollback: true)
        } look: { left in
            let next = byRollback ? { _, _ in } : applyAgain(left.tree)
            try left.recover(left.store.current, next)
        }
        #expect((8..<60).contains(steps), "\(steps) steps")
    }

    @Test(arguments: [false, true])
    func `a power failure at any step leaves nothing to undo`(_ takesEffect: Bool) throws {
        let steps = try Interruption.atEachStep(takesEffect: takesEffect) {
            try run($0, $1, $2, isRollback: false)
        } look: { left in
            for journal in [left.store.durable, left.store.current] {
                // What the kernel had is gone; the journal may be as it was, or as it was to be.
                try left.startAgain()
                try left.recover(journal)
            }
        }
        #expect(steps == 10)
    }

    @Test func `the journal is durable before the first write`() throws {
        let steps = try Interruption.atEachStep(takesEffect: true) {
            try run($0, $1, $2, isRollback: false)
        } look: { left in
            // As if the last that had not been made durable were lost, and the kernel's values not.
            try left.recover(left.store.durable)
        }
        #expect(steps == 10)
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
                error?.description
                    == "another 'footing apply', 'footing prove' or 'footing rollback' is at work"
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

    func read(_ attribute: FileAttribute, of file: FileIdentity) throws(Errno) -> String {
        try access.read(attribute, of: file)
    }

    func write(
        _ attribute: FileAttribute,
        of file: FileIdentity,
        _ value: String
    ) throws(Errno) {
        try access.write(attribute, of: file, value)
    }
}
