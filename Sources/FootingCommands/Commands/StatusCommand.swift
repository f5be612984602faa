internal import FootingLifecycle
internal import FootingSystem

/// `footing status`: what running disks do, and why their memory is what it is.
enum StatusCommand {
    static let path = Argument(
        optional: "path",
        .file,
        help: "The disk's container; without it, all disks that this user serves."
    )

    static let declaration = Command(
        name: "status",
        overview: "Tell what a running disk does and what it decided.",
        discussion: """
            Asks the process that serves the disk. Ends with 1 if the disk is not served. Sockets \
            are in /run/footing, or below XDG_RUNTIME_DIR for users; FOOTING_RUNTIME_DIR names \
            another folder.
            """,
        parameters: [path, SharedParameters.json],
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        let folder = ControlFolder.user()
        let statuses: [JSONValue]
        if let path = input[path] {
            statuses = [try status(of: path, in: folder)]
        } else {
            statuses = try all(in: folder)
        }
        if input[SharedParameters.json] {
            console.print(["schema": "footing.statuses/1", "disks": .array(statuses)])
        } else if statuses.isEmpty {
            console.print("No disk is served by this user.")
        } else {
            let texts = statuses.map { StatusText($0).text }
            console.write(TerminalText.harmless(texts.joined(separator: "\n")))
        }
    }

    private static func status(
        of path: String,
        in folder: ControlFolder
    ) throws(CommandError) -> JSONValue {
        let socket: String
        do throws(Errno) { socket = try folder.socket(ofContainer: path) } catch {
            throw CommandError("cannot find", path, error)
        }
        do throws(ControlError) {
            return try ControlClient.ask("status", at: socket)
        } catch {
            guard error.kind == .notServed else {
                throw CommandError("cannot ask who serves", path, error.description)
            }
            throw CommandError(
                "cannot tell the status of",
                path,
                "this user serves no such disk",
                remedy: "start it with 'footing serve'"
            )
        }
    }

    /// Those that answer; what was killed left a socket that nobody listens at.
    private static func all(in folder: ControlFolder) throws(CommandError) -> [JSONValue] {
        let sockets: [String]
        do throws(Errno) { sockets = try folder.sockets() } catch {
            throw CommandError("cannot read", folder.path, error)
        }
        var statuses: [JSONValue] = []
        for socket in sockets {
            do throws(ControlError) {
                statuses.append(try ControlClient.ask("status", at: socket))
            } catch {
                if error.kind == .notServed { continue }
                throw CommandError("cannot ask at", socket, error.description)
            }
        }
        return statuses
    }
}
