internal import FootingSystem

/// Takes the secrets out of what was recorded.
struct Scrubber: Sendable {
    private let pseudonyms: Pseudonyms
    private let patterns: SecretPatterns
    /// Texts that are no secrets wherever they stand, in lower case.
    private let ordinary: Set<String>

    /// Learns the secrets, so that they are found wherever they stand.
    ///
    /// - Parameter files: contents by path, those that are to be recorded and those that only hold
    ///   names and ids.
    init(learningFrom files: [String: [UInt8]], _ pseudonyms: Pseudonyms = Pseudonyms()) {
        var known: [String] = []
        var hostNames: [String] = []
        var ordinary = SecretPatterns.fillers
        for (path, content) in files {
            let text = String(decoding: content.prefix { $0 != 0 }, as: UTF8.self).trimmed
            switch SecretRule.of(path) {
            case .secret?: known += Self.isTelling(text) ? [text] : []
            case .values(let names, let sign)?:
                hostNames += Self.values(text, names, sign)
            case .processors?:
                hostNames += Self.values(text, Self.processorNames, UInt8(ascii: ":"))
                hostNames += Self.identifications(text)
            case .makersText?: ordinary.insert(text.lowercased())
            case .hostName?:
                hostNames.append(text)
                // `db1.example.com` is also called `db1`.
                hostNames += pieces(text, separator: ".").prefix(1)
            default: break
            }
        }
        self.pseudonyms = pseudonyms
        self.ordinary = ordinary
        // Asset tags hold a cloud's sign, and with EC2 the maker's name.
        known.removeAll { ordinary.contains($0.lowercased()) || CloudVendor.isTag($0) }
        patterns = SecretPatterns(pseudonyms, known: known, hostNames: hostNames)
    }

    /// What stands behind the sign in lines whose name ends so.
    private static func values(_ text: String, _ names: [String], _ sign: UInt8) -> [String] {
        lines(text).compactMap { line in
            guard let end = line.utf8.firstIndex(of: sign) else { return nil }
            let name = String(line[..<end]).trimmed
            guard names.contains(where: { name.hasSuffix($0) }) else { return nil }
            return String(line[line.utf8.index(after: end)...]).trimmed
        }
    }

    private static let processorNames = ["Serial"]
    private static let identification = "identification = "

    /// IBM Z's numbers of processors: six digits, of which the first are the machine's.
    private static func identifications(_ text: String) -> [String] {
        let found = lines(text).lazy.flatMap { pieces($0, separator: ",") }
            .compactMap { $0.trimmed.dropping(prefix: identification)?.trimmed }
        return found.filter { $0.utf8.count >= 6 && $0.utf8.contains { $0 != 48 } }
    }

    /// Whether a serial number can be looked for elsewhere: `disk1` would be found by chance.
    private static func isTelling(_ text: String) -> Bool {
        text.utf8.count >= 8 && text.utf8.contains(where: \.isDigit)
    }

    /// A path, a link's target or another text that stands beside the contents.
    func name(_ text: String, in path: String) -> String {
        if path.hasPrefix("sys/firmware/efi/") { return text }
        return patterns.scrubbed(text, SecretRule.scope(path))
    }

    /// A tree with neither secrets in its contents nor in its names.
    func scrubbed(_ nodes: [String: RecordedNode]) -> [String: RecordedNode] {
        var result: [String: RecordedNode] = [:]
        for (path, node) in nodes {
            let node: RecordedNode =
                switch node {
                case .file(let content): .file(scrubbed(content, path))
                case .link(let target): .link(name(target, in: path))
                default: node
                }
            result[name(path, in: path)] = node
        }
        return result
    }

    /// What the kernel says of itself; who built it may have named the machine there.
    func scrubbed(_ system: SystemName) -> SystemName {
        SystemName(
            name: system.name,
            release: patterns.scrubbed(system.release, [.hostNames]),
            version: patterns.scrubbed(system.version, [.hostNames]),
            machine: system.machine
        )
    }

