internal import FootingSystem

// Requests that wait for their share of the bandwidth; see ``BandwidthLimit``.

extension Connection {
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
            guard due.request.payloadBytes > 0, var current = payload else {
                read(due.request)
                continue
            }
            current.isHeld = false
            findPlace(of: &current)
            payload = current
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
            if rest.request.payloadBytes > 0 {
                payload?.isHeld = false
                payload?.refusal = .shutdown
            } else {
                refuse(rest.request, .shutdown)
            }
        }
    }

    /// Answers them before the connection ends, as long as the peer and the server are there.
    mutating func finishHeld() {
        guard let held else { return }
        serveHeld(held)
        while !held.isEmpty, sendReplies() {
            settleReads()
            let ready = try? link.wakeUp.wait(
                for: .nothing,
                descriptor: link.socket.number,
                timeoutMilliseconds: 1_000
            )
            // The peer did not wait for its answers.
            if ready?.contains(.descriptor) == true { return }
            link.wakeUp.clear()
            serveHeld(held)
        }
    }

    /// Receives, or waits until the turn of a request has come.
    ///
    /// - Returns: false at the end of the stream.
    mutating func receiveBesideHeld() throws(Errno) -> Bool {
        let mayReceive = !isHeldBack
        if let ownReads, !ownReads.queue.isEmpty {
            ownReads.queue.submit()
            if !collectReads() {
                let socket = mayReceive ? [link.socket.number] : []
                ownReads.hasStarted = false
                ownReads.queue.wait(for: [link.wakeUp.number] + socket)
                collectReads()
            }
            dropBrokenQueue()
        } else {
            // Bounded, should a wake-up ever be lost.
            let ready = try link.wakeUp.wait(
                for: mayReceive ? .readable : .nothing,
                descriptor: link.socket.number,
                timeoutMilliseconds: 1_000
            )
            // Nobody is left to serve.
            if ready.contains(.descriptor), !mayReceive { throw .connectionAborted }
        }
        link.wakeUp.clear()
        guard mayReceive else { return true }
        do throws(Errno) {
            return try receiveBytes(waits: false) > 0
        } catch {
            guard error == .again else { throw error }
            return true
        }
    }
}
