internal import FootingDisk
internal import FootingSystem

/// `footing disk snapshot`: what a disk was, kept.
enum SnapshotCommand {
    static let name = Argument(
        "name",
        .text,
        help: "The snapshot's name: 1 to 255 bytes without '@' and '/'."
    )

    static let declaration = Command(
        name: "snapshot",
        overview: "Create, list, delete and go back to snapshots of a disk.",
        discussion: """
            Works on a disk at rest and on one that 'footing serve' serves. A snapshot costs \
            nothing when it is made; later it keeps what is overwritten or trimmed. Its clients \
            ask NBD for the export 'disk@snapshot', read-only, beside the disk itself.
            """,
        subcommands: [create, list, delete, rollback]
    )

    private static let create = Command(
        name: "create",
        overview: "Keep what a disk is now, in constant time.",
        parameters: [DiskCommand.path.model, name.model, SharedParameters.json.model]
            + KeyOptions.current.models,
        run: runCreate
    )

    private static let list = Command(
        name: "list",
        overview: "Tell which snapshots there are and what space they keep.",
        discussion: """
            Refers to: all that it needs, shared parts included. Frees: the segments that nothing \
            else needs; deleting it frees them, but for the few pages that the deletion writes.
            """,
        parameters: [DiskCommand.path.model, SharedParameters.json.model]
            + KeyOptions.current.models,
        run: runList
    )

    private static let delete = Command(
        name: "delete",
        overview: "Delete a snapshot and free what only it needs.",
        discussion: "Refused while a client reads it.",
        parameters: [DiskCommand.path.model, name.model, SharedParameters.json.model]
            + KeyOptions.current.models,
        run: runDelete
    )

    private static let rollback = Command(
        name: "rollback",
        overview: "Make a disk what it was; everything written since is gone.",
        discussion: """
            Refused while a client is connected. What the disk is now is lost unless there is a \
            snapshot of it.
            """,
        parameters: [DiskCommand.path.model, name.model, SharedParameters.json.model]
            + KeyOptions.current.models,
        run: runRollback
    )

    // MARK: - Running

    @Sendable
    private static func runCreate(
        _ input: Invocation,
        _ console: Console
    ) throws(CommandError) {
        let name = input[name]
        let result = try change("create", input) { (disk) throws(DiskError) in
            try disk.createdSnapshot(name)
        }
        if input[SharedParameters.json] { return console.print(result) }
        let time = Duration.nanoseconds(Int64(clamping: result["nanoseconds"].unsigned))
        console.print("snapshot '\(shown(name))' made in \(DurationText.text(time))")
    }

    @Sendable
    private static func runDelete(
        _ input: Invocation,
        _ console: Console
    ) throws(CommandError) {
        let name = input[name]
        let result = try change("delete", input) { (disk) throws(DiskError) in
            try disk.deleteSnapshot(name)
            return SnapshotCommand.done("deleted", name)
        }
        if input[SharedParameters.json] { return console.print(result) }
        console.print("snapshot '\(shown(name))' deleted")
    }

    @Sendable
    private static func runRollback(
        _ input: Invocation,
        _ console: Console
    ) throws(CommandError) {
        let name = input[name]
        let result = try change("rollback", input) { (disk) throws(DiskError) in
            try disk.rollBack(to: name)
            return SnapshotCommand.done("rolledBack", name)
        }
        if input[SharedParameters.json] { return console.print(result) }
        console.print("the disk is again what it was at snapshot '\(shown(name))'")
    }

    @Sendable
    private static func runList(_ input: Invocation, _ console: Console) throws(CommandError) {
        let path = input[DiskCommand.path]
        try KeyOptions.requireUse(path, input)
        var result = try ask("list", nil, path)
        if result == nil {
            let key = try KeyOptions.forDisk(path, input)
            do throws(DiskError) {
                result = json(try SnapshotInformation.list(path: path, key: key))
            } catch {
                throw DiskCommand.failure(error)
            }
        }
        guard let result else { return }
        if input[SharedParameters.json] { return console.print(result) }
        console.write(text(result["snapshots"].elements))
    }

    private static func change(
        _ command: String,
        _ input: Invocation,
        _ body: (Disk) throws(DiskError) -> JSONValue
    ) throws(CommandError) -> JSONValue {
        try ServedDisk.change(
            "snapshot-" + command,
            ["name": .string(input[name])],
            input[DiskCommand.path],
            input,
            "\(command) a snapshot of",
            body
        )
    }

    /// Asks who serves a disk.
    ///
    /// - Returns: nil if nobody does.
    static func ask(
        _ command: String,
        _ name: String?,
        _ path: String
    ) throws(CommandError) -> JSONValue? {
        try ServedDisk.ask(
            "snapshot-" + command,
            name.map { ["name": .string($0)] } ?? .null,
            path,
            "\(command) a snapshot of"
        )
    }

    // MARK: - Text and JSON

    static func shown(_ name: String) -> String {
        TerminalText.harmless(name, keepsLineFeeds: false)
    }

    static func done(_ what: String, _ name: String) -> JSONValue {
        ["schema": "footing.snapshot/1", what: .string(name)]
    }

    static func json(_ snapshots: [SnapshotInformation]) -> JSONValue {
        ["schema": "footing.snapshots/1", "snapshots": .array(snapshots.map { $0.json })]
    }

    private static func text(_ snapshots: [JSONValue]) -> String {
        if snapshots.isEmpty { return "no snapshots\n" }
        var table = TextTable([
            ("snapshot", .left), ("created (UTC)", .left), ("refers to", .right),
            ("frees", .right), ("readers", .right),
        ])
        for snapshot in snapshots {
            let isPending = snapshot["pending"] == .bool(true)
            table.add([
                snapshot["name"].text,
                UTCText.text(unixSeconds: snapshot["createdUnixSeconds"].unsigned),
                isPending ? "being made" : ByteSize.text(snapshot["referencedBytes"].unsigned),
                isPending ? "" : ByteSize.text(snapshot["exclusiveBytes"].unsigned),
                "\(snapshot["readers"].unsigned)",
            ])
        }
        return table.text()
    }
}

extension SnapshotInformation {
    var json: JSONValue {
        [
            "name": .string(name),
            "identifier": JSONValue(identifier),
            "createdUnixSeconds": JSONValue(createdUnixSeconds),
            "sizeBytes": JSONValue(sizeBytes),
            "referencedBytes": referencedBytes.map { JSONValue($0) } ?? .null,
            "exclusiveBytes": exclusiveBytes.map { JSONValue($0) } ?? .null,
            "pending": .bool(isPending),
            "readers": JSONValue(UInt64(readerCount)),
        ]
    }
}

extension Disk {
    /// Makes a snapshot and tells how long that took.
    func createdSnapshot(_ name: String) throws(DiskError) -> JSONValue {
        let start = SystemClock().nanoseconds
        let snapshot = try createSnapshot(name)
        return [
            "schema": "footing.snapshot/1",
            "created": .string(snapshot.name),
            "identifier": JSONValue(snapshot.identifier),
            "createdUnixSeconds": JSONValue(snapshot.createdUnixSeconds),
            "nanoseconds": JSONValue(SystemClock().nanoseconds - start),
        ]
    }
}
