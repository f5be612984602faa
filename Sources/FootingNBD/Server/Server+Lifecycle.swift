internal import FootingSystem

extension Server {
    /// Takes connections in until the server stops.
    func acceptAll() {
        while true {
            let (listeners, isStopping) = state.withLock { ($0.listeners, $0.isStopping) }
            if isStopping { break }
            if listeners.count <= 1 {
                acceptOne(listeners.first, timeoutMilliseconds: -1)
            } else {
                // Few listen on several sockets; those pay with a short look at each in turn.
                for listener in listeners { acceptOne(listener, timeoutMilliseconds: 10) }
            }
        }
        state.withLock { $0.isAccepting = false }
        state.wakeAll()
    }

    private func acceptOne(_ listener: Listener?, timeoutMilliseconds: Int32) {
        do throws(Errno) {
            let ready = try stopEvent.wait(
                for: .readable,
                descriptor: listener?.descriptor.number ?? -1,
                timeoutMilliseconds: timeoutMilliseconds
            )
            if ready.contains(.event) { stopEvent.clear() }
            guard ready.contains(.descriptor), let listener else { return }
            let socket = try Socket.accept(listener.descriptor)
            do throws(NBDError) {
                try serve(socket)
            } catch {
                // Said already, and less often.
                if error.kind != .connectionRefused { log(error.description) }
            }
        } catch {
            guard error != .again, error != .connectionAborted else { return }
            // No descriptor or no memory is left: those who are connected may leave some.
            log("NBD connections wait: \(error)")
            _ = try? stopEvent.wait(for: .nothing, descriptor: -1, timeoutMilliseconds: 100)
        }
    }

    /// Does something while no client is connected; those who come meanwhile wait.
    ///
    /// - Returns: nil, and nothing was done, if there are clients.
    public func withoutClients<Result, Failure>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        let isAlone = state.withLock { state in
            guard state.servedCount == 0, !state.isHeld else { return false }
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

    /// Ends the server in order; a second call does nothing.
    ///
    /// No new connections, no new requests, an answer to those under way, everything durable, and
    /// the socket's file removed.
    ///
    /// Requests that arrive meanwhile are answered with `NBD_ESHUTDOWN`.
    ///
    /// - Parameter limit: how long clients may take to read their answers, and then how long the
    ///   flush may take.
    /// - Throws: ``NBDError/Kind/flushFailed`` or ``NBDError/Kind/deadlinePassed`` if acknowledged
    ///   writes may not be durable or a connection could not be ended.
    public func stop(within limit: Duration) throws(NBDError) {
        let (isFirst, listeners, links) = state.withLock { state in
            let isFirst = !state.isStopping
            state.isStopping = true
            let listeners = state.listeners
            state.listeners = []
            return (isFirst, listeners, Array(state.links.values))
        }
        guard isFirst else { return }
        stopEvent.set()
        for listener in listeners { listener.removeFile() }
        for link in links { link.stop() }
        if !waitForEnd(within: limit) {
            for link in state.withLock({ Array($0.links.values) }) { link.cut() }
        }
        let isEnded = waitForEnd(within: .seconds(1))
        pool.stop()
        bandwidth?.stop()
        try flush(within: limit)
        guard isEnded else {
            let count = statistics.activeConnections
            throw NBDError(.deadlinePassed, "\(count) NBD connections wait for the disk")
        }
    }

    /// - Returns: whether every connection and the accepting thread have ended.
    private func waitForEnd(within limit: Duration) -> Bool {
        let clock = SystemClock()
        let deadline = clock.nanoseconds + limit.nanoseconds
        while true {
            let now = clock.nanoseconds
            let isEnded = state.withLock { state in
                if state.links.isEmpty && !state.isAccepting { return true }
                if now < deadline { self.state.wait(&state, nanoseconds: deadline - now) }
                return false
            }
            if isEnded || now >= deadline { return isEnded }
        }
    }

    private func flush(within limit: Duration) throws(NBDError) {
        enum Outcome { case waiting, done(Errno?) }
        let outcome = Locked(Outcome.waiting)
        export.flush { error in
            outcome.withLock { $0 = .done(error) }
            outcome.wakeAll()
        }
        let clock = SystemClock()
        let deadline = clock.nanoseconds + limit.nanoseconds
        while true {
            let now = clock.nanoseconds
            let seen = outcome.withLock { value in
                if case .waiting = value, now < deadline {
                    outcome.wait(&value, nanoseconds: deadline - now)
                }
                return value
            }
            switch seen {
            case .done(nil): return
            case .done(let error):
                throw NBDError(.flushFailed, "the last writes are not durable", cause: error)
            case .waiting:
                guard now < deadline else {
                    throw NBDError(.deadlinePassed, "the last flush did not end in time")
                }
            }
        }
    }
}

extension Duration {
    /// At least zero, and cut where it would not fit.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        return UInt64(min(seconds, 1 << 32)) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }
}
