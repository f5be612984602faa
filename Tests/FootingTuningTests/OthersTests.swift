import FootingSystem
import FootingTestSupport
import Glibc
import Testing

@testable import FootingTuning

/// What somebody else does to values, disks and the journal while they are tuned.
@Suite struct OthersTests {
    private func applier(
        _ tree: TuningTree,
        _ store: any JournalStore
    ) throws -> TuningApplier {
        let kernel = FakeKernel(root: try tree.root())
        return TuningApplier(root: kernel.root, access: kernel, store: store)
    }

    private func apply(
        _ tree: TuningTree,
        _ store: any JournalStore,
        _ rules: [String],
        force: Bool = false
    ) throws -> TuningOutcome {
        let plan = try tree.plan(rules: rules)
        return try applier(tree, store).apply(path: "/d", rules: rules, force: force) { plan }
            .outcome
    }

    @Test func `a rollback does not undo somebody's value by writing what moves it`() throws {
        let tree = try TuningTree([.virtio()])
        let store = MemoryStore()
        let before = try tree.values()
        _ = try apply(tree, store, ["dirty-bytes"])
        // The ratio became 0 with that, and to write it would make the bytes 0.
        try tree.write("proc/sys/vm/dirty_bytes", "1073741824")
        let undone = try applier(tree, store).rollback(force: false)
        #expect(try tree.read("proc/sys/vm/dirty_bytes") == "1073741824")
        #expect(Set(undone.left.map(\.target)) == ["vm.dirty_bytes", "vm.dirty_ratio"])
        #expect(undone.hasForeign)
        _ = try applier(tree, store).rollback(force: true)
        #expect(try tree.values() == before)
        #expect(store.current == nil)
    }

    @Test func `an apply does not move somebody's value by what it writes`() throws {
        let tree = try TuningTree([.virtio()])
        let store = MemoryStore()
        _ = try apply(tree, store, ["queue-requests"])
        try tree.write("sys/block/vda/queue/nr_requests", "100")
        let outcome = try apply(tree, store, ["paravirtual-scheduler-none"])
        #expect(outcome.steps.isEmpty)
        #expect(outcome.left.map(\.target) == ["vda queue/scheduler"])
        #expect(outcome.hasForeign)
        #expect(try tree.queue("vda", "nr_requests") == "100")
        #expect(try apply(tree, store, ["paravirtual-scheduler-none"], force: true).left.isEmpty)
    }

    @Test func `what went with a scheduler waits in the journal until that is back`() throws {
        var disk = TuningTree.Disk.virtio()
        disk.queue["scheduler"] = "[mq-deadline] none kyber"
        let tree = try TuningTree([disk])
        let before = try tree.values()
        #expect(before["sys/block/vda/queue/iosched/read_expire"] == "123")
        let store = MemoryStore()
        _ = try apply(tree, store, ["paravirtual-scheduler-none"])
        #expect(try tree.values()["sys/block/vda/queue/iosched/read_expire"] == nil)
        // Somebody chooses a third one, which a rollback leaves alone.
        let kernel = FakeKernel(root: try tree.root())
        try kernel.write("sys/block/vda/queue/scheduler", "kyber")
        let undone = try applier(tree, store).rollback(force: false)
        #expect(undone.left.map(\.target).contains("vda queue/scheduler"))
        #expect(try applier(tree, store).rollback(force: true).left.isEmpty)
        #expect(try tree.values() == before)
        #expect(store.current == nil)
    }

    @Test func `what was one scheduler's is not written under somebody else's`() throws {
        var disk = TuningTree.Disk.virtio()
        disk.queue["scheduler"] = "[mq-deadline] none kyber"
        disk.queue["nr_requests"] = "8"
        let tree = try TuningTree([disk])
        let before = try tree.values()
        let store = MemoryStore()
        _ = try apply(tree, store, ["paravirtual-scheduler-none"])
        // Somebody chooses a third one, which happens to bring the number that there was before.
        try FakeKernel(root: try tree.root()).write("sys/block/vda/queue/scheduler", "kyber")
        try tree.write("sys/block/vda/queue/nr_requests", "254")
        let undone = try applier(tree, store).rollback(force: false)
        #expect(try tree.queue("vda", "nr_requests") == "254")
        let targets = undone.left.map(\.target)
        #expect(Set(targets) == ["vda queue/scheduler", "vda queue/nr_requests"])
        #expect(undone.left.last?.reason.contains("another scheduler's") == true)
        #expect(undone.steps.isEmpty && undone.hasForeign)
        // It stays in the journal until that one is back.
        #expect(try applier(tree, store).rollback(force: true).left.isEmpty)
        #expect(try tree.values() == before)
        #expect(store.current == nil)
    }

