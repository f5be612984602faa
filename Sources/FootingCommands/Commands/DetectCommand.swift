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
    static let only = Option(
        optional: "only",
        .choice(of: DetectionField.self),
        placeholder: "field",
        help: "Print one word, for scripts."
    )
    static let watch = Flag("watch", help: "Go on, and print a line for each change and its cause.")
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
        discussion: """
            With --only the exit status is 0 if there is what was asked for (a virtual machine, a \
            container, a cloud) and 1 if the word is none or unknown, or names the hypervisor of a \
            host. With --watch, SIGINT and SIGTERM end it; with --json as well, each line is a \
            document. Neither of the two sends a packet.
            """,
        parameters: [
            root.model, recording.model, path.model, only.model, watch.model, noNetwork.model,
            probeCloud.model, explain.model, SharedParameters.json.model,
        ],
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        let isJSON = input[SharedParameters.json]
        if input[explain] && isJSON {
            throw CommandError(usage: "--explain and --json exclude each other; JSON has it all")
        }
        if input[only] != nil && (isJSON || input[explain] || input[watch]) {
            throw CommandError(usage: "--only prints one word; it goes with --root and --path only")
        }
        if input[explain] && input[watch] {
            throw CommandError(usage: "--explain and --watch exclude each other")
        }
        if input[noNetwork] && input[probeCloud] {
            throw CommandError(usage: "--no-network and --probe-cloud exclude each other")
        }
        if input[probeCloud] && (input[watch] || input[only] != nil) {
            throw CommandError(usage: "--watch and --only send no packet, --probe-cloud does")
        }
        let machine = try MachineOption.machine(input)
        let place = input[path] ?? machine.path
        if !machine.root.isLive && (input[probeCloud] || input[watch]) {
            throw CommandError(usage: "--watch and --probe-cloud need this machine, not another")
        }
        if input[watch] {
            return try DetectWatch(root: machine.root, path: place, isJSON: isJSON).run(console)
        }
        if let field = input[only] {
            let word = field.word(Detection(root: machine.root, path: place))
            console.print(TerminalText.harmless(word.text, keepsLineFeeds: false))
            if !word.isFound { throw .answerIsNo }
            return
        }
        let policy: MetadataPolicy =
            input[noNetwork] ? .forbidden : input[probeCloud] ? .probe : .whereNamed
        let detection = Detection(root: machine.root, path: place, metadata: policy)
        if isJSON {
            console.write(detection.text())
        } else if input[explain] {
            console.write(TerminalText.harmless(detection.explanation()))
        } else {
            console.write(TerminalText.harmless(detection.summary()))
        }
    }
}
