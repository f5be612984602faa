internal import CFooting
import Glibc

/// The root of the machine that is looked at: the live one, a tree of files, or a recording.
///
/// No code opens `/sys` or `/proc` by an absolute path; every path is relative to this directory,
/// so that any machine can be replayed. Paths may start with `/`, which is ignored. In a replayed
/// tree symbolic links are followed within the tree only, and only regular files are read: opening
/// a device node would ask a driver of the live machine.
public final class HostRoot: Sendable {
    /// Files under `/proc` and `/sys` are small; a larger one is refused, not cut.
    public static let fileSizeLimitBytes = 4 << 20

    /// The directory as the user named it.
    public let path: String

    /// Whether this is the running machine, where CPUID, `uname(2)` and the environment count.
    public let isLive: Bool

    /// More names than any folder of a machine has; beyond, a listing is refused.
    static let namesMaximum = 1 << 16

    /// The open directory's number; none (-1) for a recording, so that no call can succeed.
    let directory: Int32
    private let owner: FileDescriptor?
    /// Whose descriptor it is, if not its own.
    private let parent: HostRoot?
    /// The files, if they are in memory.
    let recording: RecordedTree?
    /// Who writes down what is asked, if anyone does.
    public let recorder: HostRecorder?
    /// Where this folder lies below the machine's root; ends with a slash unless it is empty.
    let prefix: String
    /// What was asked already, if that is kept.
    let memory: HostMemory?

    /// Opens a root.
    ///
    /// - Parameter path: `/` for the live machine, otherwise a recorded tree.
    public convenience init(path: String = "/") throws(Errno) {
        try self.init(path: path, recorder: nil)
    }

    init(path: String, recorder: HostRecorder?) throws(Errno) {
        self.path = path
        isLive = path == "/"
        let opened = try FileDescriptor.open(path, [.readOnly, .directory])
        directory = opened.number
        owner = consume opened
        parent = nil
        recording = nil
        self.recorder = recorder
        prefix = ""
        memory = nil
    }

    /// A machine whose files are in memory.
    ///
    /// - Parameter path: what to call it, as the path of its file.
    public init(path: String, recording: RecordedTree) {
        self.path = path
        isLive = false
        directory = -1
        owner = nil
        parent = nil
        self.recording = recording
        recorder = nil
        prefix = ""
        memory = nil
    }

    /// A folder of a root; nil is the root itself.
    init(
        _ name: String?,
        of root: HostRoot,
        directory opened: consuming FileDescriptor?,
        memory: HostMemory?
    ) {
        path = name.map { "\(root.path)/\($0)" } ?? root.path
        isLive = root.isLive
        if let opened {
            directory = opened.number
            owner = consume opened
            parent = nil
        } else {
            directory = root.directory
            owner = nil
            parent = root
        }
        recording = root.recording
        recorder = root.recorder
        prefix =
            name.map { name in
                let path = "\(root.prefix)\(root.relative(name))/"
                guard let memory, root.prefix.isEmpty else { return path }
                return memory.key(path) { try? root.link($0) }
            } ?? root.prefix
        self.memory = memory
    }

    /// The same machine, of which every question is asked once: for one look at it.
    public func remembering() -> HostRoot {
        HostRoot(nil, of: self, directory: nil, memory: HostMemory())
    }

    /// Whether a system call on ``directory`` is all that a question takes.
    var isPlain: Bool { recording == nil && recorder == nil && memory == nil }

    /// Under which path the answers of this root's memory are kept.
    func key(_ path: String, _ memory: HostMemory) -> String {
        let path = prefix + relative(path)
        guard prefix.isEmpty else { return path }
        return memory.key(path) { try? link($0) }
    }

    func relative(_ path: String) -> String {
        if path.utf8.first != UInt8(ascii: "/"), !path.isEmpty { return path }
        let trimmed = path.drop { $0 == "/" }
        return trimmed.isEmpty ? "." : String(trimmed)
    }

    /// Opens a file or directory below the root for reading.
    ///
    /// - Throws: `EBADF` for a recording, which has no files to open; `ENXIO` for a FIFO or a
    ///   device node in a replayed tree.
    public func open(
        _ path: String,
        _ options: FileDescriptor.Options = [.readOnly, .nonBlocking]
    ) throws(Errno) -> FileDescriptor {
        FileDescriptor(
            owning: try retrying {
                unsafe footing_open_beneath(
                    directory,
                    relative(path),
                    options.rawValue,
                    isLive ? 0 : 1
                )
            }
        )
    }

    /// The whole content of a file.
    public func bytes(_ path: String) throws(Errno) -> [UInt8] {
        if let recording { return try recording.bytes(prefix + path) }
        guard let memory else { return try noted(path) { () throws(Errno) in try read(path) } }
        return try memory.content(key(path, memory), limit: nil) { () throws(Errno) in
            try noted(path) { () throws(Errno) in try read(path) }
        }
    }

