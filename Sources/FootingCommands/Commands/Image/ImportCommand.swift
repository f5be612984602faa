internal import FootingDeployment
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
            one that needs another file, such as a backing file, is refused. Interrupted, it \
            leaves nothing behind.

            With --profile a feature that the profile does not allow is refused, and the \
            segments are as large as it says, or as what the flash below erases at a time.
            """,
        parameters: [
            source.model, target.model, ImageFormat.option.model, DiskCreateCommand.spare.model,
            DiskCreateCommand.snapshotReserve.model, DiskCreateCommand.segment.model,
            DiskCreateCommand.compression.model, DiskCreateCommand.encrypts.model,
            DiskCreateCommand.profile.model, TuneParameters.set.model,
            SharedParameters.json.model,
        ] + KeyOptions.current.models,
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        let path = input[source]
        let format = try ImageFormat.chosen(input, path)
        try ImageTool.cleanUpOnSignals()
        let start = SystemClock().nanoseconds
        var line = ProgressLine(console)
        let size: UInt64
        do throws(CommandError) {
            size = try copy(path, format, input, console, &line)
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

    /// - Returns: the disk's size.
    private static func copy(
        _ path: String,
        _ format: ImageFormat,
        _ input: Invocation,
        _ console: Console,
        _ line: inout ProgressLine
    ) throws(CommandError) -> UInt64 {
        var shown = line
        defer { line = shown }
        if format == .qcow2 {
            let image = try QcowImage(path: path)
            try make(input, console, size: image.sizeBytes) { (disk) throws(CommandError) in
                let export = DiskExport(disk, name: "disk")
                let words = ["-n", "--target-is-zero", "-O", "raw", QcowImage.description]
                try ImageTool.convert(export, "importing", &shown, input: image.number) { uri in
                    words + [uri]
                }
                try image.requireUnchanged()
            }
            return image.sizeBytes
        }
        let size: UInt64
        do throws(DiskError) { size = try RawImage.sizeBytes(path: path) } catch {
            throw DiskCommand.failure(error)
        }
        try make(input, console, size: size) { (disk) throws(CommandError) in
            do throws(DiskError) {
                _ = try RawImage.load(path: path, into: disk) { done in
                    shown.show("importing", done: done.bytesDone, total: done.bytesTotal)
                }
            } catch {
                throw DiskCommand.failure(error)
            }
        }
        return size
    }

    private static func make(
        _ input: Invocation,
        _ console: Console,
        size: UInt64,
        _ fill: (Disk) throws(CommandError) -> Void
    ) throws(CommandError) {
        var failure: CommandError?
        var options = DiskCreateCommand.options(input, size: size)
        if let profile = try DiskCreateProfile(input) {
            let path = input[target]
            let flash = DiskCreateProfile.flash(try ServeCommand.detect(path).report)
            let reason = try profile.apply(to: &options, input, path: path, flash: flash)
            if let reason { console.remark(reason) }
        } else {
            try DiskCreateProfile.tellUnused(input[target], console)
        }
        options.encryption = try DiskCreateCommand.encryption(input, console)
        do throws(DiskError) {
            try NewDisk.make(path: input[target], options) { (disk) throws(DiskError) in
                do throws(CommandError) { try fill(disk) } catch {
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
