internal import FootingLifecycle
internal import FootingSystem

/// `footing status`: what running disks do, and why their memory is what it is.
enum StatusCommand {
    static let path = Argument(
        optional: "path",
        .file,
        help: "The disk's container; without it, all disks that this user serves."
    )

    static let openMetrics = Flag(
        "openmetrics",
        help: "Print the metrics as OpenMetrics text, for Prometheus and the like."
    )

    static let declaration = Command(
        name: "status",
        overview: "Tell what a running disk does and what it decided.",
        discussion: """
            Asks the process that serves the disk. Ends with 1 if the disk is not served. Sockets \
            are in /run/footing, or below XDG_RUNTIME_DIR for users; FOOTING_RUNTIME_DIR names \
            another folder.
            """,
        parameters: [path.model, openMetrics.model, SharedParameters.json.model],
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        if input[openMetrics] && input[SharedParameters.json] {
            throw CommandError(usage: "--openmetrics and --json exclude each other")
        }
        let folder = ControlFolder.user()
        var statuses: [JSONValue] = []
        var failure: CommandError?
        if let path = input[path] {
            statuses = [try status(of: path, in: folder)]
        } else {
            (statuses, failure) = try all(in: folder, console)
        }
        if input[openMetrics] {
            console.write(OpenMetrics(statuses).text)
        } else if input[SharedParameters.json] {
            console.print(["schema": "footing.statuses/1", "disks": .array(statuses)])
        } else if statuses.isEmpty, failure == nil {
            console.print("No disk is served by this user.")
        } else {
            console.write(statuses.map { StatusText($0).text }.joined(separator: "\n"))
        }
        if let failure { throw failure }
    }

    private static func status(
        of path: String,
        in folder: ControlFolder
    ) throws(CommandError) -> JSONValue {
        do throws(ControlError) {
            return try folder.ask("status", ofContainer: path)
        } catch {
            if error.kind == .unusable, let cause = error.cause {
                throw CommandError(error.detail, path, cause)
            }
            guard error.kind == .notServed else {
                throw CommandError("cannot ask who serves", path, error.description)
            }
            throw CommandError(
                "cannot tell the status of",
                path,
                "this user serves no such disk",
                remedy: "start it with 'footing serve'; one that is just closing answers no more"
            )
        }
    }

    /// Those that answer, and what is wrong with the last that does not.
    ///
    /// What was killed left a socket that nobody listens at: that is nothing wrong.
    private static func all(
        in folder: ControlFolder,
        _ console: Console
    ) throws(CommandError) -> (statuses: [JSONValue], failure: CommandError?) {
        let sockets: [String]
        do throws(Errno) { sockets = try folder.sockets() } catch {
            throw CommandError(
                "cannot use",
                folder.path,
                error,
                remedy: "name a folder of your own in FOOTING_RUNTIME_DIR"
            )
        }
        var statuses: [JSONValue] = []
        var failure: CommandError?
        for socket in sockets {
            do throws(ControlError) {
                statuses.append(try ControlClient.ask("status", at: socket))
            } catch {
                if error.kind == .notServed { continue }
                failure = CommandError(
                    "no status from",
                    socket,
                    error.description,
                    remedy: "is it of another version, or closing?"
                )
            }
        }
        return (statuses, failure)
    }
}
