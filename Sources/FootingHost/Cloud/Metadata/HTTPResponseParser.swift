/// One answer of an HTTP server.
struct HTTPResponse: Equatable, Sendable {
    /// The status, from 200 to 599.
    var status = 0
    /// Header fields in their order; names in lower case, values without white space around them.
    var headers: [(name: String, value: String)] = []
    /// The body, without its framing.
    var body: [UInt8] = []

    /// The value of a header field that is there exactly once; the name in lower case.
    func header(_ name: String) -> String? {
        let fitting = headers.filter { $0.name == name }
        return fitting.count == 1 ? fitting[0].value : nil
    }

    static func == (first: HTTPResponse, second: HTTPResponse) -> Bool {
        first.status == second.status && first.body == second.body
            && first.headers.elementsEqual(second.headers) { $0 == $1 }
    }
}

/// Why bytes are no answer.
enum HTTPError: Error, Equatable, Sendable {
    /// More bytes than ``HTTPResponseParser/bytesMaximum``.
    case tooLarge
    /// The connection ended within the answer.
    case cutOff
    /// Not HTTP/1.x as RFC 9112 has it; what is wrong.
    case malformed(String)
}

/// A small and strict parser of HTTP/1.x answers (RFC 9112), fed as the bytes arrive.
///
/// It takes `Content-Length`, `chunked`, or a body that ends with the connection. Whatever could
/// be read in two ways is refused: both framings at once, lengths that differ, folded fields, lines
/// that end without a carriage return, encodings. Nothing depends on how the bytes arrive.
struct HTTPResponseParser: Sendable {
    /// The largest answer, head and framing included.
    static let bytesMaximum = 64 << 10
    /// The longest line of the head or the framing.
    static let lineBytesMaximum = 8 << 10
    /// The most header fields, trailers included.
    static let headersMaximum = 100

    private enum State {
        case statusLine, headers
        case body(bytesLeft: Int)
        case bodyUntilEnd
        case chunkSize
        case chunk(bytesLeft: Int)
        case chunkEnd
        case trailers
        case complete
    }

    private var state = State.statusLine
    private var line: [UInt8] = []
    private var bytesTaken = 0
    private var fieldCount = 0

    /// What has arrived so far.
    private(set) var response = HTTPResponse()

    /// Whether the head is there: status and header fields.
    var hasHead: Bool {
        switch state {
        case .statusLine, .headers: false
        default: true
        }
    }

    /// Whether the answer is there as a whole.
    var isComplete: Bool {
        if case .complete = state { return true }
        return false
    }

    /// Takes what has arrived; bytes behind a complete answer are ignored.
    mutating func take(_ bytes: some Sequence<UInt8>) throws(HTTPError) {
        for byte in bytes {
            if isComplete { return }
            bytesTaken += 1
            guard bytesTaken <= Self.bytesMaximum else { throw .tooLarge }
            switch state {
            case .body(let bytesLeft):
                response.body.append(byte)
                state = bytesLeft > 1 ? .body(bytesLeft: bytesLeft - 1) : .complete
            case .bodyUntilEnd:
                response.body.append(byte)
            case .chunk(let bytesLeft):
                response.body.append(byte)
                state = bytesLeft > 1 ? .chunk(bytesLeft: bytesLeft - 1) : .chunkEnd
            default:
                try takeInLine(byte)
            }
        }
    }

    /// Takes the end of the connection.
    mutating func end() throws(HTTPError) {
        switch state {
        case .complete: return
        case .bodyUntilEnd: state = .complete
        default: throw .cutOff
        }
    }

