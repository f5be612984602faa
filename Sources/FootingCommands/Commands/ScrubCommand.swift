internal import FootingDisk
internal import FootingSystem
internal import Glibc

/// `footing disk scrub`: whether what is stored is still what was written, while it is served.
enum ScrubCommand {
    /// What is read in a second where nobody says otherwise.
    static let defaultBytesPerSecond: UInt64 = 32 << 20

    static let rate = Option(
        "rate",
        .byteSize,
        default: defaultBytesPerSecond,
        help: "Bytes to read in a second at most."
    )
    static let stop = Flag("stop", help: "Stop; the next one goes on from there.")
    static let wait = Flag("wait", help: "Wait for the end of the pass.")

    static let declaration = Command(
        name: "scrub",
        overview: "Have a served disk verify all it stores, in the background.",
        discussion: """
            Reads the disk and then its snapshots, past the caches of this program and, where the \
            file system allows it, of the kernel, and compares every checksum. 'footing status' \
            tells what it finds, also after a restart. Where its server ends, the next one goes \
            on, at the same rate; where it was stopped, the next 'scrub' does. What was written \
            in the last seconds is left to the next pass. A disk at rest is verified with \
            'footing disk check'. With --wait the exit status is 1 if something is damaged.
            """,
        parameters: [
            DiskCommand.path.model, rate.model, stop.model, wait.model, SharedParameters.json.model,
        ],
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        let path = input[DiskCommand.path]
        var status = try ask(
            input[stop] ? "scrub-stop" : "scrub-start",
            input[stop] ? .null : ["bytesPerSecond": JSONValue(input[rate])],
            path
        )
        if input[wait] && !input[stop] {
            var line = ProgressLine(console)
            while status["running"] == .bool(true) {
                line.show("scrubbing: \(place(status))")
                usleep(200_000)
                status = try ask("scrub-status", .null, path)
            }
            line.clear()
        }
        if input[SharedParameters.json] {
            console.print(status)
        } else {
            console.write(text(status))
        }
        if case .string(let reason) = status["failure"] {
            throw CommandError("cannot go on to scrub", path, reason)
        }
        if input[wait], status["damagedBlocks"].unsigned > 0 {
            throw CommandError("\(path): \(status["damagedBlocks"].unsigned) damaged blocks")
        }
    }

    private static func ask(
        _ command: String,
        _ arguments: JSONValue,
        _ path: String
    ) throws(CommandError) -> JSONValue {
        if let status = try ServedDisk.ask(command, arguments, path, "scrub") { return status }
        throw CommandError(
            "cannot scrub",
            path,
            "this user serves no such disk",
            remedy: "verify a disk at rest with 'footing disk check'"
        )
    }

    private static func text(_ status: JSONValue) -> String {
        var text = summary(status) + "\n"
        for damage in status["damages"].elements {
            let count = damage["blocks"].unsigned
            let blocks = count == 1 ? "block" : "\(count) blocks from"
            let owner = damage["snapshot"] == .null ? "" : "snapshot '\(damage["snapshot"].text)': "
            text += "\(owner)\(blocks) \(damage["block"].unsigned) at byte "
            text += "\(damage["offset"].unsigned): \(damage["problem"].text)\n"
        }
        return text
    }

    /// One line, also for `footing status`.
    static func summary(_ status: JSONValue) -> String {
        let damaged = status["damagedBlocks"].unsigned
        let found = damaged == 0 ? "nothing damaged" : "\(damaged) DAMAGED BLOCKS"
        let isRunning = status["running"] == .bool(true)
        if isRunning || status["finished"] == .bool(false) {
            let rate = "at most \(ByteSize.text(status["bytesPerSecond"].unsigned))/s"
            let state = isRunning ? "\(place(status)), \(rate)" : "stopped \(place(status))"
            // What an earlier pass found is there until this one tells otherwise.
            let before = status["lastPassDamagedBlocks"].unsigned
            return "\(state); \(found) so far"
                + (before == 0 ? "" : ", and \(before) DAMAGED BLOCKS in the pass before")
        }
        if status["lastPassUnixSeconds"] == .null { return "never to the end" }
        let time = UTCText.text(unixSeconds: status["lastPassUnixSeconds"].unsigned)
        return "done at \(time); \(found)"
    }

    private static func place(_ status: JSONValue) -> String {
        let offset = ByteSize.text(status["offset"].unsigned)
        if status["snapshot"].unsigned > 0 {
            return "at \(offset) of snapshot \(status["snapshot"].unsigned)"
        }
        return "at \(offset) of \(ByteSize.text(status["sizeBytes"].unsigned))"
    }
}

extension Disk {
    /// How far scrubbing has come.
    var scrubJSON: JSONValue {
        let status = scrub
        return [
            "schema": "footing.scrub/1",
            "running": .bool(status.isRunning),
            "finished": .bool(!status.isRunning && !hasScrubToFinish),
            "stopped": .bool(!status.isRunning && hasScrubToFinish && isScrubStopped),
            "bytesPerSecond": JSONValue(status.bytesPerSecond),
            "offset": JSONValue(status.offset),
            "sizeBytes": JSONValue(sizeBytes),
            "snapshot": JSONValue(status.snapshot),
            "verifiedBytes": JSONValue(status.verifiedBytes),
            "passes": JSONValue(status.passCount),
            "lastPassUnixSeconds": status.lastPassUnixSeconds.map { JSONValue($0) } ?? .null,
            "lastPassDamagedBlocks": JSONValue(status.lastPassDamagedBlockCount),
            "damagedBlocks": JSONValue(status.damagedBlockCount),
            "damages": .array(
                status.damages.map { damage in
                    [
                        "block": JSONValue(damage.block),
                        "blocks": JSONValue(damage.blockCount),
                        "offset": JSONValue(damage.offset),
                        "problem": .string(damage.problem),
                        "snapshot": damage.snapshot.map { .string($0) } ?? .null,
                    ]
                }
            ),
            "failure": status.failure.map { .string($0) } ?? .null,
        ]
    }
}
