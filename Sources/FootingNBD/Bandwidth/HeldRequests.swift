internal import FootingSystem

/// A connection's requests that wait for their share of the bandwidth, in the order they came.
///
/// Reads, and behind them at most one write, whose payload stays in the socket meanwhile. For the
/// connection's own thread.
final class HeldRequests {
    struct Held {
        let request: Request
        let arrivalNanoseconds: UInt64
    }

    private let limit: BandwidthLimit
    private let turn: BandwidthLimit.Turn
    private let countMax: Int
    private var requests: [Held] = []
    /// Those before it went on: taking the first out of an array would move all others.
    private var firstIndex = 0
    /// The first may go on, and nobody needs to be asked.
    private var isFirstDue = false

    /// - Parameter wakeUp: called from another thread when the first may go on.
    init(
        _ limit: BandwidthLimit,
        connection: UInt64,
        countMax: Int,
        wakeUp: @escaping @Sendable () -> Void
    ) {
        self.limit = limit
        self.countMax = countMax
        turn = BandwidthLimit.Turn(connection, wakeUp: wakeUp)
    }

    var isEmpty: Bool { firstIndex == requests.count }

    /// Whether no more are to be taken in.
    var isFull: Bool { requests.count - firstIndex >= countMax }

    /// - Returns: whether the request may go on now; otherwise it is kept.
    func admits(_ request: Request, arrivalNanoseconds: UInt64) -> Bool {
        if isEmpty, limit.ask(turn, bytes: UInt64(request.length)) { return true }
        requests.append(Held(request: request, arrivalNanoseconds: arrivalNanoseconds))
        return false
    }

    /// The first, if its turn has come.
    func next() -> Held? {
        guard !isEmpty, isFirstDue || turn.take() else { return nil }
        let held = requests[firstIndex]
        firstIndex += 1
        if isEmpty {
            requests.removeAll(keepingCapacity: true)
            firstIndex = 0
            isFirstDue = false
            return held
        }
        if firstIndex >= countMax {
            requests.removeFirst(firstIndex)
            firstIndex = 0
        }
        isFirstDue = limit.ask(turn, bytes: UInt64(requests[firstIndex].request.length))
        return held
    }

    /// Gives up on all.
    func removeAll() -> [Held] {
        limit.remove(turn)
        _ = turn.take()
        defer {
            requests = []
            firstIndex = 0
            isFirstDue = false
        }
        return Array(requests[firstIndex...])
    }
}
