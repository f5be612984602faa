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
            and a disk of another size does not go back to them: clone them. On a block device \
            make the device larger first. Programs from before this cannot open the disk any more.
            """,
        parameters: [DiskCommand.path.model, size.model, SharedParameters.json.model]
            + KeyOptions.current.models,
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        let size = input[size]
        let result = try ServedDisk.change(
            "resize",
            ["sizeBytes": JSONValue(size)],
            input[DiskCommand.path],
            input,
            "resize"
        ) { (disk) throws(DiskError) in
            let before = disk.sizeBytes
            try disk.resize(toBytes: size)
            return json(before, size)
        }
        if input[SharedParameters.json] { return console.print(result) }
        let before = ByteSize.text(result["previousSizeBytes"].unsigned)
        console.print("\(before) before, \(ByteSize.text(result["sizeBytes"].unsigned)) now")
    }

    static func json(_ before: UInt64, _ size: UInt64) -> JSONValue {
        [
            "schema": "footing.resize/1",
            "previousSizeBytes": JSONValue(before),
            "sizeBytes": JSONValue(size),
        ]
    }
}
