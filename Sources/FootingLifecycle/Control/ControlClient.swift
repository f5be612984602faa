public import FootingSystem

/// Asks a running disk.
public enum ControlClient {
    /// Sends a command and gives the result.
    ///
    /// - Parameters:
    ///   - command: what to do.
    ///   - arguments: what the command takes; null where it takes nothing.
    ///   - path: the socket.
    ///   - seconds: how long the answer may take.
    /// - Throws: ``ControlError/Kind/notServed`` where nobody listens, and what else goes wrong;
    ///   where no answer came, ``ControlError/mayBeDone`` is true.
    public static func ask(
        _ command: String,
        _ arguments: JSONValue = .null,
        at path: String,
        seconds: UInt64 = 2
    ) throws(ControlError) -> JSONValue {
        let connection = try connect(path)
        try connection.send(
            arguments == .null
                ? ["command": .string(command)]
                : ["command": .string(command), "arguments": arguments]
        )
        let line: [UInt8]
        do throws(ControlError) {
            line = try connection.line(
                bytesMaximum: ControlProtocol.answerBytesMaximum,
                nanoseconds: seconds * 1_000_000_000
            )
        } catch {
            throw error.afterRequest()
        }
        return try result(line)
    }

    private static func connect(_ path: String) throws(ControlError) -> ControlConnection {
        do throws(Errno) {
            return try ControlConnection(try Socket.connect(unixPath: path))
        } catch {
            let isAbsent = error == .noSuchFile || error == .connectionRefused
            throw ControlError(isAbsent ? .notServed : .broken, "connect", cause: error)
        }
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
