internal import FootingSystem

/// How a connection ended.
enum Ending: Equatable, Sendable {
    /// The client said goodbye, or the server stops.
    case left
    /// The client closed the socket where it may.
    case closed
    /// The client broke the protocol or a time limit; why, for the log.
    case broken(String)
}

/// One connection, on its own thread: parses every request it has received, does the cheap ones,
/// hands on the slow ones, and answers all that are done with one call.
struct Connection: ~Copyable {
    let link: Link
    /// The server's own export, unless the client chooses another.
    private(set) var export: any Export
    private(set) var offer: Offer
    private let others: (any ExportSource)?
    let configuration: Configuration
    let pool: ReaderPool
    let counters: Counters
    let clock = SystemClock()

    var session = Session()
    var rules: RequestRules
    var input: ReceiveBuffer
    var replies: ReplyArena
    var turn = Statistics()
    /// Reads that this thread waits for among other things; nil where others wait for them.
    var ownReads: OwnReads?
    /// Requests that wait for their share of the bandwidth; nil where there is no limit.
    let held: HeldRequests?
    var timing = TurnTiming()
    /// When the request that is being handled was received.
    var currentArrival: UInt64 = 0
    /// A write whose payload is still arriving.
    var payload: Payload?
    /// The last flush, as long as nothing else came after it, and only for what was received
    /// before it began.
    var flushGroup: FlushGroup?
    /// When the request that is half there must be complete.
    var deadlineNanoseconds: UInt64?
    private var isIdle = false
    /// How much sense it makes to wait without sleeping.
    var busyPoll: BusyPoll
    /// The same, while reads are under way.
    var readPoll: BusyPoll
    let pollingPlaces: PollingPlaces
    /// Whether all that was served last was a single read.
    var wasLoneRead = false
    private static let refusalTimeoutMilliseconds: Int32 = 2_000

    /// - Throws: `ENOMEM` where there is no memory for its buffers.
    init(
        link: Link,
        export: any Export,
        others: (any ExportSource)?,
        configuration: Configuration,
        pool: ReaderPool,
        pollingPlaces: PollingPlaces,
        counters: Counters,
        bandwidth: BandwidthLimit? = nil
    ) throws(Errno) {
        // Both, or neither.
        let input = try ReceiveBuffer(configuration.buffers)
        let replies = try ReplyArena(
            configuration.buffers,
            readBytesMax: configuration.maximumPendingBytes
        )
        self.input = input
        self.replies = replies
        self.link = link
        self.export = export
        self.others = others
        self.configuration = configuration
        self.pool = pool
        self.pollingPlaces = pollingPlaces
        busyPoll = BusyPoll(limitNanoseconds: configuration.busyPollNanoseconds)
        readPoll = busyPoll
        self.counters = counters
        held = bandwidth.map { limit in
            HeldRequests(
                limit,
                connection: link.identifier,
                countMax: configuration.maximumPendingRequests,
                wakeUp: { link.wakeUp.set() }
            )
        }
        offer = Offer(export, maximumPayloadBytes: configuration.maximumPayloadBytes)
        rules = RequestRules(offer: offer, session: session)
    }

    /// Serves the client until it is gone.
    ///
    /// - Parameter refusal: why it is not served; it is told so in the handshake.
    mutating func run(refusing refusal: String? = nil) -> Ending {
        var ending = handshake(refusal)
        if ending == nil {
            ending = serve()
            abandonHeld()
            abandonReads()
            counters.add(&turn)
        }
        // Nobody reads what is left; a send that waits elsewhere ends too.
        link.cut()
        return ending ?? .left
    }
}

// MARK: - Handshake

extension Connection {
    /// - Returns: nil once the requests follow.
    private mutating func handshake(_ refusal: String?) -> Ending? {
        // Who is refused has little to say, and takes the place of another who is.
        let longest = configuration.handshakeTimeoutMilliseconds
        let limit = refusal == nil ? longest : min(longest, Self.refusalTimeoutMilliseconds)
        let deadline = clock.nanoseconds + UInt64(limit) * 1_000_000
        var negotiation = Handshake(
            offer: offer,
            others: others,
            maximumOptionBytes: configuration.maximumOptionBytes,
            maximumOptions: configuration.maximumOptions,
            refusal: refusal
        )
        do throws(Errno) {
            try link.socket.setTimeouts(receiveMilliseconds: limit, sendMilliseconds: limit)
        } catch {
            return .broken("cannot set the socket's time limits: \(error)")
        }
        replies.append(Handshake.greeting)
        while true {
            var answers: [UInt8] = []
            let outcome = unsafe negotiation.step(input.content.bytes, replies: &answers)
            if !answers.isEmpty, !say(answers) { return link.endingOfSend }
            switch outcome {
            case .needs(let byteCount):
                guard link.send(&replies) else { return link.endingOfSend }
                if let ending = collect(byteCount, until: deadline) { return ending }
            case .consumed(let byteCount):
                input.consume(byteCount)
            case .ready(let byteCount, let session):
                input.consume(byteCount)
                self.session = session
                if let chosen = negotiation.chosen { (export, offer) = chosen }
                rules = RequestRules(offer: offer, session: session)
                return link.send(&replies) ? nil : link.endingOfSend
            case .close(let reason):
                _ = link.send(&replies)
                return reason == Handshake.goodbye ? .left : .broken(reason)
            }
        }
    }

    private mutating func say(_ answers: [UInt8]) -> Bool {
        if replies.freeBytes < answers.count, !link.send(&replies) { return false }
        replies.append(answers)
        return true
    }

