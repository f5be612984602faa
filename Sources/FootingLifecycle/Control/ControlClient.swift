public import FootingSystem

/// Asks a running disk.
public enum ControlClient {
    /// Sends a command and gives the result.
    ///
    /// - Throws: ``ControlError/Kind/notServed`` where nobody listens, and what else goes wrong.
    public static func ask(_ command: String, at path: String) throws(ControlError) -> JSONValue {
        let socket: FileDescriptor
        do throws(Errno) {
            socket = try Socket.connect(unixPath: path)
            try socket.setTimeouts(
                receiveMilliseconds: 2 * ControlProtocol.timeoutMilliseconds,
                sendMilliseconds: ControlProtocol.timeoutMilliseconds
            )
        } catch {
            let isAbsent = error == .noSuchFile || error == .connectionRefused
            throw ControlError(isAbsent ? .notServed : .broken, "connect", cause: error)
        }
        try ControlProtocol.send(["command": .string(command)], to: socket)
        let line = try ControlProtocol.line(
            from: socket,
            bytesMaximum: ControlProtocol.answerBytesMaximum
        )
        return try result(line)
    }

    static func result(_ line: [UInt8]) throws(ControlError) -> JSONValue {
        let reply: JSONValue
        do throws(JSONParseError) {
            reply = try JSONValue(parsing: line, bytesMaximum: ControlProtocol.answerBytesMaximum)
        } catch {
            throw ControlError(.invalid, "the answer is no JSON: \(error)")
        }
        guard case .object(let members) = reply else {
            throw ControlError(.invalid, "the answer is no object")
        }
        if case .string(let reason)? = members["error"] { throw ControlError(.refused, reason) }
        guard members["format"] == .integer(ControlProtocol.format), let result = members["result"]
        else { throw ControlError(.invalid, "the answer is of another version of the program") }
        return result
    }
}
