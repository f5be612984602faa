internal import FootingSystem

/// A connection's requests that wait for their share of the bandwidth, in the order they came.
///
/// Reads, which are paid for as a whole, and behind them at most one write, which is paid for as it
/// arrives: what its client has not sent yet is not paid for. Nothing is asked for before what came
/// before it has been served. For the connection's own thread.
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
    /// The first waits for its turn.
    private var isFirstAsked = false

    /// Bytes of the payload that arrives which are paid for; some may be in the socket still.
    private(set) var paidBytes = 0
    /// Those that wait for their turn.
    private var askedBytes = 0
    /// The payload was made to wait before, and counted.
    private var isPayloadCounted = false
    /// The payload has been given a place.
    private var hasPlace = false

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

    /// Whether no read waits.
    var isEmpty: Bool { firstIndex == requests.count }

    /// Whether no more are to be taken in.
    var isFull: Bool { requests.count - firstIndex >= countMax }

    /// What of a payload is paid for at a time: all of it at once, so that nothing is saved up.
    var pieceBytes: Int { limit.pieceBytes }

    /// - Returns: whether the read may go on now; otherwise it is kept.
    func admits(_ request: Request, arrivalNanoseconds: UInt64) -> Bool {
        if isEmpty {
            if limit.ask(turn, bytes: UInt64(request.length)) { return true }
            isFirstAsked = true
        }
        requests.append(Held(request: request, arrivalNanoseconds: arrivalNanoseconds))
        return false
    }

    /// The first, if its turn has come.
    func next() -> Held? {
        guard !isEmpty else { return nil }
        let held = requests[firstIndex]
        if isFirstAsked {
            guard turn.take() else { return nil }
        } else {
            guard limit.ask(turn, bytes: UInt64(held.request.length)) else {
                isFirstAsked = true
                return nil
            }
        }
        isFirstAsked = false
        firstIndex += 1
        if isEmpty {
            requests.removeAll(keepingCapacity: true)
            firstIndex = 0
        } else if firstIndex >= countMax {
            requests.removeFirst(firstIndex)
            firstIndex = 0
        }
        return held
    }

    /// Gives up on all.
    func removeAll() -> [Held] {
        limit.remove(turn)
        _ = turn.take()
        defer {
            requests = []
            firstIndex = 0
            isFirstAsked = false
            askedBytes = 0
        }
        return Array(requests[firstIndex...])
    }
}

// MARK: - A write's payload

extension HeldRequests {
    /// A payload begins to arrive; nothing of it is paid for.
    func beginPayload() {
        precondition(askedBytes == 0, "the payload before it still waits")
        paidBytes = 0
        isPayloadCounted = false
        hasPlace = false
    }

    /// Pays for the payload; only while no read waits.
    ///
    /// - Returns: whether so much of it is paid for; otherwise its turn will come.
    func pays(upTo byteCount: Int) -> Bool {
        if askedBytes > 0 {
            guard turn.take() else { return false }
            paidBytes += askedBytes
            askedBytes = 0
        }
        let bytes = byteCount - paidBytes
        guard bytes > 0 else { return true }
        if limit.ask(turn, bytes: UInt64(bytes), counts: !isPayloadCounted) {
            paidBytes = byteCount
            return true
        }
        askedBytes = bytes
        isPayloadCounted = true
        return false
    }

    /// Whether something of the payload is paid for, for the first time; says so once.
    func isFirstPiece() -> Bool {
        guard paidBytes > 0, !hasPlace else { return false }
        hasPlace = true
        return true
    }
}
