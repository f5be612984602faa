import FootingSystem
import Glibc

/// A machine that is a folder of files, written anew in place as the kernel's are.
final class FakeMachine: Sendable {
    let path: String

    /// - Parameter files: paths below the root, and their texts.
    init(_ files: [String: String] = [:]) throws {
        var pattern = Array("/tmp/footing-memory-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&pattern) != nil else { throw Errno.current }
        path = String(decoding: pattern.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        for (path, text) in files { try write(path, text) }
    }

    deinit {
        Self.remove(path)
    }

    func root() throws -> HostRoot { try HostRoot(path: path) }

    func write(_ name: String, _ text: String) throws {
        var built = path
        for part in name.split(separator: "/").dropLast() {
            built += "/\(part)"
            if unsafe mkdir(built, 0o755) != 0, errno != EEXIST { throw Errno.current }
        }
        let file = try FileDescriptor.open("\(path)/\(name)", [.writeOnly, .create])
        // A look in between sees the old text or the new one, not an empty file.
        try file.write(text)
        try file.resize(toBytes: UInt64(text.utf8.count))
    }

    func makeFolder(_ name: String) throws {
        try write("\(name)/.keep", "")
    }

    /// `/proc/meminfo` with what matters here.
    func writeMemory(total: Int, available: Int, balloon: Int? = nil) throws {
        var lines = [
            ("MemTotal:", total), ("MemFree:", available / 2), ("MemAvailable:", available),
            ("Buffers:", 8276),
        ]
        if let balloon { lines.append(("Balloon:", balloon)) }
        // As the kernel's, numbers end at one place: no text is longer than another.
        let text = lines.map { name, number in
            let digits = "\(number)"
            return name + String(repeating: " ", count: 24 - name.count - digits.count) + digits
        }
        try write("proc/meminfo", text.map { $0 + " kB\n" }.joined())
    }

    private static func remove(_ path: String) {
        precondition(path.hasPrefix("/tmp/footing-memory-"), "not ours: \(path)")
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return }
        if status.st_mode & S_IFMT == S_IFDIR {
            for name in (try? HostRoot(path: path).names(".")) ?? [] { remove("\(path)/\(name)") }
            _ = unsafe rmdir(path)
        } else {
            _ = unsafe unlink(path)
        }
    }
}

/// A clock that stands still until it is moved.
final class FakeClock: TimeSource {
    private let now = Locked<UInt64>(1_000_000_000)

    var nanoseconds: UInt64 { now.withLock { $0 } }
    var unixSeconds: UInt64 { 1_700_000_000 + nanoseconds / 1_000_000_000 }

    func advance(milliseconds: UInt64) {
        now.withLock { $0 += milliseconds * 1_000_000 }
    }
}
