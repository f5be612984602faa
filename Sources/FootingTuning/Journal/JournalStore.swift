public import FootingSystem
internal import Glibc

/// Where the journal lies.
///
/// Each call is one step after which a machine may stop.
public protocol JournalStore: Sendable {
    /// The journal's bytes; nil where there is none.
    func read() throws(Errno) -> [UInt8]?
    /// Writes another journal beside the one that counts, durably.
    func prepare(_ bytes: [UInt8]) throws(Errno)
    /// Lets what was prepared take the journal's place; durable after ``synchronize()``.
    func replace() throws(Errno)
    /// Takes the journal away; durable after ``synchronize()``.
    func remove() throws(Errno)
    /// Makes the last ``replace()`` or ``remove()`` durable.
    func synchronize() throws(Errno)
}

/// A journal in a folder that only its owner may enter.
public struct FolderStore: JournalStore {
    private let folder: String
    private var path: String { folder + "/journal.json" }
    private var nextPath: String { folder + "/journal.next" }

    /// The journal in a folder, which need not be there.
    public init(folder: String) {
        self.folder = folder
    }

    /// The folder where the user's programs keep what they remember; nil where that is not known.
    public static func userFolder() -> String? {
        StateFolder.user().map { $0 + "/tuning" }
    }

    /// Makes the folder, and does something while nobody else applies or rolls back.
    public func withLock<Result>(
        _ body: () throws(TuningError) -> Result
    ) throws(TuningError) -> Result {
        let lock: FolderLock
        do throws(Errno) {
            lock = FolderLock(try lockFile())
        } catch {
            throw TuningError("cannot use the folder '\(folder)': \(error)")
        }
        do throws(Errno) {
            try lock.file.lockExclusively()
        } catch {
            throw TuningError(
                error == .again
                    ? "another 'footing apply' or 'footing rollback' is at work"
                    : "cannot lock '\(folder)/lock': \(error)"
            )
        }
        // The file stays open, and so the lock held, until here, whatever the body does.
        defer { lock.file.unlock() }
        return try body()
    }

    /// - Throws: `EPERM` if others may enter the folder.
    private func lockFile() throws(Errno) -> FileDescriptor {
        try PrivateFolder.createWithParents(folder)
        // The folder is a new entry of the one above it, and that one perhaps as well.
        var above = folder
        while !above.isEmpty {
            try FileDescriptor.synchronizeDirectory(of: above)
            let slash = above.utf8.lastIndex(of: UInt8(ascii: "/"))
            above = slash.map { String(above[..<$0]) } ?? ""
        }
        return try FileDescriptor.open(folder + "/lock", [.readWrite, .create, .noFollow])
    }

    /// The journal's bytes; nil where there is none.
    public func read() throws(Errno) -> [UInt8]? {
        do throws(Errno) {
            try PrivateFolder.check(folder)
            return try HostRoot(path: folder).bytes("journal.json")
        } catch {
            if error == .noSuchFile { return nil }
            throw error
        }
    }

    /// Writes another journal beside the one that counts, durably.
    public func prepare(_ bytes: [UInt8]) throws(Errno) {
        let file = try FileDescriptor.open(
            nextPath,
            [.writeOnly, .create, .noFollow, FileDescriptor.Options(rawValue: O_TRUNC)]
        )
        let result: Result<Void, Errno> = unsafe bytes.withUnsafeBytes { buffer in
            do throws(Errno) {
                return .success(try unsafe file.write(buffer))
            } catch {
                return .failure(error)
            }
        }
        try result.get()
        try file.synchronize()
    }

    /// Lets what was prepared take the journal's place.
    public func replace() throws(Errno) {
        guard unsafe rename(nextPath, path) == 0 else { throw Errno.current }
    }

    /// Takes the journal away.
    public func remove() throws(Errno) {
        guard unsafe unlink(path) == 0 || Errno.current == .noSuchFile else {
            throw Errno.current
        }
    }

    /// Makes the last ``replace()`` or ``remove()`` durable.
    public func synchronize() throws(Errno) {
        try FileDescriptor.synchronizeDirectory(of: path)
    }
}

/// The open file that holds the lock.
private final class FolderLock {
    let file: FileDescriptor

    init(_ file: consuming FileDescriptor) {
        self.file = file
    }
}
