internal import FootingDisk
internal import FootingSystem

/// `footing disk check`: whether every structure and every byte is what was written.
enum DiskCheckCommand {
    static let declaration = Command(
        name: "check",
        overview: "Verify every structure and checksum; changes nothing.",
        discussion: """
            Reads all data. A disk that was not closed is verified as its recovery would find it. \
            The exit status is 1 if anything is wrong.
            """,
        parameters: [DiskCommand.path.model, SharedParameters.json.model]
            + KeyOptions.current.models,
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        let path = input[DiskCommand.path]
        let key = try KeyOptions.forDisk(path, input)
        var line = ProgressLine(console)
        let start = SystemClock().nanoseconds
        let report: CheckReport
        do throws(DiskError) {
            report = try DiskCheck.run(path: path, key: key) { progress in
                line.show("checking", done: progress.bytesDone, total: progress.bytesTotal)
            }
        } catch {
            line.clear()
            throw DiskCommand.failure(error)
        }
        line.clear()
        let elapsed = Int64(SystemClock().nanoseconds - start)
        if input[SharedParameters.json] {
            console.print(json(report, path))
        } else {
            console.write(text(report, .nanoseconds(elapsed)))
        }
        if let worst = report.worst, worst > .note {
            let count = report.findings.count + report.omittedFindingCount
            throw CommandError("\(path): \(count) findings, the worst: \(worst.rawValue)")
        }
    }

    private static func text(_ report: CheckReport, _ elapsed: Duration) -> String {
        var text = report.findings.map { "\($0)\n" }.joined()
        if report.omittedFindingCount > 0 {
            text += "and \(report.omittedFindingCount) more\n"
        }
        let state =
            report.wasClean
            ? "closed cleanly" : "not closed, \(report.commitCount) commits to replay"
        var table = TextTable(alignments: [.left, .left])
        table.add(["state", state])
        table.add(["map pages", "\(report.mapPageCount)"])
        table.add(["blocks", "\(report.blockCount)"])
        table.add(["snapshots", "\(report.snapshotCount)"])
        table.add([
            "verified",
            "\(ByteSize.text(report.bytesVerified)) in \(DurationText.text(elapsed))",
        ])
        table.add(["result", report.worst.map { $0.rawValue } ?? "nothing wrong"])
        return text + table.text()
    }

    private static func json(_ report: CheckReport, _ path: String) -> JSONValue {
        [
            "schema": "footing.check/1",
            "path": .string(path),
            "wasClean": .bool(report.wasClean),
            "commits": JSONValue(UInt64(report.commitCount)),
            "mapPages": JSONValue(report.mapPageCount),
            "blocks": JSONValue(report.blockCount),
            "snapshots": JSONValue(UInt64(report.snapshotCount)),
            "bytesVerified": JSONValue(report.bytesVerified),
            "omittedFindings": JSONValue(UInt64(report.omittedFindingCount)),
            "findings": .array(
                report.findings.map {
                    [
                        "severity": .string($0.severity.rawValue),
                        "what": .string($0.what),
                        "offset": JSONValue($0.offset),
                        "consequence": .string($0.consequence),
                    ]
                }
            ),
        ]
    }
}
