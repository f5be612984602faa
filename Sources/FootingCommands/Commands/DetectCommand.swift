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
    static let recording = Option(
        optional: "recording",
        .file,
        help: "Look at a machine that 'footing record' recorded, as if this ran there."
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
        parameters: [
            root, recording, path, noNetwork, probeCloud, explain, SharedParameters.json,
        ],
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
        let machine = try MachineOption.machine(input)
        if input[probeCloud] && !machine.root.isLive {
            throw CommandError(usage: "--probe-cloud asks this machine, and another was named")
        }
        let policy: MetadataPolicy =
            input[noNetwork] ? .forbidden : input[probeCloud] ? .probe : .whereNamed
        let detection = Detection(
            root: machine.root,
            path: input[path] ?? machine.path,
            metadata: policy
        )
        if input[SharedParameters.json] {
            console.print(detection.json())
        } else if input[explain] {
            console.write(detection.explanation())
        } else {
            console.write(detection.summary())
        }
    }
}