    @Test func `what is left alone is kept in mind once, however often it is rolled back`() throws {
        var disk = TuningTree.Disk.virtio()
        disk.queue["scheduler"] = "[mq-deadline] none kyber"
        disk.queue["nr_requests"] = "8"
        disk.queue["async_depth"] = "3"
        let tree = try TuningTree([disk])
        let before = try tree.values()
        let store = MemoryStore()
        _ = try apply(tree, store, ["paravirtual-scheduler-none"])
        // The number moves the depth that somebody else's scheduler has brought, and is tied to
        // that scheduler as well.
        try FakeKernel(root: try tree.root()).write("sys/block/vda/queue/scheduler", "kyber")
        try tree.write("sys/block/vda/queue/nr_requests", "254")
        let undone = try applier(tree, store).rollback(force: false)
        let left = ["scheduler", "nr_requests", "async_depth"].map { "vda queue/\($0)" }
        #expect(Set(undone.left.map(\.target)) == Set(left))
        let journal = try #require(store.current)
        let entries = try #require(TuningJournal(journal).applied.first).entries
        #expect(Set(entries.map(\.attribute)).count == entries.count)
        for _ in 0..<2 { _ = try applier(tree, store).rollback(force: false) }
        #expect(store.current == journal)
        #expect(try applier(tree, store).rollback(force: true).left.isEmpty)
        #expect(try tree.values() == before)
        #expect(store.current == nil)
    }

    @Test func `nobody is said to have chosen a scheduler who has not`() throws {
        var disk = TuningTree.Disk.virtio()
        disk.queue["scheduler"] = "[mq-deadline] none"
        disk.queue["nr_requests"] = "8"
        disk.queue["async_depth"] = "3"
        let tree = try TuningTree([disk])
        let store = MemoryStore()
        _ = try apply(tree, store, ["paravirtual-scheduler-none"])
        try tree.write("sys/block/vda/queue/nr_requests", "100")
        let left = try applier(tree, store).rollback(force: false).left
        let reasons = Dictionary(uniqueKeysWithValues: left.map { ($0.target, $0.reason) })
        #expect(reasons.count == 3)
        #expect(reasons["vda queue/nr_requests"]?.contains("made it 100") == true)
        #expect(reasons["vda queue/scheduler"]?.contains("would change beside it") == true)
        #expect(reasons["vda queue/async_depth"]?.contains("not written beside") == true)
        #expect(try tree.queue("vda", "async_depth") == "254")
    }

    @Test(arguments: ["[mq-deadline] none", "mq-deadline [none]"])
    func `the queue's own depth is restored with what moves it`(_ schedulers: String) throws {
        for rule in ["paravirtual-scheduler-none", "queue-requests"] {
            var disk = TuningTree.Disk.virtio()
            let isNone = schedulers.hasSuffix("[none]")
            disk.queue["scheduler"] = schedulers
            disk.queue["nr_requests"] = "8"
            disk.queue["async_depth"] = isNone ? "8" : "3"
            let tree = try TuningTree([disk])
            let before = try tree.values()
            let store = MemoryStore()
            let steps = try apply(tree, store, [rule]).steps
            #expect(steps.isEmpty == (isNone && rule != "queue-requests"))
            if !steps.isEmpty { #expect(try tree.queue("vda", "async_depth") != "3") }
            #expect(try applier(tree, store).rollback(force: false).left.isEmpty)
            #expect(try tree.values() == before, "\(rule)")
        }
    }

    @Test func `only what follows the number of requests is restored with it`() throws {
        let tree = try TuningTree([.virtio()])
        let before = try tree.values()
        let store = MemoryStore()
        _ = try apply(tree, store, ["queue-requests"])
        #expect(try tree.queue("vda", "iosched/async_depth") == "192")
        try tree.write("sys/block/vda/queue/iosched/read_expire", "77")
        #expect(try applier(tree, store).rollback(force: false).left.isEmpty)
        var expected = before
        expected["sys/block/vda/queue/iosched/read_expire"] = "77"
        #expect(try tree.values() == expected)
    }

    @Test func `a value that somebody writes while the journal is made is theirs`() throws {
        let tree = try TuningTree([.virtio()])
        let before = try tree.values()
        let store = Meddling { try? tree.write("sys/block/vda/queue/add_random", "7") }
        let error = #expect(throws: TuningError.self) {
            try apply(tree, store, ["read-ahead", "no-randomness"])
        }
        #expect(error?.description.contains("is there since a moment ago") == true)
        var expected = before
        expected["sys/block/vda/queue/add_random"] = "7"
        #expect(try tree.values() == expected)
        #expect(try store.read() == nil)
    }

