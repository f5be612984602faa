internal import FootingDisk
internal import FootingLifecycle
internal import FootingSystem

/// A disk that is changed where it is: by the process that serves it, or here.
enum ServedDisk {
    /// A checkpoint of a large disk on a slow device.
    private static let answerSeconds: UInt64 = 600

    /// Asks who serves a disk.
    ///
    /// - Parameter what: what cannot be done if that fails, as in `resize`.
    /// - Returns: nil if this user serves no such disk.
    static func ask(
        _ command: String,
        _ arguments: JSONValue = .null,
        _ path: String,
        _ what: String
    ) throws(CommandError) -> JSONValue? {
        do throws(ControlError) {
            return try ControlFolder.user().ask(
                command,
                arguments,
                ofContainer: path,
                seconds: answerSeconds
            )
        } catch {
            if error.kind == .notServed || error.kind == .unusable { return nil }
            throw failure(error, path, what)
        }
    }

    /// Why it cannot be done; or that nobody knows whether it is.
    static func failure(
        _ error: ControlError,
        _ path: String,
        _ what: String
    ) -> CommandError {
        guard error.mayBeDone else {
            return CommandError("cannot \(what)", path, error.description)
        }
        let reason =
            error.kind == .late
            ? "its server has not answered in \(answerSeconds / 60) minutes, and may still do it"
            : "its server ended the connection (\(error.description)), and may have done it"
        return CommandError(
            "cannot tell whether it was possible to \(what)",
            path,
            reason,
            remedy: "look with 'footing disk info' or 'footing status'"
        )
    }

    /// Has the server do it, or opens the disk if nobody serves it.
    ///
    /// - Parameters:
    ///   - input: names what opens an encrypted one; a server is not asked for it.
    ///   - what: what cannot be done if that fails, as in `resize`.
    ///   - options: what it is opened with, but for that.
    static func change(
        _ command: String,
        _ arguments: JSONValue,
        _ path: String,
        _ input: Invocation,
        _ what: String,
        options: () throws(CommandError) -> EngineOptions = { EngineOptions() },
        _ body: (Disk) throws(DiskError) -> JSONValue
    ) throws(CommandError) -> JSONValue {
        try KeyOptions.requireUse(path, input)
        if let result = try ask(command, arguments, path, what) { return result }
        var options = try options()
        options.key = try KeyOptions.forDisk(path, input)
        do throws(DiskError) {
            let disk = try Disk(path: path, options: options)
            do throws(DiskError) {
                let result = try body(disk)
                try disk.close()
                return result
            } catch {
                try? disk.close()
                throw error
            }
        } catch {
            throw DiskCommand.failure(error)
        }
    }
}
