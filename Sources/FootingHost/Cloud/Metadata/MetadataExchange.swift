internal import FootingSystem

/// Requests to one server, all before one deadline.
///
/// Raw sockets that never wait beyond it: no name is looked up, no proxy is asked and no redirect
/// is followed, whatever the environment says.
struct MetadataExchange: Sendable {
    let address: MetadataAddress
    /// On the monotonic clock, in nanoseconds.
    let deadline: UInt64
    private let clock = SystemClock()

    init(address: MetadataAddress, deadline: UInt64) {
        self.address = address
        self.deadline = deadline
    }

    /// Sends one request on a connection of its own, and gives the answer if its status is 200.
    func answer(to request: MetadataRequest) throws(MetadataFailure) -> HTTPResponse {
        let result: Result<HTTPResponse, MetadataFailure>
        do throws(Errno) {
            let socket = try Socket.connect(metadataAddress: address.number)
            try wait(for: .writable, socket)
            try socket.checkConnection()
            try send(request.bytes(host: address.rawValue), socket)
            result = try receive(socket)
        } catch {
            throw Self.failure(error)
        }
        return try result.get()
    }

    private func wait(
        for interest: Event.Interest,
        _ socket: borrowing FileDescriptor
    ) throws(Errno) {
        while true {
            let now = clock.nanoseconds
            guard now < deadline else { throw .timedOut }
            let milliseconds = Int32(clamping: (deadline - now + 999_999) / 1_000_000)
            if try socket.waitUntilReady(for: interest, timeoutMilliseconds: milliseconds) {
                return
            }
        }
    }

    private func send(_ bytes: [UInt8], _ socket: borrowing FileDescriptor) throws(Errno) {
        var start = 0
        while start < bytes.count {
            try wait(for: .writable, socket)
            let result: Result<Int, Errno> = unsafe bytes.withUnsafeBytes { buffer in
                do throws(Errno) {
                    let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[start...])
                    return .success(try unsafe socket.send(rest, waits: false))
                } catch {
                    return error == .again ? .success(0) : .failure(error)
                }
            }
            start += try result.get()
        }
    }

    private func receive(
        _ socket: borrowing FileDescriptor
    ) throws(Errno) -> Result<HTTPResponse, MetadataFailure> {
        var parser = HTTPResponseParser()
        var buffer = [UInt8](repeating: 0, count: 16384)
        while true {
            try wait(for: .readable, socket)
            let result: Result<Int?, Errno> = unsafe buffer.withUnsafeMutableBytes { buffer in
                do throws(Errno) {
                    return .success(try unsafe socket.receive(into: buffer, waits: false))
                } catch {
                    return error == .again ? .success(nil) : .failure(error)
                }
            }
            guard let count = try result.get() else { continue }
            do throws(HTTPError) {
                if count == 0 { try parser.end() } else { try parser.take(buffer[..<count]) }
            } catch {
                return .failure(Self.failure(error))
            }
            // The body of such an answer tells nothing that is asked.
            if parser.hasHead, let failure = Self.failure(status: parser.response.status) {
                return .failure(failure)
            }
            if parser.isComplete { return .success(parser.response) }
        }
    }
}

// MARK: - Failures

extension MetadataExchange {
    private static func failure(_ error: Errno) -> MetadataFailure {
        let outcome: CloudMetadata.Outcome =
            switch error {
            case .timedOut: .timedOut
            case .connectionRefused: .connectionRefused
            case .networkUnreachable, .hostUnreachable: .unreachable
            default: .failed
            }
        let reason: String =
            switch outcome {
            case .timedOut: "no whole answer within \(MetadataProbe.timeoutMilliseconds) ms"
            case .connectionRefused: "nobody listens there"
            case .unreachable: "there is no route"
            default: "\(error)"
            }
        return MetadataFailure(outcome: outcome, reason: reason)
    }

    static func failure(_ error: HTTPError) -> MetadataFailure {
        switch error {
        case .tooLarge:
            let limit = HTTPResponseParser.bytesMaximum >> 10
            return MetadataFailure(outcome: .tooLarge, reason: "over \(limit) KiB, or a long head")
        case .cutOff:
            return MetadataFailure(
                outcome: .cutOff,
                reason: "the connection ended within the answer"
            )
        case .malformed(let what):
            return MetadataFailure(outcome: .malformed, reason: "no proper HTTP: \(what)")
        }
    }

    static func failure(status: Int) -> MetadataFailure? {
        switch status {
        case 200: nil
        case 300...399:
            MetadataFailure(outcome: .redirected, reason: "status \(status), which is not followed")
        default: MetadataFailure(outcome: .refused, reason: "status \(status)")
        }
    }
}
