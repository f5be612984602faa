internal import FootingDeployment
internal import FootingHost
internal import FootingSystem
internal import FootingTuning

/// `footing record`: what `footing detect` reads, in one small file without secrets.
enum RecordCommand {
    static let file = Argument("file", .file, help: "The recording to write; must not exist yet.")
    static let path = Option(
        optional: "path",
        .file,
        help: "Also record what lies under this path: file system, devices, queues."
    )

    static let declaration = Command(
        name: "record",
        overview: "Record this machine's facts in one file, for a bug report.",
        discussion: """
            The file is a compressed archive of at most 1 MiB, which 'tar tzf' lists and \
            'footing detect --recording' replays. Serial numbers, UUIDs, addresses, \
            host names and where network file systems come from are replaced by hashes of the same \
            shape; their key is thrown away.
            """,
        parameters: [
            file.model, DetectCommand.root.model, path.model, SharedParameters.json.model,
        ],
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        let recorder: HostRecorder
        let root: HostRoot
        do throws(Errno) {
            recorder = try HostRecorder(path: input[DetectCommand.root])
            root = try recorder.root()
        } catch {
            throw CommandError("cannot open the tree", input[DetectCommand.root], error)
        }
        // What is recorded is what was asked: so everything is.
        let detection = Detection(root: root, path: input[path])
        _ = CapabilityRegistry.gather(root: root, report: detection.report)
        _ = TuningPlan(detection, root: root, profile: TuningProfile.choose(detection))
        let recording: MachineRecording
        do throws(ArchiveError) {
            recording = try MachineRecording(
                recorder,
                path: input[path],
                program: "footing \(Release.version)"
            )
        } catch {
            throw CommandError("cannot record", input[DetectCommand.root], error.description)
        }
        do throws(Errno) {
            try write(recording.bytes, to: input[file])
        } catch {
            let remedy = error == .fileExists ? "remove it, or choose another name" : nil
            throw CommandError("cannot write", input[file], error, remedy: remedy)
        }
        if input[SharedParameters.json] {
            console.print(json(recording, input[file]))
        } else {
            console.write(TerminalText.harmless(text(recording, input[file])))
        }
    }

    private static func write(_ bytes: [UInt8], to path: String) throws(Errno) {
        let file = try FileDescriptor.open(path, [.writeOnly, .create, .exclusive])
        let result: Result<Void, Errno> = unsafe bytes.withUnsafeBytes { buffer in
            do throws(Errno) {
                return .success(try unsafe file.write(buffer))
            } catch {
                return .failure(error)
            }
        }
        do throws(Errno) {
            try result.get()
        } catch {
            // Half a recording would only be found out when somebody needs it.
            FileDescriptor.remove(path)
            throw error
        }
    }

    private static func text(_ recording: MachineRecording, _ path: String) -> String {
        let size = ByteSize.text(UInt64(recording.bytes.count))
        var text = "\(path): \(recording.entryCount) entries, \(recording.leafCount) CPUID leaves, "
        text += "\(size) compressed\n"
        for path in recording.omitted { text += "left out, too large for a recording: \(path)\n" }
        return text
    }

    private static func json(_ recording: MachineRecording, _ path: String) -> JSONValue {
        [
            "schema": "footing.record/1",
            "path": .string(path),
            "bytes": JSONValue(UInt64(recording.bytes.count)),
            "entries": JSONValue(UInt64(recording.entryCount)),
            "cpuidLeaves": JSONValue(UInt64(recording.leafCount)),
            "omitted": .array(recording.omitted.map { .string($0) }),
        ]
    }
}

/// The machine that a command looks at: this one, a tree, or a recording.
enum MachineOption {
    /// What `--root` and `--recording` name.
    static func machine(_ input: Invocation) throws(CommandError) -> RecordedMachine {
        if let file = input[DetectCommand.recording] {
            guard input[DetectCommand.root] == "/" else {
                throw CommandError(usage: "--root and --recording name two different machines")
            }
            return try recording(file)
        }
        do throws(Errno) {
            return RecordedMachine(root: try HostRoot(path: input[DetectCommand.root]))
        } catch {
            throw CommandError("cannot open the tree", input[DetectCommand.root], error)
        }
    }

    /// Opens a recording of `footing record`.
    private static func recording(_ path: String) throws(CommandError) -> RecordedMachine {
        let bytes: [UInt8]
        do throws(Errno) {
            bytes = try read(path, limitBytes: MachineRecording.archiveBytesMaximum)
        } catch {
            throw CommandError("cannot read the recording", path, error)
        }
        do throws(ArchiveError) {
            return try MachineRecording.machine(in: bytes, path: path)
        } catch {
            throw CommandError("cannot replay", path, error.description)
        }
    }

    /// A file's bytes, at most one more than the limit.
    private static func read(_ path: String, limitBytes: Int) throws(Errno) -> [UInt8] {
        let file = try FileDescriptor.open(path, [.readOnly])
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while content.count <= limitBytes {
            let result: Result<Int, Errno> = unsafe chunk.withUnsafeMutableBytes { buffer in
                do throws(Errno) {
                    return .success(try unsafe file.read(into: buffer))
                } catch {
                    return .failure(error)
                }
            }
            let count = try result.get()
            if count == 0 { break }
            content += chunk[..<count]
        }
        return content
    }
}
