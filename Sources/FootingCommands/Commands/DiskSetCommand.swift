internal import FootingDisk
internal import FootingSystem

/// `footing disk set`: change a disk, at rest or while it is served.
enum DiskSetCommand {
    static let compression = Option(
        "compression",
        .choice(of: CompressionPolicy.self),
        help: "How writes are compressed: none, lz4, deflate or auto."
    )

    static let declaration = Command(
        name: "set",
        overview: "Change a disk, which may be served.",
        discussion: """
            What was written before stays as it is until it is overwritten or moved. 'auto' is \
            lz4 for what is written, and deflate for what has grown cold. A program that knows no \
            compression cannot open a disk on which it was ever on.
            """,
        parameters: [DiskCommand.path.model, compression.model, SharedParameters.json.model]
            + KeyOptions.current.models,
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        let path = input[DiskCommand.path]
        let policy = input[compression]
        _ = try ServedDisk.change(
            "compression",
            ["policy": .string(policy.rawValue)],
            path,
            input,
            "set the compression of"
        ) { (disk) throws(DiskError) in
            try disk.setCompression(policy)
            return .null
        }
        if input[SharedParameters.json] {
            return console.print([
                "schema": "footing.set/1",
                "path": .string(path),
                "compression": .string(policy.rawValue),
            ])
        }
        console.print("compression \(policy.rawValue)")
    }
}
