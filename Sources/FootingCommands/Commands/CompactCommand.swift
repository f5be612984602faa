internal import FootingDisk
internal import FootingSystem
internal import Glibc

/// `footing disk compact`: a container as small as its content.
enum CompactCommand {
    static let stop = Flag("stop", help: "End the one that the disk's server is at.")

    static let declaration = Command(
        name: "compact",
        overview: "Give what a container does not need back to its host.",
        discussion: """
            Empties every segment that has enough outdated in it, and punches holes. It may be \
            interrupted at any time: what was won is kept. While the disk is served the server \
            does it, beside its clients, also after this command was interrupted; it keeps some \
            room to write at once. What snapshots keep stays.
            """,
        parameters: [DiskCommand.path.model, stop.model, SharedParameters.json.model]
            + KeyOptions.current.models,
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        let path = input[DiskCommand.path]
        if input[stop] {
            guard try ServedDisk.ask("compact-stop", .null, path, "stop") != nil else {
                throw CommandError("cannot stop", path, "this user serves no such disk")
            }
            return input[SharedParameters.json]
                ? console.print(["schema": "footing.compact/1", "running": .bool(false)])
                : console.print("stopping")
        }
        let before = try allocated(path)
        var line = ProgressLine(console)
        let result: JSONValue
        do throws(CommandError) {
            result = try compact(path, input, &line)
        } catch {
            line.clear()
            throw error
        }
        line.clear()
        if case .string(let reason) = result["failure"] {
            throw CommandError("cannot go on to compact", path, reason)
        }
        let after = try allocated(path)
        if input[SharedParameters.json] {
            return console.print([
                "schema": "footing.compact/1",
                "running": .bool(false),
                "path": .string(path),
                "allocatedBytesBefore": JSONValue(before),
                "allocatedBytes": JSONValue(after),
                "segmentsEmptied": result["segmentsEmptied"],
            ])
        }
        console.print(
            "\(ByteSize.text(before)) before, \(ByteSize.text(after)) now, "
                + "\(result["segmentsEmptied"].unsigned) segments emptied"
        )
    }

    private static func allocated(_ path: String) throws(CommandError) -> UInt64 {
        do throws(DiskError) { return try DiskUsage(path: path).allocatedBytes } catch {
            throw DiskCommand.failure(error)
        }
    }

    private static func compact(
        _ path: String,
        _ input: Invocation,
        _ line: inout ProgressLine
    ) throws(CommandError) -> JSONValue {
        try KeyOptions.requireUse(path, input)
        if var status = try ServedDisk.ask("compact-start", .null, path, "compact") {
            while status["running"] == .bool(true) {
                show(status, &line)
                usleep(200_000)
                guard let next = try ServedDisk.ask("compact-status", .null, path, "compact") else {
                    throw CommandError("cannot compact", path, "its server ended meanwhile")
                }
                status = next
            }
            return status
        }
        var options = EngineOptions()
        options.key = try KeyOptions.forDisk(path, input)
        var shown = line
        defer { line = shown }
        do throws(DiskError) {
            let disk = try Disk(path: path, options: options)
            do throws(DiskError) {
                let status = try disk.compact { status in
                    show(status.json, &shown)
                    return true
                }
                try disk.close(returnsSpace: true)
                return status.json
            } catch {
                try? disk.close()
                throw error
            }
        } catch {
            throw DiskCommand.failure(error)
        }
    }

    private static func show(_ status: JSONValue, _ line: inout ProgressLine) {
        let done = status["segmentsEmptied"].unsigned
        let unused = status["unusedBytes"].unsigned
        if unused > 0 {
            let told = status["discardedBytes"].unsigned
            return line.show("giving back to the host", done: told, total: unused)
        }
        line.show("compacting: \(done) of at most \(status["segments"].unsigned) segments")
    }
}

extension CompactionStatus {
    var json: JSONValue {
        [
            "running": .bool(isRunning),
            "segmentsEmptied": JSONValue(UInt64(doneCount)),
            "segments": JSONValue(UInt64(max(totalCount, doneCount))),
            "returnedBytes": JSONValue(returnedBytes),
            "discardedBytes": JSONValue(discardedBytes),
            "unusedBytes": JSONValue(unusedBytes),
            "failure": failure.map { .string($0.description) } ?? .null,
        ]
    }
}
