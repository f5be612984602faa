import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingTuning

/// What somebody else does to values and disks while a proof measures.
@Suite struct ProofOthersTests {
    private func applier(_ tree: TuningTree, _ store: MemoryStore) throws -> TuningApplier {
        let root = try tree.root()
        return TuningApplier(root: root, access: FakeKernel(root: root), store: store)
    }

    @Test func `what somebody else changes meanwhile ends it, and stays`() throws {
        let tree = try TuningTree([.virtio()])
        let before = try tree.values()
        let store = MemoryStore()
        var place = SimulatedPlace(tree) { _ in [:] }
        place.before = { count in
            if count == 4 { try tree.write("sys/block/vda/queue/read_ahead_kb", "555") }
        }
        let run = try ProverTests.prove(tree, place, store: store) { $0.rules = ["read-ahead"] }
        let error = try #require(run.error)
        #expect(error.contains("somebody made vda read_ahead_kb 555 during the measurement"))
        #expect(error.hasSuffix("everything else is as it was before"))
        var expected = before
        expected["sys/block/vda/queue/read_ahead_kb"] = "555"
        #expect(try tree.values() == expected)
        let root = try tree.root()
        let applier = TuningApplier(root: root, access: FakeKernel(root: root), store: store)
        _ = try applier.rollback(force: true)
        #expect(try tree.values() == before)
    }

    @Test func `what somebody writes before it is tried is theirs, also the wanted value`() throws {
        let tree = try TuningTree([.virtio()])
        let before = try tree.values()
        let store = MemoryStore()
        var place = SimulatedPlace(tree) { _ in [:] }
        place.before = { count in
            if count == 1 { try tree.write("sys/block/vda/queue/read_ahead_kb", "128") }
        }
        let run = try ProverTests.prove(tree, place, store: store) { $0.rules = ["read-ahead"] }
        #expect(run.error?.contains("somebody made vda read_ahead_kb 128") == true)
        var expected = before
        expected["sys/block/vda/queue/read_ahead_kb"] = "128"
        #expect(try tree.values() == expected)
        #expect(store.current == nil)
    }

    /// A place where read-ahead helps, and nothing else; something is done before a measurement.
    private func place(
        _ tree: TuningTree,
        at count: Int,
        _ body: @escaping () throws -> Void
    ) -> SimulatedPlace {
        var place = SimulatedPlace(tree) {
            [.cachedReadRate: try $0.queue("vda", "read_ahead_kb") == "8192" ? 1 : 2]
        }
        place.before = { now in if now == count { try body() } }
        return place
    }

    /// Off and on, while the second rule is tried, and when nothing is measured any more.
    @Test(arguments: [12, 13, 22])
    func `what was kept is looked at until the end`(_ count: Int) throws {
        let tree = try TuningTree([.virtio()])
        let before = try tree.values()
        let store = MemoryStore()
        let place = place(tree, at: count) {
            try tree.write("sys/block/vda/queue/read_ahead_kb", "555")
        }
        let run = try ProverTests.prove(tree, place, store: store) {
            $0.rules = ["read-ahead", "no-randomness"]
        }
        let error = try #require(run.error)
        #expect(error.contains("somebody made vda read_ahead_kb 555 during the measurement"))
        #expect(
            error.hasSuffix(
                "vda queue/read_ahead_kb left alone, everything else is as it was before"
            )
        )
        var expected = before
        expected["sys/block/vda/queue/read_ahead_kb"] = "555"
        #expect(try tree.values() == expected)
        #expect(try applier(tree, store).rollback(force: false).hasForeign)
        #expect(try tree.values() == expected)
        _ = try applier(tree, store).rollback(force: true)
        #expect(try tree.values() == before)
        #expect(store.current == nil)
    }

    @Test func `what moves with a scheduler may be somebody's, and is not lost with it`() throws {
        let tree = try TuningTree([.virtio()])
        let before = try tree.values()
        let store = MemoryStore()
        let place = place(tree, at: 2) { try tree.write("sys/block/vda/queue/nr_requests", "77") }
        let run = try ProverTests.prove(tree, place, store: store) {
            $0.rules = ["paravirtual-scheduler-none"]
        }
        let error = try #require(run.error)
        #expect(
            error.contains("somebody made vda nr_requests 77 during the measurement, it was 254")
        )
        #expect(error.contains("vda queue/nr_requests, vda queue/scheduler left alone, every"))
        #expect(try tree.queue("vda", "nr_requests") == "77")
        // To write the scheduler back would have changed it.
        #expect(try tree.queue("vda", "scheduler") == "mq-deadline [none]")
        #expect(try applier(tree, store).rollback(force: true).left.isEmpty)
        #expect(try tree.values() == before)
        #expect(store.current == nil)
    }

    /// Before the first rule is on, while it is on, and after it was kept.
    @Test(arguments: [1, 2, 3, 12, 13])
    func `a disk that gets another's name is left alone`(_ count: Int) throws {
        let tree = try TuningTree([.virtio(), .virtio("vdb", slot: 6, serial: "disk-b")])
        let other = try tree.values().filter { $0.key.contains("vdb") }
        let store = MemoryStore()
        let place = place(tree, at: count) {
            try tree.remove("vda")
            try tree.remove("vdb")
            try tree.add(.virtio("vda", slot: 6, serial: "disk-b"), minor: 0)
        }
        let run = try ProverTests.prove(tree, place, store: store) {
            $0.rules = ["read-ahead", "no-randomness"]
        }
        #expect(run.error?.contains("vda is gone, or another disk has its name") == true)
        let found = try tree.values().filter { $0.key.contains("vda") }
        #expect(Set(found.values) == Set(other.values))
        #expect(try tree.queue("vda", "read_ahead_kb") == "8192")
        #expect(store.current == nil)
    }
}
