internal import FootingDeployment
internal import FootingDisk
internal import FootingSystem

/// `footing disk`: make a disk, look at it, and verify it.
enum DiskCommand {
    static let path = Argument("path", .file, help: "The disk's container: a file or block device.")

    static let declaration = Command(
        name: "disk",
        overview: "Create, describe, verify and change disks, and keep what they were.",
        subcommands: [
            DiskCreateCommand.declaration, DiskInfoCommand.declaration,
            DiskCheckCommand.declaration, DiskSetCommand.declaration, DiskKeyCommand.declaration,
            SnapshotCommand.declaration, CloneCommand.declaration,
            ResizeCommand.declaration, ExportCommand.declaration, ImportCommand.declaration,
            CompactCommand.declaration, ScrubCommand.declaration,
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
    static let snapshotReserve = Option(
        optional: "snapshot-reserve",
        .integer(0...DiskOptions.snapshotReservePercentMax),
        help: """
            Room for what snapshots keep, in percent of the size; 50 in a file, but at most 128G, \
            and 0 on a device.
            """
    )
    static let segment = Option(
        optional: "segment",
        .byteSize,
        help: "Size of a segment, a power of two from 64K to 64M; by default chosen by size."
    )

    static let compression = Option(
        "compression",
        .choice(of: CompressionPolicy.self),
        default: CompressionPolicy.none,
        help: "How writes are compressed: none, lz4, deflate or auto; can be changed later."
    )

    static let encrypts = Flag(
        "encrypt",
        help: "Encrypt the disk with AES-256-GCM; it cannot be encrypted or decrypted later."
    )

    static let keepsCopyOnWrite = Flag(
        "keep-copy-on-write",
        help: "On btrfs, do not give the file the attribute +C, which it cannot get later."
    )

    static let profile = Option(
        optional: "profile",
        .text,
        placeholder: "profile",
        help: "A built-in profile's name, or a file's path, whose segments and features hold."
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
            plus the spare room and the room for snapshots. A block device must be that large. \
            With snapshots of a disk that is full, what can be overwritten until it is full for \
            good is about the room for snapshots; it takes memory, 84 bytes for each segment.

            An encrypted disk asks for a passphrase, unless --passphrase-file or --key-file is \
            given. Without it nobody can read the disk again. 'footing disk key' adds others.

            With --profile a feature that the profile does not allow is refused, and the \
            segments are as large as it says, or as what the flash below erases at a time; with \
            hosted-optimizer = off nothing is prepared unless --prepare asks for it.

            --prepare all takes the whole container's space on the host, and writes it once: what \
            clients write there changes no block map then, and the host's journal has next to \
            nothing to commit. Space that is given back to the host later is prepared again while \
            the disk is served, or pays with its first write.
            """,
        parameters: [
            DiskCommand.path.model, size.model, spare.model, snapshotReserve.model, segment.model,
            compression.model, encrypts.model, device.model, keepsCopyOnWrite.model, profile.model,
            TuneParameters.set.model, DiskPreparation.option.model, SharedParameters.json.model,
        ] + KeyOptions.current.models,
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        var options = options(input, size: input[size])
        options.preparedBytes = input[DiskPreparation.option]
        options.keepsCopyOnWrite = input[keepsCopyOnWrite]
        if input[device] { options.snapshotReservePercent = input[snapshotReserve] ?? 0 }
        let path = input[DiskCommand.path]
        if let profile = try DiskCreateProfile(input) {
            let flash = DiskCreateProfile.flash(try ServeCommand.detect(path).report)
            let reason = try profile.apply(to: &options, input, path: path, flash: flash)
            if let reason { console.remark(reason) }
        } else {
            try DiskCreateProfile.tellUnused(path, console)
        }
        options.encryption = try encryption(input, console)
        if !input[device], isBlockDevice(path) {
            throw CommandError(
                usage:
                    "'\(path)' is a block device; with --device the disk is made on it, and what "
                    + "is there is given up"
            )
        }
        if input[device], input.isGiven(DiskPreparation.option.model) {
            throw CommandError(
                usage: "--prepare is for a disk in a file: under a device no journal commits"
            )
        }
        if (options.preparedBytes ?? 0) > 0 { try DiskPreparation.requireUse(path) }
        if !input[device] { try DiskPreparation.create(path: path, options, console) }
        do throws(DiskError) {
            if input[device] { try Disk.create(onDevice: path, options) }
            let information = try DiskInformation(path: path)
            try DiskInfoCommand.print(information, input, console)
        } catch {
            throw DiskCommand.failure(error)
        }
    }

    /// How a new disk is to be encrypted.
    static func encryption(
        _ input: Invocation,
        _ console: Console
    ) throws(CommandError) -> DiskEncryption? {
        if input[encrypts] {
            return try KeyOptions.current.forNew(input, console)
        }
        if KeyOptions.current.isGiven(input) {
            throw CommandError(usage: "a key is of use only with --encrypt")
        }
        return nil
    }

    /// What was asked for, for a disk in a file.
    static func options(_ input: Invocation, size: UInt64) -> DiskOptions {
        var options = DiskOptions(sizeBytes: size)
        options.sparePercent = input[spare]
        options.segmentSizeBytes = input[segment]
        options.compression = input[compression]
        let reserve = DiskOptions.snapshotReservePercent(sizeBytes: size)
        options.snapshotReservePercent = input[snapshotReserve] ?? reserve
        return options
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
                "compression": .string(information.compression.rawValue),
                "encrypted": .bool(information.isEncrypted),
                "keySlots": .array(information.keySlots.map { $0.json }),
                "keySlotsFailure": information.keySlotsFailure.map { .string($0.detail) } ?? .null,
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
        table.add(["compression", information.compression.rawValue])
        table.add(["encryption", encryptionText(information)])
        table.add(["state", state])
        console.write(table.text())
    }

    private static func encryptionText(_ information: DiskInformation) -> String {
        guard information.isEncrypted else { return information.encryptionText }
        if let failure = information.keySlotsFailure {
            return "\(information.encryptionText), \(failure.detail)"
        }
        let slots = information.keySlots.map { "\($0.index) \($0.kindText)" }
        return "\(information.encryptionText), key slots: " + slots.joined(separator: ", ")
    }
}

extension DiskInformation {
    /// How it is encrypted.
    var encryptionText: String { isEncrypted ? "AES-256-GCM" : "none" }
}
