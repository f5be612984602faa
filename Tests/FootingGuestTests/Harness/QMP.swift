import FootingSystem

/// The emulator's control channel (QEMU's docs/interop/qmp-spec.rst).
final class QMP {
    private let stream: LineStream

    /// Takes a connected channel and leaves its greeting behind.
    init(_ stream: LineStream, before deadline: Deadline) throws {
        self.stream = stream
        _ = try stream.line(before: deadline)
        try execute("qmp_capabilities")
    }

    /// Runs a command and gives what it returns; events that come before are dropped.
    @discardableResult
    func execute(
        _ command: String,
        _ arguments: JSONObject = [:],
        limitSeconds: Int = 20
    ) throws -> JSONValue {
        let request: JSONValue = ["execute": .string(command), "arguments": .object(arguments)]
        // A line feed is white space to QEMU.
        try stream.send(request.text())
        let deadline = Deadline.after(seconds: limitSeconds)
        while true {
            let line = try stream.line(before: deadline)
            let answer = try JSONValue(line)
            if let result = answer["return"] { return result }
            if let error = answer["error"] {
                throw GuestError("\(command): \(error["desc"]?.stringValue ?? line)")
            }
        }
    }
}
