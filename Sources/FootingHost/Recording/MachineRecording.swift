public import FootingSystem

/// A recorded machine in one file: a gzip-compressed ustar archive that `tar tzf` lists.
///
/// Beside the files that were read it holds `.cpuid.json`, `.uname.json`, and `.recording.json`
/// with what is no file: `{"format", "program", "path", "answers", "order", "errors",
/// "omitted"}`.
public struct MachineRecording: Sendable {
    /// The largest archive that is written or read.
    public static let archiveBytesMaximum = 1 << 20
    /// The most that an archive may hold once it is unpacked.
    static let contentBytesMaximum = 32 << 20
    /// What is no file of the machine.
    static let notesPath = ".recording.json"
    static let format: Int64 = 1

    /// The archive.
    public let bytes: [UInt8]
    /// How many files, links and folders it holds.
    public let entryCount: Int
    /// How many CPUID leaves it holds.
    public let leafCount: Int
    /// Files that were left out to keep it small, the largest first.
    public let omitted: [String]

    private let scrubber: Scrubber

    /// What stands in this archive for a text of the machine, to tell whether a replay is right.
    @_spi(Testing)
    public func standIn(for text: String) -> String {
        scrubber.name(text, in: Scrubber.answersPlace)
    }

    /// Makes the archive of what a recorder wrote down, with stand-ins for every secret.
    ///
    /// - Parameters:
    ///   - recorder: after everything was asked.
    ///   - path: the path that was asked about, if one was.
    ///   - program: the name and version of the program that records.
    /// - Throws: ``ArchiveError`` if the machine has more names than an archive can hold.
    public init(
        _ recorder: HostRecorder,
        path: String? = nil,
        program: String
    ) throws(ArchiveError) {
        try self.init(recorder, path: path, program: program, limit: Self.contentBytesMaximum)
    }

    /// The same with another limit of the bytes before they are packed, for tests.
    package init(
        _ recorder: HostRecorder,
        path: String? = nil,
        program: String,
        limit: Int
    ) throws(ArchiveError) {
        var files = recorder.nodes.compactMapValues {
            if case .file(let content) = $0 { content } else { nil }
        }
        for path in SecretRule.identities where files[path] == nil {
            files[path] = recorder.identity(path)
        }
        let scrubber = Scrubber(learningFrom: files)
        self.scrubber = scrubber
        var nodes = scrubber.scrubbed(recorder.nodes)
        let leaves = recorder.leaves.map { RecordedCPUID(leaves: $0) }
        leafCount = leaves?.count ?? 0
        nodes[RecordedCPUID.path] = leaves.map { .file($0.json().bytes()) }
        nodes[SystemName.path] = recorder.systemName.map {
            .file(scrubber.scrubbed($0).json().bytes())
        }
        var notes = Notes(program: program)
        notes.path = path.map { scrubber.name($0, in: Scrubber.answersPlace) }
        notes.answers = scrubber.scrubbed(recorder.answers)
        notes.keepOrder(of: recorder.nodes, scrubber)
        for case (let path, .failure(let error)) in nodes { notes.errors[path] = error }
        var omitted = nodes.keys.filter { !TapeArchive.canHold($0) }.sorted()
        for path in omitted { nodes[path] = nil }
        while true {
            notes.omitted = omitted
            nodes[Self.notesPath] = .file(notes.json().bytes())
            let unpacked = TapeArchive.bytes(of: nodes)
            if unpacked.count <= limit {
                let archive = Gzip.compress(unpacked)
                if archive.count <= Self.archiveBytesMaximum {
                    // What cannot be replayed is better found out now than by who gets it.
                    _ = try Self.machine(unpacked: unpacked, path: "")
                    bytes = archive
                    break
                }
            }
            guard let largest = Self.largest(nodes) else {
                throw ArchiveError("the names alone need more than 1 MiB")
            }
            nodes[largest] = .present
            omitted.append(largest)
        }
        entryCount = nodes.count
        self.omitted = omitted
    }

    /// The file with the longest content; one by one they go until the rest fits.
    private static func largest(_ nodes: [String: RecordedNode]) -> String? {
        let own: Set<String> = [notesPath, RecordedCPUID.path, SystemName.path]
        return nodes.compactMap { path, node -> (path: String, count: Int)? in
            guard case .file(let content) = node, !content.isEmpty, !own.contains(path) else {
                return nil
            }
            return (path, content.count)
        }.max { ($0.count, $1.path) < ($1.count, $0.path) }?.path
    }

    /// The machine that an archive holds; whoever made it is not trusted.
    ///
    /// - Parameters:
    ///   - bytes: the archive.
    ///   - path: what to call the machine, as the path of the archive.
    public static func machine(
        in bytes: [UInt8],
        path: String
    ) throws(ArchiveError) -> RecordedMachine {
        guard bytes.count <= archiveBytesMaximum else {
            throw ArchiveError("more than 1 MiB, which no recording has")
        }
        let archive = try Gzip.decompress(bytes, limitBytes: contentBytesMaximum)
        return try machine(unpacked: archive, path: path)
    }

    /// The machine that an archive holds that was unpacked already.
    @_spi(Fuzzing)
    public static func machine(
        unpacked archive: [UInt8],
        path: String
    ) throws(ArchiveError) -> RecordedMachine {
        var nodes = try TapeArchive.nodes(in: archive)
        let notes: Notes
        switch nodes.removeValue(forKey: notesPath) {
        case .file(let content)?: notes = try Notes(content)
        default: notes = Notes(program: "")
        }
        for (path, error) in notes.errors where nodes[path] == .present {
            nodes[path] = .failure(error)
        }
        let tree = try RecordedTree(nodes, answers: notes.answers, order: notes.order)
        return RecordedMachine(root: HostRoot(path: path, recording: tree), path: notes.path)
    }
}

/// A machine that was recorded.
public struct RecordedMachine: Sendable {
    /// Its files.
    public let root: HostRoot
    /// The path that was asked about when it was recorded, if one was.
    public let path: String?

    /// A machine, recorded or not.
    public init(root: HostRoot, path: String? = nil) {
        self.root = root
        self.path = path
    }
}

extension HostRecorder {
    /// What the machine says of its kernel, as a detector would be told.
    fileprivate var systemName: SystemName? {
        (try? root())?.systemName().value
    }
}