    @Test func `a disk that gets another's name while the journal is made is left alone`() throws {
        let tree = try TuningTree([.virtio()])
        let store = Meddling {
            try? tree.remove("vda")
            try? tree.add(.virtio(serial: "another"), minor: 0)
        }
        let error = #expect(throws: TuningError.self) {
            try apply(tree, store, ["read-ahead"])
        }
        #expect(error?.description.contains("another disk has its name") == true)
        #expect(try tree.queue("vda", "read_ahead_kb") == "8192")
    }

    @Test func `one of two copies that is gone is not taken for the other`() throws {
        let tree = try TuningTree([.virtio(), .virtio("vdb", slot: 6)])
        let store = MemoryStore()
        _ = try apply(tree, store, ["read-ahead"])
        try tree.remove("vda")
        try tree.write("sys/block/vdb/queue/read_ahead_kb", "128")
        let undone = try applier(tree, store).rollback(force: true)
        #expect(undone.left.map(\.target) == ["vda"])
        #expect(try tree.queue("vdb", "read_ahead_kb") == "128")
    }

    @Test func `a disk that several say they are is kept in mind`() throws {
        let tree = try TuningTree([.virtio()])
        let store = MemoryStore()
        let before = try tree.values()
        _ = try apply(tree, store, ["read-ahead"])
        // It hangs elsewhere now, beside a copy that has its serial number.
        try tree.remove("vda")
        var moved = TuningTree.Disk.virtio("vdb", slot: 7)
        moved.queue["read_ahead_kb"] = "128"
        try tree.add(moved, minor: 16)
        try tree.add(.virtio("vdc", slot: 8), minor: 32)
        let undone = try applier(tree, store).rollback(force: true)
        #expect(undone.left.first?.reason == "several disks say that they are this one")
        #expect(undone.hasForeign)
        #expect(store.current != nil)
        try tree.remove("vdc")
        #expect(try applier(tree, store).rollback(force: false).steps.count == 1)
        let value = before["sys/block/vda/queue/read_ahead_kb"]
        #expect(try tree.queue("vdb", "read_ahead_kb") == value)
    }

    @Test func `an error after the last journal is there undoes everything too`() throws {
        let tree = try TuningTree([.virtio()])
        let before = try tree.values()
        let store = Forgetful(failingSynchronization: 2)
        let error = #expect(throws: TuningError.self) {
            try apply(tree, store, ["read-ahead"])
        }
        #expect(error?.description.hasSuffix("everything is as it was before") == true)
        #expect(try tree.values() == before)
        #expect(try store.read() == nil)
    }

    @Test func `a journal that could not be read again is not written`() throws {
        let tree = try TuningTree([.virtio()])
        let store = MemoryStore()
        let plan = try tree.plan(rules: ["read-ahead"])
        let path = "/" + String(repeating: "d", count: 5000)
        let error = #expect(throws: TuningError.self) {
            try applier(tree, store).apply(path: path, rules: [], force: false) { plan }
        }
        #expect(error?.description.contains("more than it can hold") == true)
        #expect(try tree.queue("vda", "read_ahead_kb") == "8192")
        #expect(store.current == nil)
    }

    // MARK: - The folder

    @Test func `a journal that others could have written is not believed`() throws {
        let folder = try TemporaryDirectory()
        let store = FolderStore(folder: folder.path("tuning"))
        try store.withLock {}
        let path = folder.path("tuning/journal.json")
        func isRefused(_ what: Comment, _ make: () throws -> Void) throws {
            _ = unsafe unlink(path)
            try make()
            #expect(throws: Errno.self, what) { try store.read() }
        }
        try folder.file("elsewhere", "{}")
        try isRefused("a link") { _ = unsafe symlink(folder.path("elsewhere"), path) }
        try isRefused("another name") { _ = unsafe link(folder.path("elsewhere"), path) }
        try isRefused("a FIFO") { _ = unsafe mkfifo(path, 0o600) }
        try isRefused("a folder") { _ = unsafe mkdir(path, 0o700) }
        _ = unsafe rmdir(path)
        try isRefused("open to others") {
            try folder.file("tuning/journal.json", "{}")
            _ = unsafe chmod(path, 0o666)
        }
        _ = unsafe unlink(path)
        // What is to be written next may not lead elsewhere either.
        _ = unsafe unlink(folder.path("tuning/journal.next"))
        _ = unsafe symlink(folder.path("elsewhere"), folder.path("tuning/journal.next"))
        #expect(throws: Errno.self) { try store.prepare([1]) }
        #expect(try HostRoot(path: folder.path).text("elsewhere") == "{}")
    }

    @Test func `a folder that is a link is not used`() throws {
        let folder = try TemporaryDirectory()
        try FolderStore(folder: folder.path("tuning")).withLock {}
        _ = unsafe symlink(folder.path("tuning"), folder.path("link"))
        let store = FolderStore(folder: folder.path("link"))
        #expect(throws: Errno.notDirectory) { try store.read() }
        #expect(throws: TuningError.self) { try store.withLock {} }
    }

    @Test func `space for the next journal is there before it is needed`() throws {
        let folder = try TemporaryDirectory()
        let store = FolderStore(folder: folder.path("tuning"))
        try store.withLock {}
        try store.prepare([UInt8](repeating: 65, count: 9000))
        try store.replace()
        try store.synchronize()
        let next = folder.path("tuning/journal.next")
        let reserved = try FileDescriptor.open(next, .readOnly).status()
        #expect(reserved.allocatedBytes >= 18000)
        try store.prepare([66])
        try store.replace()
        #expect(try store.read() == [66])
        try store.remove()
        #expect(try HostRoot(path: folder.path("tuning")).names(".") == ["lock"])
    }
}

