internal import FootingDisk
internal import FootingNBD
internal import FootingSystem

/// `footing disk import`: an image of others as a disk.
enum ImportCommand {
    static let source = Argument(
        "image",
        .file,
        help: "The image: a file, or for raw also a block device."
    )
    static let target = Argument("disk", .file, help: "The new container, which must not be there.")

    static let declaration = Command(
        name: "import",
        overview: "Make a disk of a raw or qcow2 image.",
        discussion: """
            The disk has its name when it is complete; until then '.partial-' and a number \
            are behind it. Zeros \
            take no space. The image must not change meanwhile. For qcow2 'qemu-img' is needed; \
            one that needs another file, such as a backing file, is refused.
            """,
        parameters: [
            source.model, target.model, ImageFormat.option.model, DiskCreateCommand.spare.model,
            DiskCreateCommand.snapshotReserve.model, DiskCreateCommand.segment.model,
            DiskCreateCommand.compression.model, DiskCreateCommand.encrypts.model,
            SharedParameters.json.model,
        ] + KeyOptions.current.models,
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        let path = input[source]
        let format = try ImageFormat.chosen(input, path)
        let size = try size(path, format)
        var options = DiskCreateCommand.options(input, size: size)
        options.encryption = try DiskCreateCommand.encryption(input)
        let start = SystemClock().nanoseconds
        var line = ProgressLine(console)
        do throws(CommandError) {
            try fill(path, format, options, input, &line)
        } catch {
            line.clear()
            throw error
        }
        line.clear()
        let nanoseconds = SystemClock().nanoseconds - start
        if input[SharedParameters.json] {
            return console.print([
                "schema": "footing.import/1",
                "path": .string(input[target]),
                "format": .string(format.rawValue),
                "sizeBytes": JSONValue(size),
                "nanoseconds": JSONValue(nanoseconds),
            ])
        }
        let time = DurationText.text(.nanoseconds(Int64(nanoseconds)))
        console.print("imported \(ByteSize.text(size)) in \(time)")
    }

    private static func size(
        _ path: String,
        _ format: ImageFormat
    ) throws(CommandError) -> UInt64 {
        if format == .qcow2 { return try QcowHeader(path: path).sizeBytes }
        do throws(DiskError) { return try RawImage.sizeBytes(path: path) } catch {
            throw DiskCommand.failure(error)
        }
    }

    private static func fill(
        _ path: String,
        _ format: ImageFormat,
        _ options: DiskOptions,
        _ input: Invocation,
        _ line: inout ProgressLine
    ) throws(CommandError) {
        var shown = line
        defer { line = shown }
        var failure: CommandError?
        do throws(DiskError) {
            try NewDisk.make(path: input[target], options) { (disk) throws(DiskError) in
                if format == .raw {
                    _ = try RawImage.load(path: path, into: disk) { done in
                        shown.show("importing", done: done.bytesDone, total: done.bytesTotal)
                    }
                    return
                }
                do throws(CommandError) {
                    let export = DiskExport(disk, name: "disk")
                    try ImageTool.convert(export, "importing", &shown) { uri in
                        [
                            "-n", "--target-is-zero", "-f", "qcow2", "-O", "raw",
                            ImageTool.file(path), uri,
                        ]
                    }
                } catch {
                    failure = error
                    throw DiskError(.failed, "import", error.message)
                }
                try disk.flush()
            }
        } catch {
            throw failure ?? DiskCommand.failure(error)
        }
    }
}
