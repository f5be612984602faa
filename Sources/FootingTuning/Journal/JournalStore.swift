public import FootingSystem

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
///
/// The folder is opened and looked at before each use, and files in it are named by its open
/// number: who can rename what is above it gains nothing.
public struct FolderStore: JournalStore {
    private let folder: String
    private static let current = "journal.json"
    private static let next = "journal.next"
    private static let lock = "lock"

    /// The journal in a folder, which need not be there.
    public init(folder: String) {
        self.folder = folder
    }

    /// The folder where the user's programs keep what they remember; nil where that is not known.
    public static func userFolder() -> String? {
        StateFolder.user().map { $0 + "/tuning" }
    }

    /// Makes the folder, and does something while nobody else applies, proves or rolls back.
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
                    ? "another 'footing apply', 'footing prove' or 'footing rollback' is at work"
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
        let open = try PrivateFolder.open(folder)
        let file = try FileDescriptor.open(
            Self.lock,
            [.readWrite, .create, .noFollow, .nonBlocking],
            at: open.number
        )
        try PrivateFolder.checkOwn(file)
        return file
    }

    /// The journal's bytes; nil where there is none.
    ///
    /// - Throws: `EPERM` if somebody else may have written it.
    public func read() throws(Errno) -> [UInt8]? {
        do throws(Errno) {
            return try readCurrent()
        } catch {
            if error == .noSuchFile { return nil }
            throw error
        }
    }

    private func readCurrent() throws(Errno) -> [UInt8] {
        let folder = try PrivateFolder.open(folder)
        let file = try FileDescriptor.open(
            Self.current,
            [.readOnly, .noFollow, .nonBlocking, .noTerminal],
            at: folder.number
        )
        try PrivateFolder.checkOwn(file)
        let size = try file.status().sizeBytes
        guard size <= UInt64(HostRoot.fileSizeLimitBytes) else { throw .tooLarge }
        var bytes = [UInt8](repeating: 0, count: Int(size))
        let count: Result<Int, Errno> = unsafe bytes.withUnsafeMutableBytes { buffer in
            do throws(Errno) {
                return .success(try unsafe file.read(at: 0, into: buffer))
            } catch {
                return .failure(error)
            }
        }
        return Array(bytes.prefix(try count.get()))
    }

    /// Writes another journal beside the one that counts, durably.
    ///
    /// Over what ``replace()`` has reserved for it, so that a full disk does not keep anybody from
    /// rolling back.
    public func prepare(_ bytes: [UInt8]) throws(Errno) {
        let folder = try PrivateFolder.open(folder)
        let file = try FileDescriptor.open(
            Self.next,
            [.writeOnly, .create, .noFollow, .nonBlocking],
            at: folder.number
        )
        try PrivateFolder.checkOwn(file)
        let result: Result<Void, Errno> = unsafe bytes.withUnsafeBytes { buffer in
            do throws(Errno) {
                return .success(try unsafe file.write(at: 0, buffer))
            } catch {
                return .failure(error)
            }
        }
        try result.get()
        try file.resize(toBytes: UInt64(bytes.count))
        try file.synchronize()
    }

    /// Lets what was prepared take the journal's place, and reserves space for the next one.
    public func replace() throws(Errno) {
        let folder = try PrivateFolder.open(folder)
        try FileDescriptor.rename(Self.next, over: Self.current, in: folder)
        reserve(in: folder)
    }

    /// Without space the next journal may be refused; this one is there.
    private func reserve(in folder: borrowing FileDescriptor) {
        do throws(Errno) {
            let size = try FileStatus(
                directory: folder.number,
                path: Self.current,
                followsLink: false
            ).sizeBytes
            let file = try FileDescriptor.open(
                Self.next,
                [.writeOnly, .create, .noFollow, .nonBlocking],
                at: folder.number
            )
            // What a rollback writes is hardly more than this; what completes an apply may be.
            try file.allocate(0..<2 * size + 4096)
        } catch {}
    }

    /// Takes the journal away, and what is reserved.
    public func remove() throws(Errno) {
        let folder = try PrivateFolder.open(folder)
        for name in [Self.current, Self.next] {
            do throws(Errno) { try FileDescriptor.remove(name, in: folder) } catch {
                if error != .noSuchFile { throw error }
            }
        }
    }

    /// Makes the last ``replace()`` or ``remove()`` durable.
    public func synchronize() throws(Errno) {
        try PrivateFolder.open(folder).synchronizeAttributes()
    }
}

/// The open file that holds the lock.
private final class FolderLock {
    let file: FileDescriptor

    init(_ file: consuming FileDescriptor) {
        self.file = file
    }
}
