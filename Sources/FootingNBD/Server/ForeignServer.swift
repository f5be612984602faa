internal import FootingSystem
import Synchronization

/// The clients of a server that is another program's, such as nbdkit.
///
/// That program tells of each connection and of each request that it has answered.
public final class ForeignServer: DiskServer {
    private struct State {
        var activeCount = 0
        /// Somebody wants no client for a while.
        var isHeld = false
    }

    private let meter = RequestMeter()
    private let connectionCount = Atomic<UInt64>(0)
    private let state = Locked(State())
    private let clock = SystemClock()

    /// A server without a client.
    public init() {}

    /// Takes a connection in; waits while ``withoutClients(_:)`` is at work.
    ///
    /// - Returns: its number, for ``measure(_:bytes:connection:_:)``.
    public func connect() -> UInt64 {
        state.withLock { state in
            while state.isHeld { self.state.wait(&state) }
            state.activeCount += 1
        }
        return connectionCount.wrappingAdd(1, ordering: .relaxed).newValue
    }

    /// Lets a connection go.
    public func disconnect() {
        state.withLock { state in
            precondition(state.activeCount > 0, "a connection ends once")
            state.activeCount -= 1
        }
    }

    /// Counts a request, and how long it takes.
    ///
    /// - Parameters:
    ///   - bytes: what it is about.
    ///   - connection: the number of who asks.
    ///   - body: answers it: 0, or else an error.
    /// - Returns: what the body did.
    public func measure(
        _ kind: RequestKind,
        bytes: UInt64,
        connection: UInt64,
        _ body: () -> Int32
    ) -> Int32 {
        let start = clock.nanoseconds
        let result = body()
        meter.record(
            AnsweredRequests(kind, bytes: bytes, hasFailed: result != 0),
            nanoseconds: clock.nanoseconds &- start,
            connection: connection
        )
        return result
    }

    /// What it did so far, of what can be known here: who was refused or cut off is not.
    public var statistics: Statistics {
        let requests = requestStatistics
        var statistics = Statistics()
        statistics.connections = connectionCount.load(ordering: .relaxed)
        statistics.activeConnections = UInt64(state.withLock { $0.activeCount })
        statistics.requests = RequestKind.allCases.reduce(0) { $0 &+ requests[$1].latency.count }
        statistics.readBytes = requests[.read].bytes
        statistics.writtenBytes = requests[.write].bytes
        return statistics
    }

    /// How long requests took, and what became of them.
    public var requestStatistics: RequestStatistics { meter.read() }

    /// Does something while no client is connected; those who come meanwhile wait.
    ///
    /// - Returns: nil, and nothing was done, if there are clients.
    public func withoutClients<Result, Failure>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        let isAlone = state.withLock { state in
            guard state.activeCount == 0, !state.isHeld else { return false }
            state.isHeld = true
            return true
        }
        guard isAlone else { return nil }
        defer {
            state.withLock { $0.isHeld = false }
            state.wakeAll()
        }
        return try body()
    }
}
