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
            the first disk. That one may be in use. Every block is verified on the way. With \
            --encrypt the copy is encrypted, with a key of its own, which --new-passphrase-file \
            or --new-key-file opens, or what opens the source; without it the copy is not.
            """,
        parameters: [
            source.model, target.model, DiskCreateCommand.encrypts.model,
            SharedParameters.json.model,
        ] + KeyOptions.current.models + KeyOptions.new.models,
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
        let key = try KeyOptions.forDisk(path, input)
        let encryption = try encryption(input, key, console)
        try settle(path, name, key)
        try ImageTool.cleanUpOnSignals()
        var line = ProgressLine(console)
        let start = SystemClock().nanoseconds
        let bytes: UInt64
        do throws(DiskError) {
            bytes = try SnapshotClone.run(
                path: path,
                snapshot: name,
                to: input[target],
                key: key,
                encryption: encryption
            ) { done in
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

    /// How the copy is encrypted.
    private static func encryption(
        _ input: Invocation,
        _ key: DiskKey?,
        _ console: Console
    ) throws(CommandError) -> DiskEncryption? {
        guard input[DiskCreateCommand.encrypts] else {
            if KeyOptions.new.isGiven(input) {
                throw CommandError(usage: "a new key is of use only with --encrypt")
            }
            return nil
        }
        guard let key, !KeyOptions.new.isGiven(input) else {
            return try KeyOptions.new.forNew(input, console)
        }
        let encryption = KeyOptions.encryption(key)
        if let weakness = encryption.weakness { console.remark(weakness) }
        return encryption
    }

    /// Sees to it that a snapshot that was just made has its tree.
    static func settle(
        _ path: String,
        _ name: String,
        _ key: DiskKey?
    ) throws(CommandError) {
        if try SnapshotCommand.ask("settle", name, path) != nil { return }
        do throws(DiskError) {
            let snapshots = try SnapshotInformation.list(path: path, key: key)
            guard snapshots.contains(where: { $0.name == name && $0.isPending }) else { return }
            var options = EngineOptions()
            options.key = key
            try Disk(path: path, options: options).close()
        } catch {
            throw DiskCommand.failure(error)
        }
    }
}
