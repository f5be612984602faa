internal import FootingSystem

// Reads: at once if the disk has the data in memory, on another thread if not.

extension Connection {
    /// Large structured replies are made of chunks of this size: the first is on its way while the
    /// next is read, and waiting reads run side by side.
    private static var chunkBytes: Int { 256 << 10 }

    mutating func read(_ request: Request) {
        let length = Int(request.length)
        let isWhole = !session.isStructured || request.flags.contains(.dontFragment)
        if session.isStructured, !isWhole {
            readChunks(request)
        } else if length <= ReplyArena.maximumDataBytes {
            let frame = DataFrame(
                cookie: request.cookie,
                isStructured: session.isStructured,
                isLast: true,
                offset: request.offset,
                dataBytes: length
            )
            if let ownReads { return read(frame, of: request, nil, by: ownReads) }
            read(frame, of: request, ticket: nil)
        } else if session.isStructured {
            // "NBD_EOVERFLOW … if the server is able to perform the read in fragments".
            refuse(request, .overflow)
        } else {
            stream(request)
        }
    }

    private mutating func readChunks(_ request: Request) {
        var offset = request.offset
        let end = request.range.upperBound
        let chunkSize = UInt64(Self.chunkBytes)
        let chunkCount = Int((end + chunkSize - 1) / chunkSize - offset / chunkSize)
        let reply =
            ownReads == nil || chunkCount == 1
            ? nil : ChunkedReply(pending(request), chunkCount: chunkCount)
        var ticket: ReadTicket?
        while offset < end {
            // Chunks end at multiples of their size, so that none crosses a block of the disk.
            let stop = min((offset / chunkSize + 1) * chunkSize, end)
            let isOnly = chunkCount == 1
            let frame = DataFrame(
                cookie: request.cookie,
                isStructured: true,
                isLast: isOnly,
                offset: offset,
                dataBytes: Int(stop - offset)
            )
            offset = stop
            if let ownReads {
                read(frame, of: request, reply, by: ownReads)
                continue
            }
            if !isOnly, ticket == nil { ticket = ReadTicket(pending(request)) }
            if replies.count >= Self.chunkBytes { makeRoom(replies.freeBytes + 1) }
            read(frame, of: request, ticket: ticket)
        }
        guard let ticket else { return }
        // The reply's end must come after its chunks. Without the help of other threads all of them
        // are in the arena. With it, some may be in the link's queue, and join the arena behind
        // what is there already: the arena goes first, and the end through the queue.
        guard ticket.isShared else {
            queue(Reply.end(request.cookie))
            return answered(request, ticket.hasFailed ? .inputOutput : nil)
        }
        makeRoom(replies.freeBytes + 1)
        if ticket.finishOne() { link.deliver(Reply.end(request.cookie), finishing: nil) }
    }

    /// Reads one frame, now or elsewhere.
    private mutating func read(_ frame: DataFrame, of request: Request, ticket: ReadTicket?) {
        makeRoom(frame.messageBytes)
        do throws(Errno) {
            let data = unsafe replies.data(of: frame)
            if unsafe try export.readWithoutWaiting(at: frame.offset, into: data) {
                if ticket == nil { answered(request, nil) }
                return replies.commit(frame)
            }
        } catch {
            queue(frame.failure(WireError(error)))
            guard let ticket else { return answered(request, WireError(error)) }
            return ticket.fail()
        }
        ticket?.startOne()
        turn.waitingReads += 1
        let export = export
        let link = link
        let pending = ticket == nil ? pending(request) : nil
        runElsewhere(bytes: frame.messageBytes) {
            let (reply, hasFailed) = frame.read(from: export)
            if hasFailed { ticket?.fail() }
            guard let ticket else {
                pending?.end(hasFailed: hasFailed)
                return link.deliver(reply, finishing: frame.messageBytes)
            }
            // The request lasts until its end is on its way, or the connection could leave before.
            link.deliver(reply, finishing: nil)
            if ticket.finishOne() {
                link.deliver(Reply.end(frame.cookie), finishing: frame.messageBytes)
            } else {
                link.finish(bytes: frame.messageBytes)
            }
        }
    }

