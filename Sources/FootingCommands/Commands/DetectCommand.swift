internal import FootingDeployment
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
    static let only = Option(
        optional: "only",
        .choice(of: DetectionField.self),
        placeholder: "field",
        help: "Print one word, for scripts."
    )
    static let watch = Flag("watch", help: "Go on, and print a line for each change and its cause.")
    static let explain = Flag("explain", help: "Show the evidence for every fact.")

    static let declaration = Command(
        name: "detect",
        overview: "Tell where this program runs, with the evidence.",
        discussion: """
            With --only the exit status is 0 if there is what was asked for (a virtual machine, a \
            container, a cloud) and 1 if the word is none or unknown, or names the hypervisor of a \
            host. With --watch, SIGINT and SIGTERM end it; with --json as well, each line is a \
            document.
            """,
        parameters: [root, path, only, watch, explain, SharedParameters.json],
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
        let host: HostRoot
        do throws(Errno) {
            host = try HostRoot(path: input[root])
        } catch {
            throw CommandError("cannot open the tree", input[root], error)
        }
        if input[watch] {
            guard host.isLive else {
                throw CommandError(usage: "--watch needs this machine; a recorded one stays as is")
            }
            return try DetectWatch(root: host, path: input[path], isJSON: isJSON).run(console)
        }
        let detection = Detection(root: host, path: input[path])
        if let field = input[only] {
            let word = field.word(detection)
            console.print(word.text)
            if !word.isFound { throw .answerIsNo }
        } else if isJSON {
            console.print(detection.json())
        } else if input[explain] {
            console.write(detection.explanation())
        } else {
            console.write(detection.summary())
        }
    }
}