    private mutating func takeInLine(_ byte: UInt8) throws(HTTPError) {
        if byte != UInt8(ascii: "\n") {
            guard line.count < Self.lineBytesMaximum else { throw .tooLarge }
            line.append(byte)
            return
        }
        guard line.popLast() == UInt8(ascii: "\r") else {
            throw .malformed("a line ends without a carriage return")
        }
        // A field's value may have tabs and bytes above 0x7f, as RFC 9110 allows.
        guard line.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 9 }) else {
            throw .malformed("a control character in a line")
        }
        let complete = line
        line.removeAll(keepingCapacity: true)
        try take(line: complete)
    }

    private mutating func take(line: [UInt8]) throws(HTTPError) {
        switch state {
        case .statusLine:
            response.status = try Self.status(line)
            state = .headers
        case .headers:
            if line.isEmpty {
                state = try framing()
            } else {
                response.headers.append(try field(line))
            }
        case .chunkSize:
            let size = try Self.chunkSize(line)
            state = size == 0 ? .trailers : .chunk(bytesLeft: size)
        case .chunkEnd:
            guard line.isEmpty else { throw .malformed("a chunk is longer than it says") }
            state = .chunkSize
        case .trailers:
            if line.isEmpty { state = .complete } else { _ = try field(line) }
        case .body, .bodyUntilEnd, .chunk, .complete:
            preconditionFailure("a body has no lines")
        }
    }
}

// MARK: - Lines

extension HTTPResponseParser {
    /// `HTTP/1.1 200 OK`; the text behind the number may be missing.
    private static func status(_ line: [UInt8]) throws(HTTPError) -> Int {
        let isDigit: (UInt8) -> Bool = { (0x30...0x39).contains($0) }
        guard line.count >= 12, line.starts(with: "HTTP/1.".utf8), isDigit(line[7]),
            line[8] == 0x20, line[9...11].allSatisfy(isDigit), line.count == 12 || line[12] == 0x20
        else { throw .malformed("no status line of HTTP/1") }
        let status = line[9...11].reduce(0) { $0 * 10 + Int($1 - 0x30) }
        // Nothing was asked to which 1xx, an interim answer, would be one.
        guard (200...599).contains(status) else { throw .malformed("a status beyond 200 to 599") }
        return status
    }

    private mutating func field(
        _ line: [UInt8]
    ) throws(HTTPError) -> (name: String, value: String) {
        fieldCount += 1
        guard fieldCount <= Self.headersMaximum else { throw .tooLarge }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0,
            line[..<colon].allSatisfy(Self.isTokenByte)
        else { throw .malformed("a header field without a name") }
        let isBlank: (UInt8) -> Bool = { $0 == 0x20 || $0 == 9 }
        var value = line[(colon + 1)...].drop(while: isBlank)
        while let last = value.last, isBlank(last) { value.removeLast() }
        let name = line[..<colon].map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }
        return (String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self))
    }

    /// `tchar` of RFC 9110.
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }

    /// How the body behind the head is to be read.
    private func framing() throws(HTTPError) -> State {
        let values: (String) -> [String] = { name in
            response.headers.filter { $0.name == name }.map(\.value)
        }
        let lengths = values("content-length")
        let encodings = values("transfer-encoding").map { $0.lowercased() }
        guard values("content-encoding").allSatisfy({ $0.lowercased() == "identity" }) else {
            throw .malformed("a compressed body, which was not asked for")
        }
        if response.status == 204 || response.status == 304 { return .complete }
        if !encodings.isEmpty {
            guard encodings == ["chunked"] else { throw .malformed("an unknown encoding") }
            guard lengths.isEmpty else { throw .malformed("a body with two kinds of length") }
            return .chunkSize
        }
        guard let first = lengths.first else { return .bodyUntilEnd }
        guard lengths.count == 1, !first.isEmpty, first.utf8.count <= 9,
            first.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let length = Int(first)
        else { throw .malformed("no length: Content-Length") }
        guard length <= Self.bytesMaximum else { throw .tooLarge }
        return length == 0 ? .complete : .body(bytesLeft: length)
    }

    /// A chunk's size in hexadecimal digits; what stands behind `;` is ignored, as it must be.
    private static func chunkSize(_ line: [UInt8]) throws(HTTPError) -> Int {
        let digits = line.prefix { $0 != UInt8(ascii: ";") && $0 != 0x20 && $0 != 9 }
        let rest = line[digits.endIndex...].drop { $0 == 0x20 || $0 == 9 }
        guard rest.isEmpty || rest.first == UInt8(ascii: ";"), (1...8).contains(digits.count),
            digits.first != UInt8(ascii: "+"), digits.first != UInt8(ascii: "-"),
            let size = Int(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw .malformed("no chunk size") }
        guard size <= bytesMaximum else { throw .tooLarge }
        return size
    }
}
