internal import FootingSystem
import Synchronization

/// What a connection's own thread shares with the threads that finish its slow requests.
///
/// ```
/// own thread ── inline replies ──────────────► send, may wait ──► socket
/// others     ── deliver ─► nobody sends, room? send, never waits ─►  │
///                    └──► queue ─► wake the own thread ─────────────►┘
/// ```
/// One thread sends at a time, so messages never mix. The socket closes with the last reference: a
/// late completion finds a socket that is shut down, never a stranger's.
final class Link: Sendable {
    private struct State {
        /// Replies that wait for the own thread, in order; the first may be partly sent.
        var queue: [[UInt8]] = []
        var headSentBytes = 0
        var isSending = false
        /// The own thread is about to collect the queue: others need not send.
        var ownerGathers = false
        /// The own thread waits for a request to finish.
        var ownerWaits = false
        var isClosed = false
        /// Why: the peer left its replies unread for too long.
        var isUnread = false
        var pendingRequests = 0
        var pendingBytes = 0
        /// Bytes of memory that requests take until their replies are sent.
        var heldBytes: Int { queue.reduce(pendingBytes) { $0 + $1.count } }

        var isQuiet: Bool { pendingRequests == 0 && !isSending && queue.isEmpty }
    }

    /// Small replies are put together up to this size.
    private static let coalescedBytes = 64 << 10

    let identifier: UInt64
    let socket: FileDescriptor
    let wakeUp: Event
    private let state = Locked(State())
    private let stops = Atomic(false)

    init(identifier: UInt64, socket: consuming FileDescriptor) throws(Errno) {
        let wakeUp = try Event()
        self.identifier = identifier
        self.socket = socket
        self.wakeUp = wakeUp
    }

    /// Whether requests received from now on are refused.
    var isStopping: Bool { stops.load(ordering: .acquiring) }

    /// Nothing more is received; the own thread finishes what it has and leaves.
    func stop() {
        stops.store(true, ordering: .releasing)
        Socket.shutDown(socket, .receiving)
        wakeUp.set()
    }

    /// Ends the connection, whatever state it is in.
    func cut() {
        state.withLock { state in
            state.isClosed = true
            state.queue = []
        }
        Socket.shutDown(socket, .both)
        wakeUp.set()
    }
}

// MARK: - Requests that finish on another thread

extension Link {
    /// A slow request starts; ``deliver(_:finishing:)`` ends it.
    ///
    /// - Parameter gathers: it may finish at once on this, the own, thread; its reply then goes out
    ///   with the others. ``endGathering()`` must follow.
    func begin(bytes: Int, gathers: Bool = false) {
        state.withLock { state in
            state.pendingRequests += 1
            state.pendingBytes += bytes
            if gathers { state.ownerGathers = true }
        }
    }

    func endGathering() {
        state.withLock { $0.ownerGathers = false }
    }

    /// Whether another slow request may start; if not, the own thread is woken when one has ended.
    func hasRoom(bytes: Int, maximumRequests: Int, maximumBytes: Int) -> Bool {
        state.withLock { state in
            let heldBytes = state.heldBytes
            let fits = heldBytes == 0 || heldBytes + bytes <= maximumBytes
            let hasRoom = state.isClosed || (fits && state.pendingRequests < maximumRequests)
            state.ownerWaits = !hasRoom
            return hasRoom
        }
    }

    /// Whether nothing is under way; if not, the own thread is woken when a request has ended.
    func isDrained() -> Bool {
        state.withLock { state in
            let isDrained = state.isClosed || state.isQuiet
            state.ownerWaits = !isDrained
            return isDrained
        }
    }

    /// Whether another thread may want to wake the own one: it must not wait on the socket alone.
    var isQuiet: Bool { state.withLock { $0.isQuiet } }

    /// Ends a slow request that has nothing more to say.
    func finish(bytes: Int) {
        state.withLock { state in
            Self.finish(bytes, &state)
            if state.ownerWaits { wakeUp.set() }
        }
    }

    /// Sends a message from any thread; never waits.
    ///
    /// - Parameter bytes: what ``begin(bytes:gathers:)`` was told, if this ends the request.
    func deliver(_ message: [UInt8], finishing bytes: Int?) {
        let sends = state.withLock { state in
            guard state.isSending || state.ownerGathers || !state.queue.isEmpty || state.isClosed
            else {
                state.isSending = true
                return true
            }
            if !state.isClosed { Self.enqueue(message, &state) }
            Self.finish(bytes, &state)
            if state.ownerWaits { wakeUp.set() }
            return false
        }
        guard sends else { return }
        let sentBytes = sendWithoutWaiting(message)
        state.withLock { state in
            state.isSending = false
            if let sentBytes {
                if sentBytes < message.count, !state.isClosed {
                    state.queue.insert(message, at: 0)
                    state.headSentBytes = sentBytes
                }
            } else {
                state.isClosed = true
                state.queue = []
            }
            Self.finish(bytes, &state)
            if state.ownerWaits || !state.queue.isEmpty || state.isClosed { wakeUp.set() }
        }
        // The own thread may wait for its turn to send.
        state.wakeAll()
    }

