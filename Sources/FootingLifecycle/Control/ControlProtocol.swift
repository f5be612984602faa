public import FootingSystem

/// What goes over a control socket: one line of JSON each way, then the connection ends.
///
/// ```
/// request   {"command":"status"}
/// answer    {"format":1,"result":{...}}
/// refusal   {"error":"no such command: 'x'","format":1}
/// ```
enum ControlProtocol {
    static let format: Int64 = 1
    /// No request is longer.
    static let requestBytesMaximum = 4096
    /// No answer is longer: a status has some kilobytes.
    static let answerBytesMaximum = 4 << 20
    /// How long each side waits for the other's bytes.
    static let timeoutMilliseconds: Int32 = 2000

    /// Receives one line; the line feed is not part of it.
    static func line(
        from socket: borrowing FileDescriptor,
        bytesMaximum: Int
    ) throws(ControlError) -> [UInt8] {
        var line: [UInt8] = []
        let buffer = AlignedBuffer(count: 4096)
        while true {
            let count: Int
            do throws(Errno) {
                count = try unsafe socket.receive(into: buffer.bytes, waits: true)
            } catch {
                let isLate = error == .again
                throw ControlError(isLate ? .late : .broken, "receive", cause: error)
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

    /// Sends one line.
    static func send(
        _ value: JSONValue,
        to socket: borrowing FileDescriptor
    ) throws(ControlError) {
        let bytes = Array(value.line().utf8) + [UInt8(ascii: "\n")]
        let buffer = AlignedBuffer(count: bytes.count)
        unsafe bytes.withUnsafeBytes { unsafe buffer.copy(from: $0, at: 0) }
        var sent = 0
        while sent < bytes.count {
            do throws(Errno) {
                let rest = unsafe UnsafeRawBufferPointer(buffer.slice(sent..<bytes.count))
                sent += try unsafe socket.send(rest, waits: true)
            } catch {
                throw ControlError(error == .again ? .late : .broken, "send", cause: error)
            }
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

    init(_ kind: Kind, _ detail: String, cause: Errno? = nil) {
        self.kind = kind
        self.detail = detail
        self.cause = cause
    }

    /// What failed and why.
    public var description: String { cause.map { "\(detail): \($0)" } ?? detail }
}
