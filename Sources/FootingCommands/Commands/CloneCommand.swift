internal import FootingDisk
internal import FootingSystem

/// `footing disk clone`: a snapshot as a disk of its own.
enum CloneCommand {
    static let source = Argument(
        "snapshot",
        .file,
        help: "The disk's container and its snapshot, as in disk.footing@monday."
    )
    static let target = Argument("new", .file, help: "The new container, which must not be there.")

    static let declaration = Command(
        name: "clone",
        overview: "Copy a snapshot to a new disk.",
        discussion: """
            A full, sparse copy with checksums of its own, which can be written and does not need \
            the first disk. That one may be in use. Every block is verified on the way.
            """,
        parameters: [source.model, target.model, SharedParameters.json.model],
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        let text = input[source]
        guard let at = text.lastIndex(of: "@") else {
            throw CommandError(usage: "'\(text)' names no snapshot: write disk@snapshot")
        }
        let path = String(text[..<at])
        let name = String(text[text.index(after: at)...])
        try settle(path, name)
        var line = ProgressLine(console)
        let start = SystemClock().nanoseconds
        let bytes: UInt64
        do throws(DiskError) {
            bytes = try SnapshotClone.run(path: path, snapshot: name, to: input[target]) { done in
                line.show("copying", done: done.bytesDone, total: done.bytesTotal)
            }
        } catch {
            line.clear()
            throw DiskCommand.failure(error)
        }
        line.clear()
        let nanoseconds = SystemClock().nanoseconds - start
        if input[SharedParameters.json] {
            return console.print([
                "schema": "footing.clone/1",
                "path": .string(input[target]),
                "copiedBytes": JSONValue(bytes),
                "nanoseconds": JSONValue(nanoseconds),
            ])
        }
        let time = Duration.nanoseconds(Int64(nanoseconds))
        console.print("copied \(ByteSize.text(bytes)) in \(DurationText.text(time))")
    }

    /// Sees to it that a snapshot that was just made has its tree.
    static func settle(_ path: String, _ name: String) throws(CommandError) {
        if try SnapshotCommand.ask("settle", name, path) != nil { return }
        do throws(DiskError) {
            let snapshots = try SnapshotInformation.list(path: path)
            guard snapshots.contains(where: { $0.name == name && $0.isPending }) else { return }
            try Disk(path: path).close()
        } catch {
            throw DiskCommand.failure(error)
        }
    }
}
