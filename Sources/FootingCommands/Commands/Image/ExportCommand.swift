internal import FootingDisk
internal import FootingNBD
internal import FootingSystem

/// `footing disk export`: a disk as an image for others.
enum ExportCommand {
    static let source = Argument(
        "disk",
        .file,
        help: "The disk's container, or one of its snapshots, as in disk.footing@monday."
    )
    static let target = Argument("image", .file, help: "The image, which must not be there.")

    static let declaration = Command(
        name: "export",
        overview: "Write a disk or a snapshot to a raw or qcow2 image.",
        discussion: """
            The image has its name when it is complete; until then '.partial-' and a number \
            are behind it. Every \
            block is verified on the way, and what holds nothing is a hole. A disk that is served \
            cannot be exported, but its snapshots can. For qcow2 'qemu-img' is needed.
            """,
        parameters: [
            source.model, target.model, ImageFormat.option.model, SharedParameters.json.model,
        ] + KeyOptions.current.models,
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        let path = input[target]
        let format = try ImageFormat.chosen(input, path)
        try ImageTool.cleanUpOnSignals()
        let start = SystemClock().nanoseconds
        var line = ProgressLine(console)
        let result: (sizeBytes: UInt64, copied: UInt64?)
        do throws(CommandError) {
            result = try write(input, to: path, format, &line)
        } catch {
            line.clear()
            throw error
        }
        line.clear()
        let nanoseconds = SystemClock().nanoseconds - start
        if input[SharedParameters.json] {
            return console.print([
                "schema": "footing.export/1",
                "path": .string(path),
                "format": .string(format.rawValue),
                "sizeBytes": JSONValue(result.sizeBytes),
                "copiedBytes": result.copied.map { JSONValue($0) } ?? .null,
                "nanoseconds": JSONValue(nanoseconds),
            ])
        }
        let what = result.copied.map { "\(ByteSize.text($0)) of " } ?? ""
        let time = DurationText.text(.nanoseconds(Int64(nanoseconds)))
        console.print("exported \(what)\(ByteSize.text(result.sizeBytes)) in \(time)")
    }

    private static func write(
        _ input: Invocation,
        to path: String,
        _ format: ImageFormat,
        _ line: inout ProgressLine
    ) throws(CommandError) -> (UInt64, UInt64?) {
        let source = input[source]
        if let at = source.lastIndex(of: "@"), !isThere(source) {
            let container = String(source[..<at])
            let name = String(source[source.index(after: at)...])
            let key = try KeyOptions.forDisk(container, input)
            try CloneCommand.settle(container, name, key)
            let snapshot: DiskSnapshot
            do throws(DiskError) {
                snapshot = try SnapshotClone.open(path: container, snapshot: name, key: key)
            } catch {
                throw DiskCommand.failure(error)
            }
            let export = SnapshotExport(snapshot, name: "disk")
            return try write(snapshot, export, to: path, format, &line)
        }
        let disk: Disk
        var options = EngineOptions()
        options.key = try KeyOptions.forDisk(source, input)
        do throws(DiskError) { disk = try Disk(path: source, options: options) } catch {
            guard error.kind == .busy else { throw DiskCommand.failure(error) }
            throw CommandError(
                "cannot export",
                source,
                "it is in use",
                remedy: "export one of its snapshots: \(source)@NAME"
            )
        }
        let result: (UInt64, UInt64?)
        do throws(CommandError) {
            result = try write(disk, DiskExport(disk, name: "disk"), to: path, format, &line)
        } catch {
            try? disk.close()
            throw error
        }
        do throws(DiskError) { try disk.close() } catch { throw DiskCommand.failure(error) }
        return result
    }

    private static func isThere(_ path: String) -> Bool {
        (try? FileDescriptor.open(path, [.readOnly, .path])) != nil
    }

    private static func write(
        _ reader: any DiskReader,
        _ export: any Export,
        to path: String,
        _ format: ImageFormat,
        _ line: inout ProgressLine
    ) throws(CommandError) -> (UInt64, UInt64?) {
        if format == .qcow2 {
            try writeQcow(export, to: path, &line)
            return (reader.sizeBytes, nil)
        }
        var shown = line
        defer { line = shown }
        do throws(DiskError) {
            let count = try RawImage.export(reader, to: path) { done in
                shown.show("exporting", done: done.bytesDone, total: done.bytesTotal)
            }
            return (reader.sizeBytes, count)
        } catch {
            throw DiskCommand.failure(error)
        }
    }

    private static func writeQcow(
        _ export: any Export,
        to path: String,
        _ line: inout ProgressLine
    ) throws(CommandError) {
        var file: PartialFile
        do throws(Errno) { file = try PartialFile(path: path) } catch {
            throw CommandError("cannot make", path, error)
        }
        // For its owner alone, as a disk is: 'qemu-img' leaves a file's mode as it finds it.
        do throws(Errno) {
            _ = try FileDescriptor.open(file.partialPath, [.readWrite, .create, .exclusive])
        } catch {
            throw CommandError("cannot make", path, error)
        }
        let target = ImageTool.file(file.partialPath)
        try ImageTool.convert(export, "exporting", &line) { uri in
            ["-f", "raw", "-O", "qcow2", uri, target]
        }
        do throws(Errno) {
            try FileDescriptor.open(file.partialPath, .readWrite).synchronize()
            try file.complete()
        } catch {
            throw CommandError("cannot finish", path, error)
        }
    }
}
