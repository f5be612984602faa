internal import CFooting
import Glibc

/// The root of the machine that is looked at: the live one, or a recorded tree.
///
/// No code opens `/sys` or `/proc` by an absolute path; every path is relative to this directory,
/// so that any machine can be replayed. Paths may start with `/`, which is ignored. In a replayed
/// tree symbolic links are followed within the tree only.
public final class HostRoot: Sendable {
    /// Files under `/proc` and `/sys` are small; a larger one is refused, not cut.
    public static let fileSizeLimitBytes = 4 << 20

    /// The directory as the user named it.
    public let path: String

    /// Whether this is the running machine, where CPUID, `uname(2)` and the environment count.
    public let isLive: Bool

    let directory: FileDescriptor

    /// Opens a root.
    ///
    /// - Parameter path: `/` for the live machine, otherwise a recorded tree.
    public init(path: String = "/") throws(Errno) {
        self.path = path
        isLive = path == "/"
        directory = try FileDescriptor.open(path, [.readOnly, .directory])
    }

    init(path: String, isLive: Bool, directory: consuming FileDescriptor) {
        self.path = path
        self.isLive = isLive
        self.directory = directory
    }

    func relative(_ path: String) -> String {
        if path.utf8.first != UInt8(ascii: "/"), !path.isEmpty { return path }
        let trimmed = path.drop { $0 == "/" }
        return trimmed.isEmpty ? "." : String(trimmed)
    }

    /// Opens a file or directory below the root for reading.
    public func open(
        _ path: String,
        _ options: FileDescriptor.Options = [.readOnly, .nonBlocking]
    ) throws(Errno) -> FileDescriptor {
        FileDescriptor(
            owning: try retrying {
                unsafe footing_open_beneath(
                    directory.number,
                    relative(path),
                    options.rawValue,
                    isLive ? 0 : 1
                )
            }
        )
    }

    /// The whole content of a file.
    public func bytes(_ path: String) throws(Errno) -> [UInt8] {
        let file = try open(path)
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        while true {
            let result: Result<Int, Errno> = unsafe chunk.withUnsafeMutableBytes { buffer in
                do throws(Errno) {
                    return .success(try unsafe file.read(into: buffer))
                } catch {
                    return .failure(error)
                }
            }
            let count = try result.get()
            if count == 0 { return content }
            content += chunk[..<count]
            if content.count > Self.fileSizeLimitBytes { throw .tooLarge }
        }
    }

    /// The content of a text file without white space at either end.
    public func text(_ path: String) throws(Errno) -> String {
        let content = try bytes(path)
        let isSpace: (UInt8) -> Bool = { $0 == 0 || $0 == 32 || (9...13).contains($0) }
        let start = content.firstIndex { !isSpace($0) } ?? content.endIndex
        let end = content.lastIndex { !isSpace($0) }.map { $0 + 1 } ?? start
        return String(decoding: content[start..<end], as: UTF8.self)
    }

    /// The target of a symbolic link, verbatim; it may dangle.
    public func link(_ path: String) throws(Errno) -> String {
        var result: Result<String, Errno> = .failure(.invalidArgument)
        unsafe withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
            let count = unsafe footing_link_beneath(
                directory.number,
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
        return try result.get()
    }

    /// The names in a directory, sorted.
    public func names(_ path: String) throws(Errno) -> [String] {
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
        while try checked(
            unsafe footing_next_name(folder.number, &stream, &name, &type)
        ) == 1 {
            result.append(
                String(
                    decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) },
                    as: UTF8.self
                )
            )
        }
        return result.sorted()
    }

    /// What `statx(2)` tells of a path; links are followed unless told otherwise.
    public func status(_ path: String, followsLink: Bool = true) throws(Errno) -> FileStatus {
        if isLive {
            return try FileStatus(
                directory: directory.number,
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
        (try? status(path, followsLink: false)) != nil
    }
}
