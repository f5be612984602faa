import FootingSystem
import Glibc

/// A folder on a real disk, removed with everything in it when its owner goes away.
final class ScratchFolder: Sendable {
    let path: String

    init() throws {
        let parent = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/var/tmp"
        var template = Array("\(parent)/footing-guest-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw Errno.current }
        path = String(
            decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) },
            as: UTF8.self
        )
    }

    deinit {
        _ = unsafe system("rm -rf '\(path)'")
    }

    /// Removes it when the process ends, for an owner that never goes away.
    func removeAtExit() {
        let isFirst = Self.remaining.withLock { paths in
            paths.append(path)
            return paths.count == 1
        }
        guard isFirst else { return }
        atexit {
            for path in ScratchFolder.remaining.withLock({ $0 }) {
                _ = unsafe system("rm -rf '\(path)'")
            }
        }
    }

    private static let remaining = Locked<[String]>([])

    /// Writes a file.
    func write(_ name: String, _ bytes: [UInt8]) throws {
        let file = try FileDescriptor.open("\(path)/\(name)", [.writeOnly, .create, .exclusive])
        try unsafe bytes.withUnsafeBytes { try unsafe file.write($0) }
    }

    /// Makes a file of zeros that takes no space.
    func makeSparse(_ name: String, sizeBytes: UInt64) throws {
        try FileDescriptor.open("\(path)/\(name)", [.writeOnly, .create, .exclusive])
            .resize(toBytes: sizeBytes)
    }

    /// A file's text; empty where there is none.
    func text(_ name: String) -> String {
        (try? HostRoot(path: path).bytes(name)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}
