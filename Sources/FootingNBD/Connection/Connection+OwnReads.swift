internal import FootingSystem

/// Reads that a connection's own thread has sent to the device, and what is to be answered.
final class OwnReads {
    struct Read {
        var frame: DataFrame
        let reply: ChunkedReply?
        /// The request, if this is all of it.
        let request: PendingRequest?
        let data: ReadBuffer

        /// Counts it, and says in its frame whether it is the last of the request.
        mutating func end(hasFailed: Bool) {
            frame.isLast = reply?.finishOne(hasFailed: hasFailed) ?? true
            request?.end(hasFailed: hasFailed)
        }
    }

    let queue: any ExportReadQueue
    private var reads: [Read?] = []
    private var free: [UInt64] = []
    /// Reads were started since the thread last waited.
    var hasStarted = false
    private var unsubmittedCount = 0

    /// Few, since a device that gets all of a client's reads at once ends them at once.
    ///
    /// The client then sends its next ones at once too, and while one side works the other waits.
    /// Two spare some of the calls (measured).
    private static let submittedTogether = 2

    /// Notes that a read was started, and sends some off before the others are prepared.
    func didStart() {
        hasStarted = true
        unsubmittedCount += 1
        if unsubmittedCount == Self.submittedTogether {
            queue.submit()
            unsubmittedCount = 0
        }
    }

    init(_ queue: any ExportReadQueue) {
        self.queue = queue
    }

    /// Keeps a read under a token.
    func keep(_ read: Read) -> UInt64 {
        if let token = free.popLast() {
            reads[Int(token)] = read
            return token
        }
        reads.append(read)
        return UInt64(reads.count - 1)
    }

    func take(_ token: UInt64) -> Read {
        guard let read = reads[Int(token)] else { preconditionFailure("a read ended twice") }
        reads[Int(token)] = nil
        free.append(token)
        return read
    }

    /// Reads under way.
    var count: Int { reads.count - free.count }
}

/// Counts the chunks of a structured reply; the last one to be queued says that it is the last.
final class ChunkedReply {
    private let request: PendingRequest?
    private var rest: Int
    private var hasFailed = false

    init(_ request: PendingRequest?, chunkCount: Int) {
        self.request = request
        rest = chunkCount
    }

    /// - Returns: whether this was the last; the request is counted then.
    func finishOne(hasFailed: Bool) -> Bool {
        self.hasFailed = self.hasFailed || hasFailed
        rest -= 1
        if rest == 0 { request?.end(hasFailed: self.hasFailed) }
        return rest == 0
    }
}

extension Connection {
    /// A read of up to this size is looked for in memory first, and copied from there.
    private static var copiedBytesMax: Int { 16 << 10 }

    /// Reads one frame: now if it is in memory, otherwise while this thread goes on.
    mutating func read(
        _ frame: DataFrame,
        of request: Request,
        _ reply: ChunkedReply?,
        by reads: OwnReads
    ) {
        var frame = frame
        do throws(Errno) {
            if frame.dataBytes <= Self.copiedBytesMax {
                makeRoom(frame.messageBytes)
                let data = unsafe replies.data(of: frame)
                if unsafe try export.readWithoutWaiting(at: frame.offset, into: data) {
                    end(&frame, of: request, reply, nil)
                    return replies.commit(frame)
                }
            }
            waitForReads(frame.dataBytes, reads)
            let data = try replies.readBuffers.take(frame.dataBytes)
            let whole = reply == nil ? pending(request) : nil
            let token = reads.keep(.init(frame: frame, reply: reply, request: whole, data: data))
            do throws(Errno) {
                let isUnderWay = unsafe try reads.queue.start(
                    at: frame.offset,
                    into: data.bytes,
                    owner: data,
                    token: token
                )
                guard isUnderWay else { return finish(reads.take(token), nil) }
                reads.didStart()
                turn.waitingReads += 1
            } catch {
                _ = reads.take(token)
                replies.readBuffers.giveBack(data)
                throw error
            }
        } catch {
            end(&frame, of: request, reply, WireError(error))
            queue(frame.failure(WireError(error)))
        }
    }

    /// Counts a frame that is answered at once.
    private mutating func end(
        _ frame: inout DataFrame,
        of request: Request,
        _ reply: ChunkedReply?,
        _ error: WireError?
    ) {
        guard let reply else { return answered(request, error) }
        frame.isLast = reply.finishOne(hasFailed: error != nil)
    }

    /// Answers a read that has ended.
    private mutating func finish(_ read: OwnReads.Read, _ error: Errno?) {
        var read = read
        read.end(hasFailed: error != nil)
        if let error {
            // Not used again: the disk may have given up on a device that has not.
            replies.readBuffers.forget(read.data)
            return queue(read.frame.failure(WireError(error)))
        }
        makeRoom(read.frame.headerBytes)
        replies.append(read.frame, read.data)
    }

