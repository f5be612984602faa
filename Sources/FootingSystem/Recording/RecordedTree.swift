/// A machine's files in memory: what a recording holds, looked up as the kernel would.
///
/// Nothing is unpacked to a disk, so a recording can neither reach a file of this machine nor leave
/// one behind, however it was made and however the program ends.
public final class RecordedTree: Sendable {
    private let nodes: [String: RecordedNode]
    private let children: [String: [String]]
    /// What was found out otherwise than by reading a file whole; see ``HostRoot/answer(_:find:)``.
    let answers: [String: Result<String, Errno>]

    /// The most components of a path; no machine's tree is nearly as deep.
    static let depthMaximum = 128
    /// What folders that no entry names may take: their paths, and so much for each.
    private static let impliedBytesMaximum = 16 << 20
    private static let impliedFolderBytes = 64

    /// Builds the tree.
    ///
    /// - Parameters:
    ///   - nodes: by path from the root, without a slash at the front; folders above a path need
    ///     not be named.
    ///   - answers: by question, as ``HostRecorder/answers`` has them.
    ///   - order: the names in a folder, where stand-ins for some of them are to be listed in the
    ///     order of what they stand for.
    /// - Throws: ``ArchiveError`` where a path leaves the tree, or leads through what is no folder,
    ///   and where paths are deeper, or name more folders, than any machine's.
    public init(
        _ nodes: [String: RecordedNode],
        answers: [String: Result<String, Errno>] = [:],
        order: [String: [String]] = [:]
    ) throws(ArchiveError) {
        var all = nodes
        var names: [String: Set<String>] = [:]
        var impliedBytes = 0
        for path in nodes.keys {
            let parts = PathWalk.components(path)
            guard !parts.isEmpty, parts.joined(separator: "/") == path,
                !parts.contains(where: { $0 == "." || $0 == ".." || $0.utf8.contains(0) })
            else { throw ArchiveError("the path '\(path)' is not one within the tree") }
            guard parts.count <= Self.depthMaximum else {
                throw ArchiveError("the path '\(path.prefix(100))...' is too deep")
            }
            var folder = ""
            for (index, part) in parts.enumerated() {
                names[folder, default: []].insert(String(part))
                folder += folder.isEmpty ? String(part) : "/\(part)"
                guard index + 1 < parts.count else { break }
                if let above = all[folder] {
                    guard above == .folder else {
                        throw ArchiveError("'\(path)' lies below '\(folder)', which is no folder")
                    }
                    continue
                }
                // An entry of a few bytes may imply folders of many: they would fill the memory.
                impliedBytes += folder.utf8.count + Self.impliedFolderBytes
                guard impliedBytes <= Self.impliedBytesMaximum else {
                    throw ArchiveError("its paths name more folders than any machine has")
                }
                all[folder] = .folder
            }
        }
        all[""] = .folder
        self.nodes = all
        var children = names.mapValues { $0.sorted() }
        for (folder, wanted) in order where wanted.sorted() == children[folder] {
            children[folder] = wanted
        }
        self.children = children
        self.answers = answers
    }

    /// The path without links on its way, and what is there.
    func node(
        _ path: String,
        followsLast: Bool = true
    ) throws(Errno) -> (path: String, node: RecordedNode) {
        let canonical = try PathWalk.canonical(path, followsLast: followsLast) {
            if case .link(let target)? = nodes[$0] { target } else { nil }
        }
        if let node = nodes[canonical] { return (canonical, node) }
        var above = canonical[...]
        while let slash = above.utf8.lastIndex(of: UInt8(ascii: "/")) {
            above = above[..<slash]
            if let node = nodes[String(above)] {
                throw node == .folder ? .noSuchFile : .notDirectory
            }
        }
        throw .noSuchFile
    }

    /// The recorded content of a file.
    func bytes(_ path: String) throws(Errno) -> [UInt8] {
        switch try node(path).node {
        case .file(let content): return content
        case .folder: throw .isDirectory
        case .failure(let error): throw error
        // That it is there was all that was asked; its content is not known.
        case .present: throw .permissionDenied
        case .blockDevice, .link: throw .noDevice
        }
    }

    /// The target of a link, verbatim.
    func link(_ path: String) throws(Errno) -> String {
        guard case .link(let target) = try node(path, followsLast: false).node else {
            throw .invalidArgument
        }
        return target
    }

    /// The names in a folder, sorted.
    func names(_ path: String) throws(Errno) -> [String] {
        let found = try node(path)
        switch found.node {
        case .folder: return children[found.path] ?? []
        case .failure(let error): throw error
        default: throw .notDirectory
        }
    }

    /// What is at a path.
    func status(_ path: String, followsLast: Bool) throws(Errno) -> FileStatus {
        switch try node(path, followsLast: followsLast).node {
        case .folder: FileStatus(recorded: .directory)
        case .file(let content): FileStatus(recorded: .regular, sizeBytes: UInt64(content.count))
        case .blockDevice(let device): FileStatus(recorded: .blockDevice, device: device)
        case .failure, .present: FileStatus(recorded: .regular)
        case .link: FileStatus(recorded: .symbolicLink)
        }
    }
}
