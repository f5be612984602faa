/// What a recording knows of one path.
public enum RecordedNode: Sendable, Equatable {
    /// A folder.
    case folder
    /// A file, with as much of its content as was read.
    case file([UInt8])
    /// A symbolic link and its target, verbatim.
    case link(String)
    /// A block device's node.
    case blockDevice(FileStatus.Device)
    /// Something that could not be read; that it is there is all else that is known.
    case failure(Errno)
    /// Something that is there and was not read.
    case present

    /// Which of two findings about the same path tells more.
    private var rank: Int {
        switch self {
        case .present: 0
        case .failure: 1
        case .blockDevice: 2
        case .file: 3
        case .folder: 4
        case .link: 5
        }
    }

    /// This finding together with a later one.
    func merged(with other: RecordedNode) -> RecordedNode {
        // Of a file that was read in two ways the longer part holds the shorter one.
        if case .file(let mine) = self, case .file(let theirs) = other {
            return theirs.count > mine.count ? other : self
        }
        return other.rank > rank ? other : self
    }
}

/// The way through links to what a path means, within one tree.
enum PathWalk {
    /// As many as Linux follows (`MAXSYMLINKS`).
    static let linksMaximum = 40
    /// The most components that are walked, those of links included: a chain of long links would
    /// otherwise take minutes.
    static let stepsMaximum = 4096

    /// The path without links, `.` and `..`, and without a slash at the front; empty for the root.
    ///
    /// Absolute targets start at the root and `..` stops there, as with `RESOLVE_IN_ROOT` of
    /// `openat2(2)`.
    ///
    /// - Parameters:
    ///   - path: where to go, from the root.
    ///   - followsLast: whether a link at the end counts for its target.
    ///   - link: the target of the link at such a path; nil if there is none.
    static func canonical(
        _ path: String,
        followsLast: Bool = true,
        link: (String) throws(Errno) -> String?
    ) throws(Errno) -> String {
        var left = Array(components(path).reversed())
        var done: [Substring] = []
        var links = 0
        var steps = 0
        while let component = left.popLast() {
            steps += 1
            guard steps <= stepsMaximum else { throw .tooManyLinks }
            if component == "." { continue }
            if component == ".." {
                _ = done.popLast()
                continue
            }
            done.append(component)
            if left.isEmpty, !followsLast { break }
            guard let target = try link(done.joined(separator: "/")) else { continue }
            links += 1
            guard links <= linksMaximum else { throw .tooManyLinks }
            if target.utf8.first == UInt8(ascii: "/") { done = [] } else { done.removeLast() }
            left += components(target).reversed()
        }
        return done.joined(separator: "/")
    }

    static func components(_ path: String) -> [Substring] {
        let bytes = path.utf8Span.span
        var parts: [Substring] = []
        var start = 0
        while start < bytes.count {
            let end = bytes.offset(of: UInt8(ascii: "/"), from: start) ?? bytes.count
            if end > start {
                let first = path.utf8.index(path.startIndex, offsetBy: start)
                parts.append(path[first..<path.utf8.index(first, offsetBy: end - start)])
            }
            start = end + 1
        }
        return parts
    }
}
