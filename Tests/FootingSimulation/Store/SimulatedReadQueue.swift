internal import FootingDisk
internal import FootingSystem

/// Reads of a simulated disk that wait until somebody waits for them, and end in any order.
final class SimulatedReadQueue: DirectReadQueue {
    private let store: SimulatedStore
    private var waiting: [(read: DirectRead, tag: UInt64)] = []
    private var ended: [(tag: UInt64, error: Errno?)] = []

    init(_ store: SimulatedStore) {
        self.store = store
    }

    var pendingCount: Int { waiting.count + ended.count }

    func add(_ read: DirectRead, tag: UInt64) { waiting.append((read, tag)) }

    func submit() {}

    func waitForRead() {
        guard ended.isEmpty, !waiting.isEmpty else { return }
        let index = store.state.withLock { $0.random.below(waiting.count) }
        var (read, tag) = waiting.remove(at: index)
        read.perform { (offset, buffer) throws(Errno) in
            unsafe try store.read(at: offset, into: buffer)
        }
        ended.append((tag, read.error))
    }

    func wait(for descriptors: [Int32]) { waitForRead() }

    func next() -> (tag: UInt64, error: Errno?, isLost: Bool)? {
        ended.popLast().map { ($0.tag, $0.error, false) }
    }

    var isBroken: Bool { false }
}