    /// Answers all reads that have ended.
    ///
    /// - Returns: whether there were any.
    @discardableResult
    mutating func collectReads() -> Bool {
        guard let ownReads else { return false }
        var hasEnded = false
        while let (token, error) = ownReads.queue.next() {
            finish(ownReads.take(token), error)
            hasEnded = true
        }
        return hasEnded
    }

    /// Leaves reads to other threads once a queue has broken and nothing of it is left.
    mutating func dropBrokenQueue() {
        guard let reads = ownReads, reads.queue.isBroken, reads.queue.isEmpty else { return }
        ownReads = nil
        configuration.log("a connection's io_uring has failed: its reads go by threads now")
    }

    /// Waits until another read may be sent to the device.
    private mutating func waitForReads(_ byteCount: Int, _ reads: OwnReads) {
        while reads.count >= configuration.maximumPendingRequests
            || (replies.readBuffers.usedBytes > 0
                && replies.readBuffers.usedBytes + byteCount > configuration.maximumPendingBytes)
        {
            if !replies.isEmpty {
                // A peer that is gone is noticed at the end of the turn.
                _ = sendReplies()
                replies.removeAll()
            } else {
                reads.queue.wait(for: [])
                collectReads()
            }
        }
    }

    /// Waits for all reads of this thread: before it waits for anything else.
    mutating func settleReads() {
        ownReads?.queue.settle()
    }

    /// Ends the reads of a connection whose peer is gone: nobody is told.
    func abandonReads() {
        guard let ownReads else { return }
        ownReads.queue.settle()
        while let (token, error) = ownReads.queue.next() {
            var read = ownReads.take(token)
            read.end(hasFailed: error != nil)
        }
    }

    /// Sends what there is; before it waits for the peer, no read is under way.
    ///
    /// - Returns: false if the peer is gone.
    mutating func sendReplies() -> Bool {
        settleTiming()
        let reads = ownReads
        return link.send(&replies) { reads?.queue.settle() }
    }

    /// Receives, or answers reads that have ended.
    ///
    /// - Returns: false at the end of the stream.
    mutating func receiveBesideReads(_ reads: OwnReads) throws(Errno) -> Bool {
        if !reads.hasStarted {
            // What has ended may have led to more reads, and as long as the socket has something
            // nobody waits for either.
            reads.queue.submit()
            if collectReads() {
                dropBrokenQueue()
                return true
            }
            do throws(Errno) {
                return try receiveBytes(waits: false) > 0
            } catch {
                guard error == .again else { throw error }
            }
        }
        reads.hasStarted = false
        // Other threads only have something to say while they do something for this connection.
        let isQuiet = link.isQuiet
        var descriptors = [link.socket.number]
        if !isQuiet { descriptors.append(link.wakeUp.number) }
        // The processor's time that this takes is lost where a device has one read at a time.
        let mayPoll = isQuiet && reads.count > 1 && readPoll.isEnabled
        let start = mayPoll ? clock.nanoseconds : 0
        if mayPoll, let limit = readPoll.nanoseconds, pollingPlaces.take() {
            defer { pollingPlaces.giveBack() }
            if let isOpen = try poll(reads, from: start, nanoseconds: limit) { return isOpen }
        }
        reads.queue.wait(for: descriptors)
        if mayPoll { readPoll.slept(clock.nanoseconds &- start) }
        if !isQuiet { link.wakeUp.clear() }
        collectReads()
        dropBrokenQueue()
        return true
    }

    /// Looks for reads that have ended and for more requests, over and over.
    ///
    /// - Returns: false at the end of the stream, nil if nothing came.
    private mutating func poll(
        _ reads: OwnReads,
        from start: UInt64,
        nanoseconds limit: UInt64
    ) throws(Errno) -> Bool? {
        repeat {
            reads.queue.submit()
            if collectReads() {
                readPoll.polled(didPay: true)
                dropBrokenQueue()
                return true
            }
            do throws(Errno) {
                let isOpen = try receiveBytes(waits: false) > 0
                readPoll.polled(didPay: true)
                return isOpen
            } catch {
                guard error == .again else { throw error }
            }
        } while clock.nanoseconds &- start < limit
        readPoll.polled(didPay: false)
        return nil
    }

    /// Writes, but does not wait while reads are under way.
    func writeBesideReads(_ offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        if let ownReads, !ownReads.queue.isEmpty {
            if unsafe try export.writeWithoutWaiting(at: offset, bytes) { return }
            ownReads.queue.settle()
        }
        unsafe try export.write(at: offset, bytes)
    }
}
