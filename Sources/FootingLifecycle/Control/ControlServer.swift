public import FootingSystem

/// Answers questions about a running disk on a Unix socket that only its user may connect to.
///
/// One thread serves one connection after the other; each has two seconds for its line and two for
/// the answer, so that whoever hangs delays others and stops nothing. The disk's own threads never
/// wait for it, and ``stop()`` interrupts it.
public final class ControlServer: Sendable {
    /// Answers a request; nil where the command is unknown, and an error where it is refused.
    public typealias Answer = @Sendable (ControlRequest) throws(ControlError) -> JSONValue?

    /// What it does beside answering commands.
    public struct Duties: Sendable {
        /// How often ``onTick`` is called, by the server's thread: as nearly as answers allow.
        public var tickMilliseconds: Int32 = 1000
        /// Nil where there is nothing to be done now and then.
        public var onTick: (@Sendable () -> Void)?
        /// The page at a path, for who asks by HTTP; nil where there is none.
        public var page: @Sendable (_ path: String) -> ControlPage? = { _ in nil }

        /// None.
        public init() {}
    }

    private struct State: ~Copyable {
        var thread: Thread?
    }

    /// Where it listens.
    public let path: String
    private let listener: FileDescriptor
    private let stopping: Event
    private let answer: Answer
    private let state = Locked(State())

    /// Listens; a socket that is there already is replaced.
    ///
    /// The caller holds the container's lock: a socket of the same name is a dead server's.
    ///
    /// - Parameters:
    ///   - path: at most 107 bytes, in a folder of the user's own.
    ///   - answer: called by the server's thread.
    public init(path: String, answer: @escaping Answer) throws(ControlError) {
        self.path = path
        self.answer = answer
        do throws(Errno) {
            stopping = try Event()
            try? Socket.remove(unixPath: path)
            listener = try Socket.listen(unixPath: path, backlog: 16)
            try listener.setNonBlocking(true)
        } catch {
            throw ControlError(.unusable, "cannot listen at \(path)", cause: error)
        }
    }

    /// Starts to answer.
    public func start(_ duties: Duties = Duties()) throws(ControlError) {
        do throws(Errno) {
            try state.withLock { (state: inout State) throws(Errno) in
                state.thread = try Thread(name: "control") { [self] in run(duties) }
            }
        } catch {
            throw ControlError(.unusable, "cannot start a thread", cause: error)
        }
    }

    /// Stops and removes the socket; may be called again.
    public func stop() {
        stopping.set()
        guard let thread = state.withLock({ $0.thread.take() }) else { return }
        thread.join()
        try? Socket.remove(unixPath: path)
    }

    private func run(_ duties: Duties) {
        let clock = SystemClock()
        let period = UInt64(duties.tickMilliseconds) * 1_000_000
        var due = clock.nanoseconds + period
        while true {
            var limit: Int32 = -1
            if let onTick = duties.onTick {
                let now = clock.nanoseconds
                if now >= due {
                    onTick()
                    due = now + period
                }
                limit = Int32(clamping: (due - now) / 1_000_000 + 1)
            }
            let ready = try? stopping.wait(
                for: .readable,
                descriptor: listener.number,
                timeoutMilliseconds: limit
            )
            guard let ready, !ready.contains(.event) else { return }
            guard ready.contains(.descriptor) else { continue }
            do throws(Errno) {
                serve(try Socket.accept(listener), duties)
            } catch {
                // A client that left; or no descriptor is free, which others will change.
                if error != .again {
                    _ = try? stopping.wait(for: .nothing, descriptor: -1, timeoutMilliseconds: 100)
                }
            }
        }
    }

    /// One connection; whoever breaks the protocol is told so, and nothing else happens.
    private func serve(_ socket: consuming FileDescriptor, _ duties: Duties) {
        guard let connection = try? ControlConnection(socket, stopping: stopping.copy()) else {
            return
        }
        let reply: JSONValue
        do throws(ControlError) {
            let request = try connection.request()
            if request.isHTTP {
                let isTooLong = request.bytes.count > ControlProtocol.headBytesMaximum
                return try connection.send(
                    isTooLong
                        ? HTTPExchange.tooLong
                        : HTTPExchange.answer(to: request.bytes, page: duties.page)
                )
            }
            reply = self.reply(to: request.bytes)
        } catch {
            reply = Self.refusal(error.description)
        }
        // A client that is gone does not want it.
        try? connection.send(reply)
    }

    func reply(to line: [UInt8]) -> JSONValue {
        let request: JSONValue
        do throws(JSONParseError) {
            request = try JSONValue(parsing: line, depthMaximum: 4)
        } catch {
            return Self.refusal("no JSON: \(error)")
        }
        guard case .object(let members) = request, case .string(let command)? = members["command"]
        else { return Self.refusal("a request is an object with a 'command'") }
        let asked = ControlRequest(command: command, arguments: members["arguments"] ?? .null)
        let result: JSONValue?
        do throws(ControlError) { result = try answer(asked) } catch {
            return Self.refusal(error.description)
        }
        guard let result else { return Self.refusal("no such command: '\(command)'") }
        return ["format": .integer(ControlProtocol.format), "result": result]
    }

    private static func refusal(_ reason: String) -> JSONValue {
        ["format": .integer(ControlProtocol.format), "error": .string(reason)]
    }
}