    /// What is kept of a file.
    func scrubbed(_ content: [UInt8], _ path: String) -> [UInt8] {
        let scope = SecretRule.scope(path)
        switch SecretRule.of(path) {
        case nil: return patterns.scrubbed(content, scope)
        case .open?: return content
        case .makersText?: return patterns.scrubbed(content, [])
        case .labelled(let words)?: return labelled(content[...], words)
        case .secret?, .hostName?: return secret(content[...])
        case .binary?: return pseudonyms.binary(content)
        case .firmware?: return FirmwareScrubber(self).scrubbed(content)
        case .mounts?: return perLine(content) { mount($0, scope) }
        case .values(let names, let sign)?:
            return perLine(content) { value($0, names, sign, scope) }
        case .processors?:
            return perLine(content) { line in
                let line = numbered(line, Self.identification)
                return value(line[...], Self.processorNames, UInt8(ascii: ":"), scope)
            }
        case .lines(let beginnings)?:
            return perLine(content) { line in
                let isKept = beginnings.contains { line.starts(with: $0.utf8) }
                return isKept ? patterns.scrubbed(Array(line), scope) : nil
            }
        case .words(let beginnings)?: return words(content, beginnings, scope)
        case .variables(let names)?:
            let kept = content.split(separator: 0).filter { variable in
                names.contains { variable.starts(with: "\($0)=".utf8) }
            }
            return Array(kept.map { patterns.scrubbed(Array($0), scope) }.joined(separator: [0]))
        }
    }

    /// The stand-in for a text that is a secret as a whole; fillers and signs of clouds stay.
    func secret(_ content: ArraySlice<UInt8>) -> [UInt8] {
        let isSpace: (UInt8) -> Bool = { $0 <= 32 }
        let start = content.firstIndex { !isSpace($0) } ?? content.endIndex
        let end = content.lastIndex { !isSpace($0) }.map { $0 + 1 } ?? start
        let middle = content[start..<end]
        let text = String(decoding: middle, as: UTF8.self)
        if ordinary.contains(text.lowercased()) || CloudVendor.isTag(text) {
            return Array(content)
        }
        return content[..<start] + patterns.whole(middle) + content[end...]
    }

    /// Keeps words such as `LVM-` and `part1-` at the beginning.
    private func labelled(_ content: ArraySlice<UInt8>, _ words: [String]) -> [UInt8] {
        var rest = content
        while true {
            let number = rest.dropFirst(4).prefix { $0.isDigit }
            if rest.starts(with: "part".utf8), rest.dropFirst(4 + number.count).first == 45 {
                rest = rest.dropFirst(5 + number.count)
            } else if let word = words.first(where: { rest.starts(with: $0.utf8) }) {
                rest = rest.dropFirst(word.utf8.count)
            } else {
                return content[..<rest.startIndex] + secret(rest)
            }
        }
    }

    private func perLine(
        _ content: [UInt8],
        _ body: (ArraySlice<UInt8>) -> [UInt8]?
    ) -> [UInt8] {
        let lineFeed = UInt8(ascii: "\n")
        let lines = content.split(separator: lineFeed, omittingEmptySubsequences: false)
        let kept = lines.compactMap { $0.isEmpty ? [] : body($0) }
        return Array(kept.joined(separator: [lineFeed]))
    }

    private func value(
        _ line: ArraySlice<UInt8>,
        _ names: [String],
        _ sign: UInt8,
        _ scope: SecretPatterns.Scope
    ) -> [UInt8] {
        guard let end = line.firstIndex(of: sign) else {
            return patterns.scrubbed(Array(line), scope)
        }
        let name = String(decoding: line[..<end], as: UTF8.self).trimmed
        guard names.contains(where: { name.hasSuffix($0) }) else {
            return patterns.scrubbed(Array(line), scope)
        }
        return line[...end] + secret(line[(end + 1)...])
    }