/// A store during whose first step somebody else does something.
private final class Meddling: JournalStore {
    private let store = MemoryStore()
    nonisolated(unsafe) private let meddle: () -> Void
    private let isDone = Locked(false)

    init(_ meddle: @escaping () -> Void) { unsafe self.meddle = meddle }

    func read() throws(Errno) -> [UInt8]? { try store.read() }
    func prepare(_ bytes: [UInt8]) throws(Errno) {
        let isFirst = isDone.withLock { done in
            defer { done = true }
            return !done
        }
        if isFirst { unsafe meddle() }
        try store.prepare(bytes)
    }
    func replace() throws(Errno) { try store.replace() }
    func remove() throws(Errno) { try store.remove() }
    func synchronize() throws(Errno) { try store.synchronize() }
}

/// A store one of whose synchronizations, or removals, fails.
final class Forgetful: JournalStore {
    private let store: MemoryStore
    private let left: Locked<Int>
    private let removals: Locked<Int>

    init(
        failingSynchronization number: Int = 0,
        failingRemoval removal: Int = 0,
        journal: [UInt8]? = nil
    ) {
        store = MemoryStore(journal: journal)
        left = Locked(number)
        removals = Locked(removal)
    }

    func read() throws(Errno) -> [UInt8]? { try store.read() }
    func prepare(_ bytes: [UInt8]) throws(Errno) { try store.prepare(bytes) }
    func replace() throws(Errno) { try store.replace() }
    func remove() throws(Errno) {
        let fails = removals.withLock { left in
            left -= 1
            return left == 0
        }
        if fails { throw .inputOutput }
        try store.remove()
    }
    func synchronize() throws(Errno) {
        let fails = left.withLock { left in
            left -= 1
            return left == 0
        }
        if fails { throw .inputOutput }
        try store.synchronize()
    }
}
