import Synchronization

/// What the server did so far.
public struct Statistics: Sendable, Equatable {
    /// Connections taken in.
    public var connections: UInt64 = 0
    /// Connections served now.
    public var activeConnections: UInt64 = 0
    /// Connections closed at once, for lack of room.
    public var refusedConnections: UInt64 = 0
    /// Connections cut off: they broke the protocol or a time limit.
    public var brokenConnections: UInt64 = 0
    /// Requests received.
    public var requests: UInt64 = 0
    /// Requests answered with an error before they reached the disk.
    public var refusedRequests: UInt64 = 0
    /// Reads that waited for the disk on another thread.
    public var waitingReads: UInt64 = 0
    /// Bytes asked for by reads.
    public var readBytes: UInt64 = 0
    /// Bytes of payload of writes.
    public var writtenBytes: UInt64 = 0
    /// Reads and writes that waited for the limit on the bandwidth.
    public var heldRequests: UInt64 = 0
    /// How long these waited, added up.
    public var heldNanoseconds: UInt64 = 0
}

/// The counters behind ``Statistics``, which all connections share.
final class Counters: Sendable {
    let meter = RequestMeter()
    let connections = Atomic<UInt64>(0)
    let refusedConnections = Atomic<UInt64>(0)
    let brokenConnections = Atomic<UInt64>(0)
    private let requests = Atomic<UInt64>(0)
    private let refusedRequests = Atomic<UInt64>(0)
    private let waitingReads = Atomic<UInt64>(0)
    private let readBytes = Atomic<UInt64>(0)
    private let writtenBytes = Atomic<UInt64>(0)

    /// Adds what a connection did since the last time: once per turn, not per request.
    func add(_ turn: inout Statistics) {
        // The rest of a request may arrive in a turn without another.
        guard turn.requests > 0 || turn.writtenBytes > 0 else { return }
        requests.add(turn.requests, ordering: .relaxed)
        refusedRequests.add(turn.refusedRequests, ordering: .relaxed)
        waitingReads.add(turn.waitingReads, ordering: .relaxed)
        readBytes.add(turn.readBytes, ordering: .relaxed)
        writtenBytes.add(turn.writtenBytes, ordering: .relaxed)
        turn = Statistics()
    }

    func read(activeConnections: Int) -> Statistics {
        Statistics(
            connections: connections.load(ordering: .relaxed),
            activeConnections: UInt64(activeConnections),
            refusedConnections: refusedConnections.load(ordering: .relaxed),
            brokenConnections: brokenConnections.load(ordering: .relaxed),
            requests: requests.load(ordering: .relaxed),
            refusedRequests: refusedRequests.load(ordering: .relaxed),
            waitingReads: waitingReads.load(ordering: .relaxed),
            readBytes: readBytes.load(ordering: .relaxed),
            writtenBytes: writtenBytes.load(ordering: .relaxed)
        )
    }
}
