internal import FootingSystem

// Requests that wait for their share of the bandwidth; see ``BandwidthLimit``.

extension Connection {
    /// Bounds each wait, should a wake-up ever be lost.
    private var tickMilliseconds: Int32 { min(1_000, configuration.requestTimeoutMilliseconds) }

    /// Whether nothing may be received: a payload waits in the socket, or enough requests do here.
    var isHeldBack: Bool {
        guard let held else { return false }
        return payload?.isHeld == true || held.isFull
    }

    /// Serves the requests whose turn has come.
    mutating func serveHeld(_ held: HeldRequests) {
        if link.isStopping { return refuseHeld(held) }
        while let due = held.next() {
            currentArrival = due.arrivalNanoseconds
            read(due.request)
        }
        guard held.isEmpty, var current = payload, current.isHeld else { return }
        let arrivedBytes = min(input.count, current.restBytes)
        guard held.pays(upTo: Int(current.doneBytes) + arrivedBytes) else { return }
        current.isHeld = false
        findPaidPlace(of: &current, held)
        payload = current
    }

    /// Finds out where a payload goes, once something of it is paid for: before, it takes nothing.
    private func findPaidPlace(of payload: inout Payload, _ held: HeldRequests) {
        guard held.isFirstPiece(), payload.refusal == nil else { return }
        if input.count >= payload.restBytes {
            findPlace(of: &payload)
        } else {
            findOwnPlace(of: &payload)
        }
    }

    /// Ends all of them without an answer: the peer is gone.
    mutating func abandonHeld() {
        _ = held?.removeAll()
    }

    private mutating func refuseHeld(_ held: HeldRequests) {
        for rest in held.removeAll() {
            turn.refusedRequests += 1
            currentArrival = rest.arrivalNanoseconds
            refuse(rest.request, .shutdown)
        }
        guard var current = payload, current.isPaidFor else { return }
        current.isPaidFor = false
        current.isHeld = false
        if current.refusal == nil {
            turn.refusedRequests += 1
            current.refusal = .shutdown
            current.stage = nil
        }
        payload = current
    }

    /// Answers them before the connection ends, as long as the peer and the server are there.
    mutating func finishHeld() {
        guard let held else { return }
        serveHeld(held)
        while !held.isEmpty, sendReplies() {
            if let ownReads, !ownReads.queue.isEmpty {
                awaitReads(ownReads, or: [link.wakeUp.number])
            } else {
                let ready = try? link.wakeUp.wait(
                    for: .nothing,
                    descriptor: link.socket.number,
                    timeoutMilliseconds: tickMilliseconds
                )
                // The peer did not wait for its answers.
                if ready?.contains(.descriptor) == true { return }
            }
            link.wakeUp.clear()
            serveHeld(held)
        }
    }

    /// Answers reads that have ended; if none has, waits for one or for a descriptor.
    private mutating func awaitReads(_ reads: OwnReads, or descriptors: [Int32]) {
        reads.queue.submit()
        if !collectReads() {
            reads.hasStarted = false
            reads.queue.wait(for: descriptors)
            collectReads()
        }
        dropBrokenQueue()
    }

    /// Receives, or waits until the turn of a request has come.
    ///
    /// - Returns: false at the end of the stream.
    mutating func receiveBesideHeld(_ held: HeldRequests) throws(Errno) -> Bool {
        let mayReceive = !isHeldBack
        let start = clock.nanoseconds
        if let ownReads, !ownReads.queue.isEmpty {
            let socket = mayReceive ? [link.socket.number] : []
            awaitReads(ownReads, or: [link.wakeUp.number] + socket)
        } else {
            let ready = try link.wakeUp.wait(
                for: mayReceive ? .readable : .nothing,
                descriptor: link.socket.number,
                timeoutMilliseconds: tickMilliseconds
            )
            // Nobody is left to serve.
            if ready.contains(.descriptor), !mayReceive { throw .connectionAborted }
        }
        link.wakeUp.clear()
        guard mayReceive else {
            // The time for which the server makes a client wait is not the client's.
            deadlineNanoseconds = deadlineNanoseconds.map { $0 + clock.nanoseconds - start }
            return true
        }
        do throws(Errno) {
            if payload?.isPaidFor == true { return try receivePaid(held) }
            return try receiveBytes(waits: false) > 0
        } catch {
            guard error == .again else { throw error }
            return true
        }
    }

    /// Receives of a payload what is paid for, or asks for what has arrived in the socket.
    ///
    /// - Returns: false at the end of the stream.
    private mutating func receivePaid(_ held: HeldRequests) throws(Errno) -> Bool {
        guard var current = payload else { preconditionFailure("no payload is paid for") }
        let arrivedBytes = Int(current.doneBytes) + input.count
        if held.paidBytes == arrivedBytes {
            // The end of the stream is found by receiving it, as if it were a byte.
            let present = max(try link.socket.receivableBytes(), 1)
            let piece = min(present, held.pieceBytes, Int(current.request.length) - arrivedBytes)
            guard held.pays(upTo: arrivedBytes + piece) else {
                payload?.isHeld = true
                return true
            }
        }
        findPaidPlace(of: &current, held)
        payload = current
        flushGroup = nil
        let paidBytes = held.paidBytes - arrivedBytes
        guard let stage = current.stage, input.count == 0 else {
            let count = try input.receive(atMost: paidBytes, from: link)
            timing.arrivalNanoseconds = clock.nanoseconds
            return count > 0
        }
        let start = Int(current.doneBytes)
        let target = unsafe UnsafeMutableRawBufferPointer(
            rebasing: stage.bytes[start..<start + paidBytes]
        )
        let count = try unsafe link.socket.receive(into: target, waits: false)
        advance(stage, &current, count)
        payload = current
        return count > 0
    }
}
