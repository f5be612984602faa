internal import FootingDeployment
internal import FootingDisk
internal import FootingSystem

/// `footing disk resize`: a disk of another size, at rest or while it is served.
enum ResizeCommand {
    static let size = Option(
        "size",
        letter: "s",
        .byteSize,
        help: "What clients are to see, such as 20G; a multiple of 512 bytes, at most 64T."
    )

    static let declaration = Command(
        name: "resize",
        overview: "Make a disk larger or smaller; it may be served.",
        discussion: """
            Clients see the new size when they connect anew. Room beyond the data grows in \
            proportion. A smaller size is refused where there is data beyond it, or clients are \
            connected; the container keeps its room. Snapshots keep the size they were made with, \
            and a disk of another size does not go back to them: clone them. A size is refused \
            for which the disk would need more memory than its server may use. On a block device \
            make the device larger first. Programs from before this cannot open the disk any more.
            """,
        parameters: [DiskCommand.path.model, size.model, SharedParameters.json.model]
            + KeyOptions.current.models,
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        let size = input[size]
        let path = input[DiskCommand.path]
        let result = try ServedDisk.change(
            "resize",
            ["sizeBytes": JSONValue(size)],
            path,
            input,
            "resize",
            options: { () throws(CommandError) in try options(path) }
        ) { (disk) throws(DiskError) in
            let before = disk.sizeBytes
            try disk.resize(toBytes: size)
            return json(before, size)
        }
        if input[SharedParameters.json] { return console.print(result) }
        let before = ByteSize.text(result["previousSizeBytes"].unsigned)
        console.print("\(before) before, \(ByteSize.text(result["sizeBytes"].unsigned)) now")
    }

    /// The memory that 'footing serve' would give the disk here: it must be able to serve it.
    private static func options(_ path: String) throws(CommandError) -> EngineOptions {
        var options = EngineOptions()
        options.apply(try ServeCommand.detect(path).profile)
        return options
    }

    static func json(_ before: UInt64, _ size: UInt64) -> JSONValue {
        [
            "schema": "footing.resize/1",
            "previousSizeBytes": JSONValue(before),
            "sizeBytes": JSONValue(size),
        ]
    }
}
