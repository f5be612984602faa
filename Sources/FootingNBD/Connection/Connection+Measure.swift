internal import FootingSystem

/// What a connection's own thread has answered and not sent yet.
///
/// What came in one piece began at one time, and all that is sent in one piece ends at one time:
/// the clock is read twice per turn, however many requests there are.
struct TurnTiming {
    /// When the requests of this turn were received.
    var arrivalNanoseconds: UInt64 = 0
    /// By kind; those of one turn only.
    private var answered: [AnsweredRequests?] = RequestKind.allCases.map { _ in nil }
    private(set) var isEmpty = true

    mutating func add(_ request: AnsweredRequests) {
        isEmpty = false
        let index = request.kind.index
        guard var sum = answered[index] else { return answered[index] = request }
        sum.count += request.count
        sum.bytes += request.bytes
        sum.errors += request.errors
        answered[index] = sum
    }

    /// Hands over what there is, and forgets it.
    mutating func settle(_ body: (AnsweredRequests) -> Void) {
        for index in answered.indices {
            guard let requests = answered[index] else { continue }
            answered[index] = nil
            body(requests)
        }
        isEmpty = true
    }
}

// Measuring how long requests take.
extension Connection {
    /// Counts the request at hand, which this thread has answered: it ends when that is sent.
    mutating func answered(_ request: Request, _ error: WireError?) {
        guard currentArrival == timing.arrivalNanoseconds else {
            // It began in an earlier turn.
            pending(request)?.end(hasFailed: error != nil)
            return
        }
        guard let answered = AnsweredRequests(request, hasFailed: error != nil) else { return }
        timing.add(answered)
    }

    /// Counts what is about to be sent.
    mutating func settleTiming() {
        if timing.isEmpty { return }
        let elapsed = clock.nanoseconds &- timing.arrivalNanoseconds
        let (counters, connection) = (counters, link.identifier)
        timing.settle { requests in
            counters.meter.record(requests, nanoseconds: elapsed, connection: connection)
        }
    }
}

/// A request that ends later, or on another thread.
struct PendingRequest: Sendable {
    let kind: RequestKind
    let bytes: UInt64
    let arrivalNanoseconds: UInt64
    let connection: UInt64
    let counters: Counters

    /// Counts it as answered now.
    func end(hasFailed: Bool, at nanoseconds: UInt64 = SystemClock().nanoseconds) {
        counters.meter.record(
            AnsweredRequests(kind, bytes: bytes, hasFailed: hasFailed),
            nanoseconds: nanoseconds &- arrivalNanoseconds,
            connection: connection
        )
    }
}

extension Connection {
    /// The request at hand, to be counted by whoever answers it; nil for what is not measured.
    func pending(_ request: Request) -> PendingRequest? {
        RequestKind(request.command).map { kind in
            PendingRequest(
                kind: kind,
                bytes: UInt64(request.length),
                arrivalNanoseconds: currentArrival,
                connection: link.identifier,
                counters: counters
            )
        }
    }
}