    private static func finish(_ bytes: Int?, _ state: inout State) {
        guard let bytes else { return }
        precondition(state.pendingRequests > 0, "a request finished twice")
        state.pendingRequests -= 1
        state.pendingBytes -= bytes
    }

    private static func enqueue(_ message: [UInt8], _ state: inout State) {
        if let last = state.queue.indices.last,
            state.queue[last].count + message.count <= coalescedBytes
        {
            state.queue[last].append(contentsOf: message)
        } else {
            state.queue.append(message)
        }
    }

    /// - Returns: the bytes sent, or nil if the peer is gone.
    private func sendWithoutWaiting(_ message: [UInt8]) -> Int? {
        unsafe message.withUnsafeBytes { bytes in
            do throws(Errno) {
                return unsafe try socket.send(bytes, waits: false)
            } catch {
                return error == .again ? 0 : nil
            }
        }
    }
}

// MARK: - The own thread

extension Link {
    private enum Turn {
        case wait
        case nothing
        case closed
        case send([[UInt8]], headSentBytes: Int)
    }

    /// Sends what is queued and then the arena's content, and empties it; waits for room.
    ///
    /// - Parameters:
    ///   - arena: replies of this thread.
    ///   - prepareToWait: called before it waits for the peer to read.
    /// - Returns: false if the peer is gone, or left its replies unread for too long.
    func send(_ arena: inout ReplyArena, _ prepareToWait: () -> Void = {}) -> Bool {
        while true {
            switch takeTurn(arena.isEmpty) {
            case .wait: continue
            case .nothing: return true
            case .closed: return false
            case .send(let queue, let headSentBytes):
                var skippedBytes = headSentBytes
                var isOpen = true
                for message in queue where isOpen {
                    // Small ones join the arena; they stay in order, since one may be the end of
                    // a reply whose chunks are before it.
                    if skippedBytes > 0 {
                        isOpen = sendAll(message, from: skippedBytes, prepareToWait)
                    } else if !arena.appendIfSmall(message) {
                        isOpen =
                            unsafe sendAll(arena.content, prepareToWait)
                            && sendAll(message, from: 0, prepareToWait)
                        arena.removeAll()
                    }
                    skippedBytes = 0
                }
                if isOpen { isOpen = unsafe sendAll(arena.content, prepareToWait) }
                arena.removeAll()
                state.withLock { state in
                    state.isSending = false
                    if !isOpen {
                        state.isClosed = true
                        state.queue = []
                    }
                }
            }
        }
    }

    /// A wait ends here and not within one look at the state: the lock lets others change it then.
    private func takeTurn(_ hasNothing: Bool) -> Turn {
        state.withLock { state in
            if state.isClosed { return .closed }
            if state.isSending {
                self.state.wait(&state)
                return .wait
            }
            if state.queue.isEmpty && hasNothing { return .nothing }
            state.isSending = true
            let queue = state.queue
            state.queue = []
            defer { state.headSentBytes = 0 }
            return .send(queue, headSentBytes: state.headSentBytes)
        }
    }

    private func sendAll(
        _ message: [UInt8],
        from start: Int,
        _ prepareToWait: () -> Void
    ) -> Bool {
        unsafe message.withUnsafeBytes { bytes in
            unsafe sendAll([UnsafeRawBufferPointer(rebasing: bytes[start...])], prepareToWait)
        }
    }

    /// How a connection ends whose replies cannot be sent: a peer that has left needs no remark.
    var endingOfSend: Ending {
        state.withLock { $0.isUnread } ? .broken("the replies are not read") : .closed
    }

    private func sendAll(
        _ content: [UnsafeRawBufferPointer],
        _ prepareToWait: () -> Void
    ) -> Bool {
        var parts = unsafe content[...]
        var waits = false
        while unsafe !parts.isEmpty {
            do throws(Errno) {
                let sentBytes =
                    unsafe parts.count == 1
                    ? try socket.send(parts[parts.startIndex], waits: waits)
                    : try socket.send(parts, waits: waits)
                unsafe Self.drop(sentBytes, of: &parts)
            } catch {
                if error == .again, !waits {
                    waits = true
                    prepareToWait()
                    continue
                }
                if error == .again { state.withLock { $0.isUnread = true } }
                return false
            }
        }
        return true
    }

    /// Takes away what was sent.
    private static func drop(
        _ sentBytes: Int,
        of parts: inout ArraySlice<UnsafeRawBufferPointer>
    ) {
        var sentBytes = sentBytes
        while let first = unsafe parts.first {
            if sentBytes < first.count {
                unsafe parts[parts.startIndex] = .init(rebasing: first[sentBytes...])
                return
            }
            sentBytes -= first.count
            unsafe parts.removeFirst()
        }
    }
}