    /// A read too long for memory, answered by a simple reply, which cannot take back its promise
    /// of success: an error after the header ends the connection, as the protocol demands.
    ///
    /// It is sent in parts, between which no other reply may come: those under way go first.
    private mutating func stream(_ request: Request) {
        settleReads()
        collectReads()
        while sendReplies(), !link.isDrained() { waitForOthers() }
        var frame = DataFrame(
            cookie: request.cookie,
            isStructured: false,
            isLast: true,
            offset: request.offset,
            dataBytes: Self.chunkBytes
        )
        var isFirst = true
        while frame.offset < request.range.upperBound {
            makeRoom(ReplyArena.maximumDataBytes)
            frame.dataBytes = min(frame.dataBytes, Int(request.range.upperBound - frame.offset))
            do throws(Errno) {
                let data =
                    unsafe isFirst ? replies.data(of: frame) : replies.moreData(frame.dataBytes)
                unsafe try export.read(at: frame.offset, into: data)
            } catch {
                if isFirst { return refuse(request, WireError(error)) }
                return link.cut()
            }
            if isFirst {
                replies.commit(frame)
            } else {
                replies.commitMoreData(frame.dataBytes)
            }
            isFirst = false
            frame.offset += UInt64(frame.dataBytes)
        }
        answered(request, nil)
    }

    /// Runs a job that waits for the disk on another thread, or here if all are busy.
    mutating func runElsewhere(bytes: Int, _ job: @escaping @Sendable () -> Void) {
        waitForRoom(bytes: bytes)
        link.begin(bytes: bytes)
        if !pool.submit(job) { job() }
    }

    /// Waits until few enough requests of this connection are under way.
    mutating func waitForRoom(bytes: Int) {
        while !link.hasRoom(
            bytes: bytes,
            maximumRequests: configuration.maximumPendingRequests,
            maximumBytes: configuration.maximumPendingBytes
        ) {
            _ = sendReplies()
            // What was queued may have been all that took the room: nobody would wake this thread.
            if link.hasRoom(
                bytes: bytes,
                maximumRequests: configuration.maximumPendingRequests,
                maximumBytes: configuration.maximumPendingBytes
            ) {
                return
            }
            waitForOthers()
        }
    }
}

/// Counts the chunks of a read that are not sent yet; the last one sends the reply's end.
final class ReadTicket: Sendable {
    private struct State {
        /// One more than the chunks under way, until all were started.
        var rest = 1
        var isShared = false
        var hasFailed = false
    }

    private let request: PendingRequest?
    private let state = Locked(State())

    init(_ request: PendingRequest?) {
        self.request = request
    }

    func startOne() {
        state.withLock { state in
            state.rest += 1
            state.isShared = true
        }
    }

    /// Whether chunks are, or were, under way on other threads.
    var isShared: Bool { state.withLock { $0.isShared } }

    /// A chunk could not be read.
    func fail() { state.withLock { $0.hasFailed = true } }

    var hasFailed: Bool { state.withLock { $0.hasFailed } }

    /// - Returns: whether nothing is left; the request is counted then.
    func finishOne() -> Bool {
        let (isLast, hasFailed) = state.withLock { state in
            state.rest -= 1
            return (state.rest == 0, state.hasFailed)
        }
        if isLast { request?.end(hasFailed: hasFailed) }
        return isLast
    }
}

extension DataFrame {
    /// Reads, waiting as long as it takes, and makes a message of it.
    func read(from export: any Export) -> (message: [UInt8], hasFailed: Bool) {
        var failed: WireError?
        let message = unsafe [UInt8](unsafeUninitializedCapacity: messageBytes) { bytes, count in
            let whole = UnsafeMutableRawBufferPointer(bytes)
            failed = attempt { () throws(Errno) in
                let data = unsafe UnsafeMutableRawBufferPointer(
                    rebasing: whole[headerBytes..<messageBytes]
                )
                unsafe try export.read(at: offset, into: data)
                unsafe storeHeader(whole)
            }
            count = failed == nil ? messageBytes : 0
        }
        return (failed.map(failure) ?? message, failed != nil)
    }

    /// The message that says that this part could not be read.
    func failure(_ error: WireError) -> [UInt8] {
        isStructured
            ? Reply.failure(cookie, error, offset: offset, isLast: isLast)
            : Reply.simple(cookie, error)
    }
}
