import FootingSystem
import FootingTestSupport

@testable import FootingNBD

/// A client that speaks bytes, so that it can also speak nonsense.
final class TestClient: @unchecked Sendable {
    // Sendable: a test uses a client on one thread at a time.
    struct Ended: Error {}

    /// A reply: simple, or one chunk of a structured one.
    struct Message: Equatable {
        var cookie: UInt64
        var error: UInt32 = 0
        var chunk: UInt16?
        var isLast = true
        var payload: [UInt8] = []
    }

    let socket: FileDescriptor
    private(set) var isStructured = false

    init(_ socket: consuming FileDescriptor) throws {
        try socket.setTimeouts(receiveMilliseconds: 20_000, sendMilliseconds: 20_000)
        self.socket = socket
    }

    convenience init(server: Server) throws {
        let (own, other) = try Socket.pair()
        let socket = FileDescriptor(owning: own)
        try server.serve(FileDescriptor(owning: other))
        try self.init(socket)
    }

    func send(_ bytes: [UInt8]) throws {
        var done = 0
        while done < bytes.count {
            done += try unsafe bytes.withUnsafeBytes { all throws(Errno) in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: all[done...])
                return unsafe try socket.send(rest, waits: true)
            }
        }
    }

    /// Exactly this many bytes, or an error if the stream ends or nothing comes for long.
    func receive(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let part = try unsafe bytes.withUnsafeMutableBytes { all throws(Errno) in
                let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: all[done...])
                return unsafe try socket.receive(into: rest, waits: true)
            }
            guard part > 0 else { throw Ended() }
            done += part
        }
        return bytes
    }

    /// Whether the server ends the connection; reads what it still says.
    func isCutOff() -> Bool {
        let buffer = AlignedBuffer(count: 64 << 10)
        while true {
            do throws(Errno) {
                if try unsafe socket.receive(into: buffer.bytes, waits: true) == 0 { return true }
            } catch {
                return error != .again
            }
        }
    }

    // MARK: - Handshake

    static func option(_ number: UInt32, _ data: [UInt8] = []) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: Wire.optionMagic)
        bytes.append(bigEndian: number)
        bytes.append(bigEndian: UInt32(data.count))
        return bytes + data
    }

    static func named(_ name: String, _ rest: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: UInt32(name.utf8.count))
        return bytes + Array(name.utf8) + rest
    }

    static func contextQuery(_ queries: [String], name: String = "") -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: UInt32(queries.count))
        for query in queries { bytes += named(query, []) }
        return named(name, bytes)
    }

    /// The client flags: fixed newstyle, no zeroes.
    static let flags: [UInt8] = [0, 0, 0, 3]

    /// The answer to an option: its kind and data.
    func optionReply() throws -> (kind: OptionReply?, data: [UInt8]) {
        let header = try receive(20)
        let kind: UInt32 = header.number(at: 12)
        let length: UInt32 = header.number(at: 16)
        return (OptionReply(rawValue: kind), try receive(Int(length)))
    }

    @discardableResult
    func negotiate(
        structured: Bool = true,
        contexts: Bool = false,
        name: String = ""
    ) throws -> TestClient {
        _ = try receive(Wire.greetingBytes)
        try send(Self.flags)
        if structured {
            try send(Self.option(Option.structuredReply.rawValue))
            guard try optionReply().kind == .acknowledged else { throw Ended() }
            isStructured = true
        }
        if contexts {
            let query = Self.contextQuery([Wire.allocationContext], name: name)
            try send(Self.option(Option.setMetaContext.rawValue, query))
            while try optionReply().kind != .acknowledged {}
        }
        try send(Self.option(Option.go.rawValue, Self.named(name, [0, 0])))
        while true {
            switch try optionReply().kind {
            case .acknowledged: return self
            case .information: continue
            default: throw Ended()
            }
        }
    }

    // MARK: - Transmission

    static func bytes(of request: Request) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: Wire.requestMagic)
        bytes.append(bigEndian: request.flags.rawValue)
        bytes.append(bigEndian: request.command)
        bytes.append(bigEndian: request.cookie)
        bytes.append(bigEndian: request.offset)
        bytes.append(bigEndian: request.length)
        return bytes
    }

    func send(_ request: Request, payload: [UInt8] = []) throws {
        try send(Self.bytes(of: request) + payload)
    }

    /// The next reply.
    ///
    /// - Parameter dataBytes: the data behind a simple reply without an error.
    func message(dataBytes: Int = 0) throws -> Message {
        let magic = try receive(4)
        if magic.number(at: 0) == Wire.simpleReplyMagic {
            let rest = try receive(12)
            let error: UInt32 = rest.number(at: 0)
            let cookie: UInt64 = rest.number(at: 4)
            let payload = error == 0 ? try receive(dataBytes) : []
            return Message(cookie: cookie, error: error, payload: payload)
        }
        guard magic.number(at: 0) == Wire.structuredReplyMagic else { throw Ended() }
        let rest = try receive(16)
        let flags: UInt16 = rest.number(at: 0)
        let kind: UInt16 = rest.number(at: 2)
        let cookie: UInt64 = rest.number(at: 4)
        let length: UInt32 = rest.number(at: 12)
        let payload = try receive(Int(length))
        let isError = kind & 0x8000 != 0
        let error: UInt32 = isError ? payload.number(at: 0) : 0
        return Message(
            cookie: cookie,
            error: error,
            chunk: kind,
            isLast: flags & 1 == 1,
            payload: payload
        )
    }

    /// Sends a request and returns the error of its single reply; 0 for success.
    func error(
        _ command: Command,
        _ offset: UInt64 = 0,
        _ length: UInt32 = 0,
        flags: CommandFlags = [],
        payload: [UInt8] = []
    ) throws -> UInt32 {
        let request = Request(command, flags: flags, cookie: 7, offset: offset, length: length)
        try send(request, payload: payload)
        return try message(dataBytes: command == .read ? Int(length) : 0).error
    }

    func write(_ offset: UInt64, _ payload: [UInt8], flags: CommandFlags = []) throws -> UInt32 {
        try error(.write, offset, UInt32(payload.count), flags: flags, payload: payload)
    }

    /// Reads and puts the chunks together.
    func read(_ offset: UInt64, _ length: Int, flags: CommandFlags = []) throws -> [UInt8] {
        let request = Request(
            .read,
            flags: flags,
            cookie: 9,
            offset: offset,
            length: UInt32(length)
        )
        try send(request)
        guard isStructured else {
            let message = try message(dataBytes: length)
            guard message.error == 0 else { throw Errno(rawValue: Int32(message.error)) }
            return message.payload
        }
        var data = [UInt8](repeating: 0, count: length)
        while true {
            let message = try message()
            guard message.cookie == 9 else { throw Ended() }
            guard message.error == 0 else { throw Errno(rawValue: Int32(message.error)) }
            if message.chunk == Chunk.offsetData.rawValue {
                let start: UInt64 = message.payload.number(at: 0)
                let index = Int(start - offset)
                let count = message.payload.count - 8
                data.replaceSubrange(index..<(index + count), with: message.payload[8...])
            }
            if message.isLast { return data }
        }
    }
}

extension [UInt8] {
    /// An integer in network order.
    func number<Value: FixedWidthInteger & BitwiseCopyable>(at offset: Int) -> Value {
        unsafe span.bytes.bigEndian(at: offset)
    }
}
