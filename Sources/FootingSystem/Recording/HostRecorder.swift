/// Writes down what is asked of a machine: every content, link, folder and absence.
///
/// Detectors are given ``root()``; what they read there is what a recording needs. Each finding is
/// kept under the path that has no links in it, and each link on the way is kept too, so that the
/// replay finds the same by whichever way it comes.
public final class HostRecorder: Sendable {
    /// What was asked, and how often.
    public enum Access: String, Sendable, Hashable {
        /// The content of a file.
        case content
        /// The target of a link.
        case link
        /// The names in a folder.
        case names
    }

    /// One question about one path, as it was asked.
    public struct Question: Sendable, Hashable {
        /// What was asked.
        public let access: Access
        /// About which path, from the root and without links.
        public let path: String

        /// One question.
        public init(access: Access, path: String) {
            self.access = access
            self.path = path
        }
    }

    private struct State {
        var nodes: [String: RecordedNode] = [:]
        /// The target of each path that was walked through; nil where it is no link.
        var targets: [String: String?] = [:]
        var counts: [Question: Int] = [:]
        var leaves: [UInt64: [UInt32]]?
        var answers: [String: Result<String, Errno>] = [:]
    }

    private let state = Locked(State())
    private let source: HostRoot

    /// Prepares to record a machine.
    ///
    /// - Parameter path: `/` for the live machine, otherwise a tree, as for a ``HostRoot``.
    public init(path: String = "/") throws(Errno) {
        source = try HostRoot(path: path)
    }

    /// The machine, every question to which is written down.
    public func root() throws(Errno) -> HostRoot {
        try HostRoot(path: source.path, recorder: self)
    }

    /// What was found, by path from the root.
    public var nodes: [String: RecordedNode] {
        var nodes = state.withLock { $0.nodes }
        for path in nodes.keys {
            // What has something below it is a folder, also one that may not be listed, and one
            // that was something else when it was looked at before.
            var above = path[...]
            while let slash = above.utf8.lastIndex(of: UInt8(ascii: "/")) {
                above = above[..<slash]
                let folder = String(above)
                if nodes[folder, default: .folder] != .folder { nodes[folder] = .folder }
            }
        }
        return nodes
    }

    /// How often each question was asked.
    public var counts: [Question: Int] { state.withLock { $0.counts } }

    /// The CPUID leaves that were asked for, by leaf in the high and sub-leaf in the low half.
    ///
    /// Each is EAX, EBX, ECX and EDX. Nil if the machine was not asked, or has none.
    public var leaves: [UInt64: [UInt32]]? { state.withLock { $0.leaves } }

    /// What was found out otherwise than by reading a file whole, by question.
    public var answers: [String: Result<String, Errno>] { state.withLock { $0.answers } }

    /// The content of a file that holds one of the machine's names, read but not written down.
    ///
    /// Nil if it is not there.
    public func identity(_ path: String) -> [UInt8]? {
        try? source.bytes(path)
    }

    /// Writes down a CPUID leaf.
    public func note(leaf: UInt32, subleaf: UInt32, registers: [UInt32]) {
        state.withLock {
            var leaves = $0.leaves ?? [:]
            leaves[UInt64(leaf) << 32 | UInt64(subleaf)] = registers
            $0.leaves = leaves
        }
    }

    func note(_ answer: Result<String, Errno>, to question: String) {
        state.withLock { $0.answers[question] = answer }
    }

    func note(content: Result<[UInt8], Errno>, of path: String) {
        let node: RecordedNode =
            switch content {
            case .success(let bytes): .file(bytes)
            case .failure(.isDirectory): .folder
            case .failure(let error): .failure(error)
            }
        note(node, at: path, .content, followsLast: true)
    }

    func note(link: Result<String, Errno>, at path: String) {
        switch link {
        case .success(let target): note(.link(target), at: path, .link, followsLast: false)
        // EINVAL says that something else is there, which is no failure to keep.
        case .failure(.invalidArgument): note(.present, at: path, .link, followsLast: false)
        case .failure(let error): note(.failure(error), at: path, .link, followsLast: false)
        }
    }

    func note(names: Result<[String], Errno>, in path: String) {
        switch names {
        case .failure(let error): note(.failure(error), at: path, .names, followsLast: true)
        case .success(let names):
            note(.folder, at: path, .names, followsLast: true)
            for name in names { note(statusOf: "\(path)/\(name)", followsLink: false) }
        }
    }

    /// Looks itself, as a status does not tell where a link leads.
    func note(statusOf path: String, followsLink: Bool) {
        guard let status = try? source.status(path, followsLink: followsLink) else { return }
        let node: RecordedNode =
            switch status.kind {
            case .directory: .folder
            case .blockDevice: .blockDevice(status.device)
            case .symbolicLink: (try? source.link(path)).map { .link($0) } ?? .present
            case .regular, .socket, .pipe, .other: .present
            }
        note(node, at: path, nil, followsLast: followsLink)
    }

    private func note(
        _ node: RecordedNode,
        at path: String,
        _ access: Access?,
        followsLast: Bool
    ) {
        state.withLock { state in
            let canonical = try? PathWalk.canonical(path, followsLast: followsLast) {
                target(of: $0, &state)
            }
            // Links that lead in a circle are recorded as they are, and fail again in the replay.
            guard let canonical else { return }
            if let access {
                state.counts[Question(access: access, path: canonical), default: 0] += 1
            }
            // Absence is what the replay finds where nothing was recorded.
            switch node {
            case .failure(.noSuchFile), .failure(.notDirectory), .failure(.tooManyLinks): return
            default: break
            }
            guard !canonical.isEmpty else { return }
            state.nodes[canonical] = state.nodes[canonical]?.merged(with: node) ?? node
        }
    }

    private func target(of path: String, _ state: inout State) -> String? {
        if let known = state.targets[path] { return known }
        let target = try? source.link(path)
        state.targets[path] = .some(target)
        if let target { state.nodes[path] = .link(target) }
        return target
    }
}
