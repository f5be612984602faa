internal import FootingSystem

/// A write whose payload is still arriving.
struct Payload {
    let request: Request
    var doneBytes: UInt32 = 0
    /// Why the rest is read and thrown away.
    var refusal: WireError?
    /// It is paid for as it arrives: there is a limit on the bandwidth.
    var isPaidFor = false
    /// The rest stays in the socket, and what has arrived unused, until the bandwidth allows it.
    var isHeld = false
    /// Where a large write arrives as a whole.
    var stage: (any StagedPayload)?
    /// When its header was received.
    var arrivalNanoseconds: UInt64 = 0

    var restBytes: Int { Int(request.length - doneBytes) }
    var offset: UInt64 { request.offset + UInt64(doneBytes) }
}

/// Flushes that came one after the other and wait for the same thing.
final class FlushGroup: Sendable {
    /// A client that sends flushes without end gets a new group, and so comes up against the limit
    /// of pending requests.
    private static let countMax = 256

    /// A flush, or a write that is to be durable.
    struct Member: Sendable {
        let cookie: UInt64
        let request: PendingRequest?
    }

    private let members: Locked<[Member]?>

    init(_ first: Member) {
        members = Locked([first])
    }

    /// Adds a flush; false if the group was answered already, or is full.
    func join(_ member: Member) -> Bool {
        members.withLock { members in
            guard let count = members?.count, count < Self.countMax else { return false }
            members?.append(member)
            return true
        }
    }

    /// Ends the group.
    ///
    /// - Returns: whom to answer.
    func close() -> [Member] {
        members.withLock { members in
            defer { members = nil }
            return members ?? []
        }
    }
}

extension Connection {
    /// A payload larger than this goes to the disk piece by piece, as it arrives.
    private static let payloadPieceBytes = 128 << 10
    /// Up to this size a write reaches the disk as one, and so is atomic if the disk can do that.
    private static let wholePayloadBytes = 1 << 20

    /// Serves every request that is complete.
    ///
    /// - Returns: how the connection ends, if it does.
    mutating func takeRequests() -> Ending? {
        let isStopping = link.isStopping
        while true {
            if let held { serveHeld(held) }
            if let arrivalNanoseconds = payload?.arrivalNanoseconds {
                currentArrival = arrivalNanoseconds
                guard takePayload() else { return nil }
                continue
            }
            guard input.count >= Wire.requestBytes, !isHeldBack else { return nil }
            guard let request = unsafe Request(input.content.bytes) else {
                return .broken("a request without its magic number")
            }
            input.consume(Wire.requestBytes)
            turn.requests += 1
            currentArrival = timing.arrivalNanoseconds
            if request.command != Command.flush.rawValue { flushGroup = nil }
            let refusal = rules.refusal(of: request)
            if let ending = begin(request, refusal, isStopping) { return ending }
            // The client reads while the rest is served.
            if replies.totalBytes >= Self.sendThresholdBytes, !sendReplies() {
                return link.endingOfSend
            }
        }
    }

    private static var sendThresholdBytes: Int { 256 << 10 }

    private mutating func begin(
        _ request: Request,
        _ refusal: WireError?,
        _ isStopping: Bool
    ) -> Ending? {
        if request.command == Command.disconnect.rawValue, refusal == nil { return .left }
        guard request.payloadBytes <= configuration.maximumPayloadBytes else {
            refuse(request, .invalid)
            return .broken("a write of \(request.length) bytes")
        }
        let refusal = isStopping ? .shutdown : refusal
        if refusal != nil { turn.refusedRequests += 1 }
        if request.payloadBytes > 0 {
            var coming = Payload(request: request, refusal: refusal)
            coming.arrivalNanoseconds = currentArrival
            if let held, refusal == nil {
                held.beginPayload()
                coming.isPaidFor = true
                coming.isHeld = true
            } else {
                findPlace(of: &coming)
            }
            payload = coming
        } else if let refusal {
            refuse(request, refusal)
        } else {
            perform(request)
        }
        return nil
    }

    /// Whether the bandwidth allows a request now; otherwise it is kept.
    private func isAdmitted(_ request: Request) -> Bool {
        held?.admits(request, arrivalNanoseconds: currentArrival) ?? true
    }

    /// Finds out where a payload that is about to be received goes.
    func findPlace(of payload: inout Payload) {
        guard payload.refusal == nil else { return }
        let request = payload.request
        payload.stage = export.stage(at: request.offset, count: Int(request.length))
        if payload.stage == nil { findOwnPlace(of: &payload) }
    }