    /// The content that `read` gives, written down by the recorder.
    func noted(
        _ path: String,
        read: () throws(Errno) -> [UInt8]
    ) throws(Errno) -> [UInt8] {
        do throws(Errno) {
            let content = try read()
            recorder?.note(content: .success(content), of: prefix + path)
            return content
        } catch {
            recorder?.note(content: .failure(error), of: prefix + path)
            throw error
        }
    }

    private func read(_ path: String) throws(Errno) -> [UInt8] {
        let file = try open(path)
        var content: [UInt8] = []
        var failure: Errno?
        unsafe withUnsafeTemporaryAllocation(byteCount: 16384, alignment: 1) { chunk in
            do throws(Errno) {
                while true {
                    let count = try unsafe file.read(into: chunk)
                    if count == 0 { return }
                    unsafe content += chunk[..<count]
                    if content.count > Self.fileSizeLimitBytes { throw .tooLarge }
                }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return content
    }

    /// The content of a text file without white space at either end.
    public func text(_ path: String) throws(Errno) -> String {
        Self.trimmed(try bytes(path))
    }

    /// Bytes as text, without white space and NULs at either end.
    static func trimmed(_ content: [UInt8]) -> String {
        let isSpace: (UInt8) -> Bool = { $0 == 0 || $0 == 32 || (9...13).contains($0) }
        let start = content.firstIndex { !isSpace($0) } ?? content.endIndex
        let end = content.lastIndex { !isSpace($0) }.map { $0 + 1 } ?? start
        return String(decoding: content[start..<end], as: UTF8.self)
    }

    /// The target of a symbolic link, verbatim; it may dangle.
    public func link(_ path: String) throws(Errno) -> String {
        if let recording { return try recording.link(prefix + path) }
        guard let memory else { return try notedTarget(path) }
        return try memory.link(key(path, memory)) { () throws(Errno) in
            try notedTarget(path)
        }
    }

    private func notedTarget(_ path: String) throws(Errno) -> String {
        let result = target(path)
        recorder?.note(link: result, at: prefix + path)
        return try result.get()
    }

    private func target(_ path: String) -> Result<String, Errno> {
        var result: Result<String, Errno> = .failure(.invalidArgument)
        unsafe withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
            let count = unsafe footing_link_beneath(
                directory,
                relative(path),
                isLive ? 0 : 1,
                buffer.baseAddress,
                buffer.count
            )
            unsafe result =
                count < 0
                ? .failure(Errno(rawValue: Int32(-count)))
                : .success(String(decoding: buffer[..<count], as: UTF8.self))
        }
        return result
    }

    /// The names in a directory, sorted.
    ///
    /// - Throws: `EOVERFLOW` for more than 65,536 of them.
    public func names(_ path: String) throws(Errno) -> [String] {
        if let recording { return try recording.names(prefix + path) }
        guard let memory else { return try notedNames(path) }
        return try memory.names(key(path, memory)) { () throws(Errno) in
            try notedNames(path)
        }
    }

    private func notedNames(_ path: String) throws(Errno) -> [String] {
        do throws(Errno) {
            let names = try list(path)
            recorder?.note(names: .success(names), in: prefix + path)
            return names
        } catch {
            recorder?.note(names: .failure(error), in: prefix + path)
            throw error
        }
    }

    private func list(_ path: String) throws(Errno) -> [String] {
        do throws(Errno) {
            return try fewNames(path)
        } catch {
            if error != .noBufferSpace { throw error }
        }
        let folder = try open(path, [.readOnly, .directory])
        var stream: UnsafeMutableRawPointer?
        var name = [CChar](repeating: 0, count: 256)
        var type: UInt8 = 0
        var result: [String] = []
        var isTooLong = false
        while try checked(
            unsafe footing_next_name(folder.number, &stream, &name, &type)
        ) == 1 {
            // The stream ends only with its last name.
            isTooLong = isTooLong || result.count == Self.namesMaximum
            if isTooLong { continue }
            result.append(
                String(
                    decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) },
                    as: UTF8.self
                )
            )
        }
        if isTooLong { throw .tooLarge }
        return result.sorted()
    }

    /// What `statx(2)` tells of a path; links are followed unless told otherwise.
    public func status(_ path: String, followsLink: Bool = true) throws(Errno) -> FileStatus {
        if let recording {
            return try recording.status(prefix + path, followsLast: followsLink)
        }
        recorder?.note(statusOf: prefix + path, followsLink: followsLink)
        if isLive {
            return try FileStatus(
                directory: directory,
                path: relative(path),
                followsLink: followsLink
            )
        }
        // statx(2) would follow a recorded absolute link out of the tree, to the live machine.
        let options: FileDescriptor.Options = followsLink ? [.path] : [.path, .noFollow]
        return try open(path, options).status()
    }

    /// Whether there is something at a path, a dangling link included.
    public func exists(_ path: String) -> Bool {
        guard let memory else { return (try? status(path, followsLink: false)) != nil }
        return memory.presence(key(path, memory)) {
            (try? status(path, followsLink: false)) != nil
        }
    }
}