    /// The line with a stand-in for what follows a word, up to a comma.
    private func numbered(_ line: ArraySlice<UInt8>, _ word: String) -> [UInt8] {
        let bytes = Array(line)
        guard let start = bytes.span.offset(of: word.utf8Span.span) else { return bytes }
        let rest = bytes[(start + word.utf8.count)...]
        let end = rest.firstIndex(of: UInt8(ascii: ",")) ?? rest.endIndex
        return bytes[..<rest.startIndex] + secret(rest[..<end]) + bytes[end...]
    }

    private func words(
        _ content: [UInt8],
        _ beginnings: [String],
        _ scope: SecretPatterns.Scope
    ) -> [UInt8] {
        let words = content.split { $0 <= 32 }.filter { word in
            beginnings.contains { word.starts(with: $0.utf8) }
        }
        let cut = words.map { patterns.scrubbed(Array($0.prefix { $0 != 59 }), scope) }
        return cut.joined(separator: [32]) + [10]
    }
}

// MARK: - Mount tables

extension Scrubber {
    /// Beginnings of the types of file systems that come from other machines.
    private static let networkTypes = [
        "nfs", "cifs", "smb", "9p", "virtiofs", "ceph", "glusterfs", "fuse.", "afs", "lustre",
        "gpfs", "beegfs", "orangefs", "coda", "vboxsf", "prl_fs", "gfs2", "ocfs2", "pvfs2", "davfs",
        "autofs",
    ]

    /// `fuse` alone is curlftpfs's and davfs2's; `fuseblk` and `fusectl` are local.
    private static func isNetwork(_ type: [UInt8]) -> Bool {
        type.elementsEqual("fuse".utf8) || networkTypes.contains { type.starts(with: $0.utf8) }
    }

    /// Options of theirs whose values tell nothing of a place or a person.
    private static let openOptions: Set<String> = [
        "vers", "proto", "sec", "rsize", "wsize", "bsize", "timeo", "retrans", "local_lock",
        "lookupcache", "acregmin", "acregmax", "acdirmin", "acdirmax", "actimeo", "cache", "msize",
        "trans", "namlen", "nconnect", "fsc", "port", "mountport", "mountproto", "mountvers",
        "file_mode", "dir_mode", "uid", "gid", "access", "user_id", "group_id", "max_read",
    ]

    /// A line of `/proc/self/mountinfo` or, without the dash, of `/proc/mounts`.
    private func mount(_ line: ArraySlice<UInt8>, _ scope: SecretPatterns.Scope) -> [UInt8] {
        var words = line.split(separator: 32).map { Array($0) }
        let dash = words.firstIndex(of: [UInt8(ascii: "-")])
        let type = dash.map { $0 + 1 } ?? 2
        guard type < words.count, Self.isNetwork(words[type]) else {
            return patterns.scrubbed(Array(line), scope)
        }
        let source = dash.map { $0 + 2 } ?? 0
        for at in words.indices {
            if at == source {
                words[at] = patterns.stand(in: words[at][...])
            } else if at > type {
                words[at] = options(words[at])
            } else {
                words[at] = patterns.scrubbed(words[at], scope)
            }
        }
        return Array(words.joined(separator: [32]))
    }

    private func options(_ text: [UInt8]) -> [UInt8] {
        let options = text.split(separator: UInt8(ascii: ",")).map { option -> [UInt8] in
            guard let sign = option.firstIndex(of: UInt8(ascii: "=")) else { return Array(option) }
            let name = String(decoding: option[..<sign], as: UTF8.self)
            if Self.openOptions.contains(name) { return Array(option) }
            return option[...sign] + patterns.stand(in: option[(sign + 1)...])
        }
        return Array(options.joined(separator: [UInt8(ascii: ",")]))
    }
}