    /// The same, without any of the disk's own places: there are few, and it may take long.
    func findOwnPlace(of payload: inout Payload) {
        do throws(Errno) {
            payload.stage = try gathered(payload.request)
        } catch {
            // In pieces it might be torn by a crash: no write is better than that.
            payload.refusal = WireError(error)
        }
    }

    /// Writes what has arrived of the payload.
    ///
    /// - Returns: false if more must arrive first.
    private mutating func takePayload() -> Bool {
        guard var current = payload else { return true }
        if current.isHeld { return false }
        if let stage = current.stage { return takeStaged(stage, &current) }
        var byteCount = min(input.count, current.restBytes)
        let isComplete = byteCount == current.restBytes
        if !isComplete {
            guard byteCount >= Self.payloadPieceBytes || current.refusal != nil else {
                return false
            }
            // A piece ends between two blocks of the disk, or each of the two would be written
            // twice.
            let block = UInt64(offer.preferredBlockBytes)
            let end = (current.offset + UInt64(byteCount)) & ~(block - 1)
            if current.refusal == nil, end > current.offset {
                byteCount = Int(end - current.offset)
            }
            guard byteCount > 0 else { return false }
        }
        if current.refusal == nil {
            do throws(Errno) {
                let bytes = unsafe UnsafeRawBufferPointer(rebasing: input.content[..<byteCount])
                unsafe try writeBesideReads(current.offset, bytes)
            } catch {
                current.refusal = WireError(error)
            }
        }
        input.consume(byteCount)
        current.doneBytes += UInt32(byteCount)
        turn.writtenBytes += UInt64(byteCount)
        payload = isComplete ? nil : current
        if isComplete { finish(current.request, current.refusal) }
        return true
    }

    /// Where a payload that does not fit the input buffer, but is to be one write, is gathered.
    ///
    /// - Throws: `ENOMEM` where there is no memory for it.
    private func gathered(_ request: Request) throws(Errno) -> GatheredPayload? {
        let count = Int(request.length)
        guard (Self.payloadPieceBytes + 1...Self.wholePayloadBytes).contains(count) else {
            return nil
        }
        return try GatheredPayload(
            export,
            offset: request.offset,
            count: count,
            buffers: configuration.buffers
        )
    }

    /// Moves what has arrived of a staged payload to its place; the rest is received there.
    private mutating func takeStaged(_ stage: any StagedPayload, _ current: inout Payload) -> Bool {
        let byteCount = min(input.count, current.restBytes)
        if byteCount > 0 {
            let start = Int(current.doneBytes)
            let target = unsafe UnsafeMutableRawBufferPointer(
                rebasing: stage.bytes[start..<start + byteCount]
            )
            unsafe target.copyMemory(
                from: UnsafeRawBufferPointer(rebasing: input.content[..<byteCount])
            )
            input.consume(byteCount)
            advance(stage, &current, byteCount)
        }
        payload = current
        guard current.restBytes == 0 else { return false }
        payload = nil
        settleReads()
        finish(current.request, attempt { () throws(Errno) in try stage.commit() })
        return true
    }

    mutating func advance(
        _ stage: any StagedPayload,
        _ current: inout Payload,
        _ byteCount: Int
    ) {
        current.doneBytes += UInt32(byteCount)
        turn.writtenBytes += UInt64(byteCount)
        stage.didFill(Int(current.doneBytes))
    }

    /// Receives the rest of a staged payload where it belongs, instead of into the input buffer.
    ///
    /// - Returns: bytes received, 0 at the end of the stream; nil if no payload is staged.
    mutating func receiveStaged(waits: Bool) throws(Errno) -> Int? {
        guard var current = payload, let stage = current.stage, input.count == 0,
            current.restBytes > 0
        else { return nil }
        let start = Int(current.doneBytes)
        let target = unsafe UnsafeMutableRawBufferPointer(
            rebasing: stage.bytes[start..<start + current.restBytes]
        )
        let byteCount = try unsafe link.socket.receive(into: target, waits: waits)
        advance(stage, &current, byteCount)
        payload = current
        return byteCount
    }