    private mutating func collect(_ byteCount: Int, until deadline: UInt64) -> Ending? {
        while input.count < byteCount {
            let now = clock.nanoseconds
            guard now < deadline else { return .broken("the handshake took too long") }
            let milliseconds = Int32((deadline - now) / 1_000_000 + 1)
            do throws(Errno) {
                let ready = try link.wakeUp.wait(
                    for: .readable,
                    descriptor: link.socket.number,
                    timeoutMilliseconds: milliseconds
                )
                if link.isStopping { return .left }
                guard ready.contains(.descriptor) else { continue }
                guard try input.receive(from: link, waits: false) > 0 else { return .closed }
            } catch {
                guard error == .again else { return .closed }
            }
        }
        return nil
    }
}

// MARK: - Transmission

extension Connection {
    private mutating func serve() -> Ending {
        let tick = min(configuration.idleMilliseconds, configuration.requestTimeoutMilliseconds)
        // By this thread, which is the one to use it.
        ownReads = export.makeReadQueue().map { OwnReads($0) }
        do throws(Errno) {
            try link.socket.setTimeouts(
                receiveMilliseconds: tick,
                sendMilliseconds: configuration.replyTimeoutMilliseconds
            )
        } catch {
            return .broken("cannot set the socket's time limits: \(error)")
        }
        timing.arrivalNanoseconds = clock.nanoseconds
        while true {
            let requestsBefore = turn.requests
            let start = deadlineNanoseconds == nil ? 0 : clock.nanoseconds
            if let ending = takeRequests() {
                return leave(ending)
            }
            let hasProgress = turn.requests > requestsBefore
            wasLoneRead = turn.requests == 1 && turn.readBytes > 0
            // The time that the disk took is not the client's.
            deadlineNanoseconds = deadlineNanoseconds.map { $0 + clock.nanoseconds - start }
            counters.add(&turn)
            guard sendReplies() else { return link.endingOfSend }
            watch(hasProgress)
            do throws(Errno) {
                guard try receive() else { return leave(endOfStream()) }
            } catch {
                guard error == .again else {
                    return .closed
                }
                if let ending = pause() { return ending }
            }
        }
    }

    private func endOfStream() -> Ending {
        if link.isStopping { return .left }
        return hasPartialRequest ? .broken("the connection ended within a request") : .closed
    }

    private var hasPartialRequest: Bool { payload != nil || input.count > 0 }

    /// Keeps the deadline of the request that is half there.
    private mutating func watch(_ hasProgress: Bool) {
        guard hasPartialRequest else {
            deadlineNanoseconds = nil
            return
        }
        guard !isHeldBack else {
            // One that waits half-way has as long as before when it goes on.
            if hasProgress { deadlineNanoseconds = nil }
            return
        }
        guard deadlineNanoseconds == nil || hasProgress else { return }
        let limit = UInt64(configuration.requestTimeoutMilliseconds) * 1_000_000
        deadlineNanoseconds = clock.nanoseconds + limit
    }

    private var isLate: Bool { deadlineNanoseconds.map { clock.nanoseconds > $0 } ?? false }

    /// Waits for more of the client's requests.
    ///
    /// - Returns: false at the end of the stream.
    /// - Throws: `EAGAIN` after a while without any.
    private mutating func receive() throws(Errno) -> Bool {
        if isLate { throw .again }
        if let held, !held.isEmpty || payload?.isPaidFor == true {
            return try receiveBesideHeld(held)
        }
        if let ownReads, !ownReads.queue.isEmpty { return try receiveBesideReads(ownReads) }
        // While a slow request is under way its thread may want this one to send, and says so by
        // the event. Otherwise the socket is all there is to wait for, in a single call.
        guard isIdle || !link.isQuiet else {
            return try receiveNext()
        }
        let limit = isIdle ? -1 : configuration.idleMilliseconds
        let ready = try link.wakeUp.wait(
            for: .readable,
            descriptor: link.socket.number,
            timeoutMilliseconds: limit
        )
        isIdle = false
        if ready.contains(.event) { link.wakeUp.clear() }
        guard ready.contains(.descriptor) else {
            if ready.isEmpty { throw .again }
            return true
        }
        return try receiveBytes(waits: false) > 0
    }

    mutating func receiveBytes(waits: Bool) throws(Errno) -> Int {
        // A flush that is yet to come may follow a write of another connection that the flush
        // under way does not cover.
        flushGroup = nil
        if let count = try receiveStaged(waits: waits) { return count }
        let count = try input.receive(from: link, waits: waits)
        timing.arrivalNanoseconds = clock.nanoseconds
        return count
    }

    /// Nothing came for a while: a request that is late ends the connection, and one that does not
    /// wait for anything gives its memory back.
    private mutating func pause() -> Ending? {
        if isLate { return .broken("a request did not arrive in time") }
        if !hasPartialRequest, replies.isEmpty, link.isQuiet {
            input.discard()
            replies.discard()
            isIdle = true
        }
        return nil
    }

    /// Answers what is under way before the connection ends.
    private mutating func leave(_ ending: Ending) -> Ending {
        counters.add(&turn)
        if ending == .left { finishHeld() }
        settleReads()
        collectReads()
        while sendReplies(), !link.isDrained() {
            waitForOthers()
        }
        return ending
    }

    /// Waits until another thread has finished a request of this connection.
    mutating func waitForOthers() {
        settleReads()
        // A tick bounds the wait, should a wake-up ever be lost.
        _ = try? link.wakeUp.wait(for: .nothing, descriptor: -1, timeoutMilliseconds: 1_000)
        link.wakeUp.clear()
    }
}
