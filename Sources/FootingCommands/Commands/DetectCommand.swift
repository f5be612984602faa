internal import FootingDeployment
internal import FootingHost
internal import FootingSystem

/// `footing detect`: where this is, what it stands on, and what follows.
enum DetectCommand {
    static let root = Option(
        "root",
        .directory,
        default: "/",
        help: "Look at a recorded machine's tree instead of this machine."
    )
    static let path = Option(
        optional: "path",
        .file,
        help: "Also tell what lies under this path: file system, devices, queues."
    )
    static let noNetwork = Flag(
        "no-network",
        help: "Send no packet, not even to a cloud's metadata server that DMI names."
    )
    static let probeCloud = Flag(
        "probe-cloud",
        help: "Ask for a cloud's metadata server, for half a second, also where DMI names no cloud."
    )
    static let explain = Flag("explain", help: "Show the evidence for every fact.")

    static let declaration = Command(
        name: "detect",
        overview: "Tell where this program runs, with the evidence.",
        parameters: [root, path, noNetwork, probeCloud, explain, SharedParameters.json],
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        if input[explain] && input[SharedParameters.json] {
            throw CommandError(usage: "--explain and --json exclude each other; JSON has it all")
        }
        if input[noNetwork] && input[probeCloud] {
            throw CommandError(usage: "--no-network and --probe-cloud exclude each other")
        }
        let host: HostRoot
        do throws(Errno) {
            host = try HostRoot(path: input[root])
        } catch {
            throw CommandError("cannot open the tree", input[root], error)
        }
        if input[probeCloud] && !host.isLive {
            throw CommandError(usage: "--probe-cloud asks this machine, --root looks at another")
        }
        let policy: MetadataPolicy =
            input[noNetwork] ? .forbidden : input[probeCloud] ? .probe : .whereNamed
        let detection = Detection(root: host, path: input[path], metadata: policy)
        if input[SharedParameters.json] {
            console.print(detection.json())
        } else if input[explain] {
            console.write(detection.explanation())
        } else {
            console.write(detection.summary())
        }
    }
}