    /// Does a request that has no payload.
    private mutating func perform(_ request: Request) {
        guard let command = Command(rawValue: request.command) else {
            return refuse(request, .invalid)
        }
        switch command {
        case .read:
            turn.readBytes += UInt64(request.length)
            if isAdmitted(request) { read(request) }
        case .flush:
            flush(request)
        case .blockStatus:
            blockStatus(request)
        case .cache:
            let export = export
            let link = link
            let pending = pending(request)
            runElsewhere(bytes: 0) {
                let error = attempt { () throws(Errno) in try export.cache(request.range) }
                pending?.end(hasFailed: error != nil)
                link.deliver(Reply.simple(request.cookie, error), finishing: 0)
            }
        case .trim:
            let export = export
            settleReads()
            finish(request, attempt { () throws(Errno) in try export.trim(request.range) })
        case .writeZeroes:
            writeZeroes(request)
        case .write, .disconnect:
            preconditionFailure("handled where the payload and the end are")
        }
    }

    private mutating func writeZeroes(_ request: Request) {
        let keepsSpace = request.flags.contains(.noHole)
        // "MUST fail quickly with NBD_ENOTSUP", before anything is changed.
        if request.flags.contains(.fastZero), !export.zeroingIsFast(keepsSpace: keepsSpace) {
            return finish(request, .notSupported)
        }
        let export = export
        settleReads()
        let error = attempt { () throws(Errno) in
            try export.writeZeroes(request.range, keepsSpace: keepsSpace)
        }
        finish(request, error)
    }

    private mutating func blockStatus(_ request: Request) {
        let limit = request.flags.contains(.requestOne) ? 1 : configuration.maximumExtents
        do throws(Errno) {
            let extents = try export.extents(request.range, limit: limit)
            guard let reply = Reply.blockStatus(request, extents) else {
                return refuse(request, .inputOutput)
            }
            queue(reply)
            answered(request, nil)
        } catch {
            refuse(request, WireError(error))
        }
    }

    /// Ends a request that changes the disk; with FUA only once that is durable.
    private mutating func finish(_ request: Request, _ error: WireError?) {
        guard error == nil, request.flags.contains(.forceUnitAccess) else {
            makeRoom(Wire.simpleReplyBytes)
            answered(request, error)
            return replies.appendSimple(request.cookie, error)
        }
        flush(request)
    }

    /// Answers once everything that was acknowledged is durable; later requests go on meanwhile.
    private mutating func flush(_ request: Request) {
        // This one was there already when the last flush began, and nothing came between them: one
        // answer holds for both.
        let member = FlushGroup.Member(cookie: request.cookie, request: pending(request))
        if let flushGroup, flushGroup.join(member) { return }
        waitForRoom(bytes: 0)
        link.begin(bytes: 0, gathers: true)
        let link = link
        let group = FlushGroup(member)
        flushGroup = group
        // Alone with its client, this thread has nothing else to do; waking another takes longer.
        let mayWait =
            input.count == 0 && payload == nil && replies.isEmpty
            && ownReads?.queue.isEmpty ?? true && held?.isEmpty ?? true
        export.flush(mayWait: mayWait) { error in
            let now = SystemClock().nanoseconds
            let message = group.close().flatMap { member in
                member.request?.end(hasFailed: error != nil, at: now)
                return Reply.simple(member.cookie, error.map(WireError.init))
            }
            link.deliver(message, finishing: 0)
        }
        link.endGathering()
    }

    /// Answers with an error, in the form that the command's replies have.
    mutating func refuse(_ request: Request, _ error: WireError) {
        let isStructured =
            request.command == Command.read.rawValue
            || request.command == Command.blockStatus.rawValue
        if session.isStructured && isStructured {
            queue(Reply.failure(request.cookie, error, offset: nil, isLast: true))
        } else {
            makeRoom(Wire.simpleReplyBytes)
            replies.appendSimple(request.cookie, error)
        }
        answered(request, error)
    }

    mutating func queue(_ message: [UInt8]) {
        makeRoom(message.count)
        replies.append(message)
    }

    /// Sends what there is if a message would not fit behind it.
    mutating func makeRoom(_ byteCount: Int) {
        guard replies.freeBytes < byteCount else { return }
        // A peer that is gone is noticed at the end of the turn; what was for it is dropped.
        _ = sendReplies()
        replies.removeAll()
    }
}

/// Runs a disk operation.
///
/// - Returns: what to answer; nil for success.
func attempt(_ body: () throws(Errno) -> Void) -> WireError? {
    do throws(Errno) {
        try body()
        return nil
    } catch {
        return WireError(error)
    }
}
