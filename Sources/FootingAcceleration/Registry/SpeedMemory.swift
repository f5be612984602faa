public import FootingSystem
internal import Glibc

/// What a measurement depends on: another processor or library has other figures.
public struct SpeedCircumstances: Hashable, Sendable {
    /// The processor's model, as firmware names it.
    public let processor: String
    /// The libraries with their versions.
    public let libraries: [String]
    /// The names of the implementations that are there.
    public let names: [String]

    /// Puts them together.
    public init(processor: String, names: [String]) {
        self.processor = processor
        self.names = names
        libraries = SoftwareAccelerator.libraries
    }

    var json: JSONValue {
        [
            "processor": .string(processor),
            "libraries": .array(libraries.map { .string($0) }),
            "names": .array(names.map { .string($0) }),
        ]
    }
}

/// The file that keeps what was measured, so that it is measured once for each processor.
///
/// It is a convenience: a file that is missing, damaged or somebody else's is as good as none.
public struct SpeedMemory: Sendable {
    /// Processors that one file remembers; the one that was measured longest ago goes first.
    static let entriesMaximum = 16
    private static let schema = "footing.speeds/1"
    private static let bytesMaximum = 256 << 10

    /// The file.
    public let path: String

    /// The file `speeds.json` in a folder.
    public init(folder: String) { path = folder + "/speeds.json" }

    /// What was measured under the same circumstances; nil if nothing was.
    public func load(_ circumstances: SpeedCircumstances) -> SpeedTable? {
        let wanted = circumstances.json
        let entry = entries().first { $0.member("circumstances") == wanted }
        guard let table = entry?.member("speeds").flatMap({ SpeedTable($0) }), !table.isEmpty
        else { return nil }
        return table
    }

    /// Adds what was measured, replacing the file at once.
    public func save(_ table: SpeedTable, _ circumstances: SpeedCircumstances) throws(Errno) {
        let key = circumstances.json
        var kept = entries().filter { $0.member("circumstances") != key }
        kept.insert(["circumstances": key, "speeds": table.json], at: 0)
        let document: JSONValue = [
            "schema": .string(Self.schema),
            "measured": .array(Array(kept.prefix(Self.entriesMaximum))),
        ]
        try replace(document.text() + "\n")
    }

    private func entries() -> [JSONValue] {
        guard let bytes = try? read(),
            let document = try? JSONValue(parsing: bytes, bytesMaximum: Self.bytesMaximum),
            document.member("schema") == .string(Self.schema),
            case .array(let entries)? = document.member("measured")
        else { return [] }
        return entries.filter {
            $0.member("circumstances") != nil
                && $0.member("speeds").flatMap { SpeedTable($0) } != nil
        }
    }

    private func read() throws(Errno) -> [UInt8] {
        let file = try FileDescriptor.open(path, [.readOnly, .noFollow, .nonBlocking])
        var content = [UInt8](repeating: 0, count: Self.bytesMaximum + 1)
        let result: Result<Int, Errno> = unsafe content.withUnsafeMutableBytes { buffer in
            do throws(Errno) {
                return .success(try unsafe file.read(at: 0, into: buffer))
            } catch {
                return .failure(error)
            }
        }
        return Array(content[..<(try result.get())])
    }

    /// Writes beside the file, then renames: a reader sees the old or the new, never a part.
    private func replace(_ text: String) throws(Errno) {
        let temporary = "\(path).\(ProcessIdentity.number)"
        FileDescriptor.remove(temporary)
        let file = try FileDescriptor.open(temporary, [.writeOnly, .create, .exclusive])
        do throws(Errno) {
            try file.write(text)
            try file.synchronize()
            guard unsafe rename(temporary, path) == 0 else { throw Errno.current }
        } catch {
            FileDescriptor.remove(temporary)
            throw error
        }
    }
}
