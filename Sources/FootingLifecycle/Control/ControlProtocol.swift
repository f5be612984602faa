public import FootingSystem

/// What goes over a control socket: one line of JSON each way, then the connection ends.
///
/// ```
/// request   {"command":"status"}, or with what it takes: {"arguments":{...},"command":"..."}
/// answer    {"format":1,"result":{...}}
/// refusal   {"error":"no such command: 'x'","format":1}
/// ```
enum ControlProtocol {
    static let format: Int64 = 1
    /// No request is longer.
    static let requestBytesMaximum = 4096
    /// No head of a request by HTTP is longer.
    static let headBytesMaximum = 8192
    /// No answer is longer: a status has some kilobytes.
    static let answerBytesMaximum = 4 << 20
    /// How long one side gives the other for a whole line.
    static let lineNanoseconds: UInt64 = 2_000_000_000
}

/// What is asked for over a control socket.
public struct ControlRequest: Sendable, Equatable {
    /// What to do.
    public let command: String
    /// What the command takes; null where it takes nothing.
    public let arguments: JSONValue
}

/// One connection: a line each way, each within a time of its own.
///
/// The time is that of the whole line: who sends a byte now and then gets no more.
struct ControlConnection: ~Copyable {
    private let socket: FileDescriptor
    private let clock = SystemClock()
    /// Interrupts the waiting.
    private let stopping: Event

    init(_ socket: consuming FileDescriptor) throws(Errno) {
        try self.init(socket, stopping: Event())
    }

    /// - Parameter stopping: ends the waiting when it is set.
    init(_ socket: consuming FileDescriptor, stopping: consuming Event) throws(Errno) {
        try socket.setNonBlocking(true)
        self.socket = socket
        self.stopping = stopping
    }

    /// Receives one line; the line feed is not part of it.
    func line(
        bytesMaximum: Int,
        nanoseconds: UInt64 = ControlProtocol.lineNanoseconds
    ) throws(ControlError) -> [UInt8] {
        var line: [UInt8] = []
        let buffer = AlignedBuffer(count: 4096)
        let deadline = clock.nanoseconds + nanoseconds
        while true {
            guard let count = try received(into: buffer) else {
                try wait(for: .readable, until: deadline, "receive")
                continue
            }
            if count == 0 { throw ControlError(.broken, "receive: the line has no end") }
            let part = unsafe buffer.bytes[..<count]
            let end = unsafe part.firstIndex(of: UInt8(ascii: "\n"))
            unsafe line += part[..<(end ?? count)]
            if line.count > bytesMaximum {
                throw ControlError(.invalid, "a line of more than \(bytesMaximum) bytes")
            }
            if end != nil { return line }
        }
    }

    /// Receives a request: one line without its line feed, or the head of one by HTTP.
    func request() throws(ControlError) -> (bytes: [UInt8], isHTTP: Bool) {
        var bytes: [UInt8] = []
        let buffer = AlignedBuffer(count: 4096)
        let deadline = clock.nanoseconds + ControlProtocol.lineNanoseconds
        while true {
            guard let count = try received(into: buffer) else {
                try wait(for: .readable, until: deadline, "receive")
                continue
            }
            if count == 0 { throw ControlError(.broken, "receive: the line has no end") }
            unsafe bytes += buffer.bytes[..<count]
            let end = bytes.firstIndex(of: UInt8(ascii: "\n"))
            let line = bytes[..<(end ?? bytes.count)]
            if end != nil, HTTPExchange.isRequestLine(line) {
                // All of it: a client that is still sending would not see its answer.
                let isTooLong = bytes.count > ControlProtocol.headBytesMaximum
                if isTooLong || HTTPExchange.isWhole(bytes) { return (bytes, true) }
                continue
            }
            if line.count > ControlProtocol.requestBytesMaximum {
                let most = ControlProtocol.requestBytesMaximum
                throw ControlError(.invalid, "a line of more than \(most) bytes")
            }
            if end != nil { return (Array(line), false) }
        }
    }

    /// Sends one line.
    func send(_ value: JSONValue) throws(ControlError) {
        try send(Array(value.line().utf8) + [UInt8(ascii: "\n")])
    }

    /// Sends bytes as they are.
    func send(_ bytes: [UInt8]) throws(ControlError) {
        let buffer = AlignedBuffer(count: bytes.count)
        unsafe bytes.withUnsafeBytes { unsafe buffer.copy(from: $0, at: 0) }
        let deadline = clock.nanoseconds + ControlProtocol.lineNanoseconds
        var sent = 0
        while sent < bytes.count {
            do throws(Errno) {
                let rest = unsafe UnsafeRawBufferPointer(buffer.slice(sent..<bytes.count))
                sent += try unsafe socket.send(rest, waits: false)
                continue
            } catch {
                guard error == .again else { throw ControlError(.broken, "send", cause: error) }
            }
            try wait(for: .writable, until: deadline, "send")
        }
    }

    /// - Returns: nil where nothing has arrived.
    private func received(into buffer: borrowing AlignedBuffer) throws(ControlError) -> Int? {
        do throws(Errno) {
            return try unsafe socket.receive(into: buffer.bytes, waits: false)
        } catch {
            if error == .again { return nil }
            throw ControlError(.broken, "receive", cause: error)
        }
    }

    private func wait(
        for interest: Event.Interest,
        until deadline: UInt64,
        _ operation: String
    ) throws(ControlError) {
        let now = clock.nanoseconds
        guard now < deadline else { throw ControlError(.late, "\(operation): no line in time") }
        do throws(Errno) {
            let ready = try stopping.wait(
                for: interest,
                descriptor: socket.number,
                timeoutMilliseconds: Int32((deadline - now) / 1_000_000 + 1)
            )
            guard !ready.contains(.event) else { throw Errno.interrupted }
        } catch {
            throw ControlError(.broken, operation, cause: error)
        }
    }
}

/// Why a control socket gave no answer.
public struct ControlError: Error, Sendable, CustomStringConvertible {
    /// The kinds that callers tell apart.
    public enum Kind: String, Sendable {
        /// Nobody listens: the disk is not served.
        case notServed
        /// The other side took too long.
        case late
        /// The connection broke.
        case broken
        /// What came is not the protocol.
        case invalid
        /// The server refused, with a reason.
        case refused
        /// The socket cannot be made or used.
        case unusable
    }

    /// The kind.
    public let kind: Kind
    /// What failed, in words.
    public let detail: String
    /// The system's reason, if it gave one.
    public let cause: Errno?
    /// Whether a request was sent before, so that what was asked for may be done all the same.
    public private(set) var mayBeDone = false

    init(_ kind: Kind, _ detail: String, cause: Errno? = nil) {
        self.kind = kind
        self.detail = detail
        self.cause = cause
    }

    /// The same, after a request was sent.
    func afterRequest() -> ControlError {
        var error = self
        error.mayBeDone = true
        return error
    }

    /// The server cannot or will not do what was asked.
    public static func refusal(_ reason: String) -> ControlError { ControlError(.refused, reason) }

    /// What failed and why.
    public var description: String { cause.map { "\(detail): \($0)" } ?? detail }
}
