internal import FootingSystem
internal import FootingTuning

/// `footing bench`: how fast a place is, in a form that two machines can be compared by.
enum BenchCommand {
    static let path = Argument(
        "path",
        .file,
        default: ".",
        help: "A folder, or a file whose folder is measured; with --compare the first document."
    )
    static let other = Argument(
        optional: "other",
        .file,
        help: "With --compare: the second document."
    )
    static let size = Option(
        "size",
        .byteSize,
        default: 512 << 20,
        help: "The scratch file at most, 16M to 1T; a slow place gets a smaller one."
    )
    static let seconds = Option(
        "seconds",
        .integer(1...3600),
        default: 30,
        help: "How long to measure, about; writing the file takes at most half as long."
    )
    static let rounds = Option(
        "rounds",
        .integer(1...100),
        default: 5,
        help: "How often everything is measured."
    )
    static let compare = Flag("compare", help: "Compare two documents that --json has printed.")

    static let declaration = Command(
        name: "bench",
        overview: "Measure how fast a place is, and whether its flushes can be believed.",
        discussion: """
            Works on a scratch file of its own in the folder, never on your data: it has no name, \
            so nothing is left of it however the program ends. A folder that would become short \
            of space is refused. Percentiles and rates are medians of several rounds, in each of \
            which everything is measured in another order. Reads and writes go past the page \
            cache where the file system can do that.
            """,
        parameters: [
            path.model, other.model, size.model, seconds.model, rounds.model, compare.model,
            SharedParameters.json.model,
        ],
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        guard input[compare] == (input[other] != nil) else {
            throw CommandError(usage: "--compare takes two documents, a measurement one path")
        }
        if let second = input[other] {
            return try compare(input[path], second, input, console)
        }
        let root: HostRoot
        do throws(Errno) {
            // The scratch file has a name for some microseconds.
            try UnfinishedFile.removeOnSignals()
            root = try HostRoot()
        } catch {
            throw CommandError("cannot open the tree", "/", error)
        }
        let line = Locked(ProgressLine(console))
        let report: BenchReport
        do throws(MeasureError) {
            report = try Bench(
                root: root,
                path: input[path],
                limits: .init(
                    sizeBytes: input[size],
                    seconds: input[seconds],
                    rounds: input[rounds]
                ),
                progress: { task, done in line.withLock { $0.show(task, share: done) } }
            ).run()
        } catch {
            line.withLock { $0.clear() }
            throw CommandError("cannot measure: \(error)")
        }
        line.withLock { $0.clear() }
        if input[SharedParameters.json] { return console.print(report.json) }
        console.write(TerminalText.harmless(BenchText.text(report)))
    }

    private static func compare(
        _ first: String,
        _ second: String,
        _ input: Invocation,
        _ console: Console
    ) throws(CommandError) {
        let comparison = BenchComparison(try read(first), try read(second))
        if input[SharedParameters.json] { return console.print(comparison.json) }
        console.write(TerminalText.harmless(BenchText.text(comparison)))
    }

    private static let documentBytesMaximum = 4 << 20

    private static func read(_ path: String) throws(CommandError) -> BenchReport {
        let bytes: [UInt8]
        do throws(Errno) {
            bytes = try SmallFile.beginning(path, bytes: documentBytesMaximum + 1)
            if bytes.count > documentBytesMaximum { throw .tooLarge }
        } catch {
            throw CommandError("cannot read", path, error)
        }
        do throws(MeasureError) {
            return try BenchReport(bytes)
        } catch {
            throw CommandError("cannot use", path, error.description)
        }
    }
}
