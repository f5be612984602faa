internal import FootingDisk
internal import FootingSystem

/// `footing disk`: make a disk, look at it, and verify it.
enum DiskCommand {
    static let path = Argument("path", .file, help: "The disk's container: a file or block device.")

    static let declaration = Command(
        name: "disk",
        overview: "Create, describe and verify disks.",
        subcommands: [
            DiskCreateCommand.declaration, DiskInfoCommand.declaration,
            DiskCheckCommand.declaration,
        ]
    )

    static func failure(_ error: DiskError) -> CommandError {
        CommandError(error.description)
    }
}

/// `footing disk create`: a new, empty disk.
enum DiskCreateCommand {
    static let size = Option(
        "size",
        letter: "s",
        .byteSize,
        help: "What clients see, such as 10G; a multiple of 512 bytes, at most 64T."
    )
    static let spare = Option(
        "spare",
        .integer(DiskOptions.sparePercentMin...1000),
        default: 33,
        help: "Room beyond the data in percent; less costs speed when the disk is full."
    )
    static let segment = Option(
        optional: "segment",
        .byteSize,
        help: "Size of a segment, a power of two from 64K to 64M; by default chosen by size."
    )

    static let device = Flag(
        "device",
        help: "The path is a block device, and what is on it is given up."
    )

    static let declaration = Command(
        name: "create",
        overview: "Create a disk.",
        discussion: """
            A file is sparse: it takes space on the host as data is written, at most the size \
            plus the spare room. A block device must be that large.
            """,
        parameters: [
            DiskCommand.path.model, size.model, spare.model, segment.model, device.model,
            SharedParameters.json.model,
        ],
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        var options = DiskOptions(sizeBytes: input[size])
        options.sparePercent = input[spare]
        options.segmentSizeBytes = input[segment]
        let path = input[DiskCommand.path]
        if !input[device], isBlockDevice(path) {
            throw CommandError(
                usage:
                    "'\(path)' is a block device; with --device the disk is made on it, and what "
                    + "is there is given up"
            )
        }
        do throws(DiskError) {
            if input[device] {
                try Disk.create(onDevice: input[DiskCommand.path], options)
            } else {
                try Disk.create(path: input[DiskCommand.path], options)
            }
            let information = try DiskInformation(path: input[DiskCommand.path])
            try DiskInfoCommand.print(information, input, console)
        } catch {
            throw DiskCommand.failure(error)
        }
    }

    private static func isBlockDevice(_ path: String) -> Bool {
        let file = try? FileDescriptor.open(path, [.readOnly, .path])
        return (try? file?.status())?.kind == .blockDevice
    }
}

/// `footing disk info`: what a container says of itself.
enum DiskInfoCommand {
    static let declaration = Command(
        name: "info",
        overview: "Tell what a disk is; it may be in use.",
        parameters: [DiskCommand.path.model, SharedParameters.json.model],
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        do throws(DiskError) {
            try print(DiskInformation(path: input[DiskCommand.path]), input, console)
        } catch {
            throw DiskCommand.failure(error)
        }
    }

    static func print(
        _ information: DiskInformation,
        _ input: Invocation,
        _ console: Console
    ) throws(DiskError) {
        let path = input[DiskCommand.path]
        let usage = try DiskUsage(path: path)
        let geometry = information.geometry
        if input[SharedParameters.json] {
            return console.print([
                "schema": "footing.disk/1",
                "path": .string(path),
                "uuid": .string(information.identifier.description),
                "formatVersion": JSONValue(UInt64(information.formatVersion)),
                "sizeBytes": JSONValue(geometry.sizeBytes),
                "containerBytes": JSONValue(geometry.containerSizeBytes),
                "allocatedBytes": JSONValue(usage.allocatedBytes),
                "segmentBytes": JSONValue(geometry.segmentSizeBytes),
                "segments": JSONValue(UInt64(geometry.segmentCount)),
                "generation": JSONValue(information.generation),
                "openings": JSONValue(UInt64(information.epoch)),
                "clean": .bool(information.isClean),
                "inUse": .bool(usage.isInUse),
                "createdUnixSeconds": JSONValue(information.createdUnixSeconds),
            ])
        }
        let state =
            usage.isInUse
            ? "in use" : information.isClean ? "closed cleanly" : "not closed: recovers when opened"
        var table = TextTable(alignments: [.left, .left])
        table.add(["disk", path])
        table.add(["uuid", information.identifier.description])
        table.add(["size", ByteSize.text(geometry.sizeBytes)])
        table.add([
            "container",
            "\(ByteSize.text(geometry.containerSizeBytes)) at most, "
                + "\(ByteSize.text(usage.allocatedBytes)) allocated",
        ])
        table.add([
            "segments", "\(geometry.segmentCount) of \(ByteSize.text(geometry.segmentSizeBytes))",
        ])
        table.add(["state", state])
        console.write(table.text())
    }
}
