package import FootingSystem
internal import Glibc

/// A directory of its own for a test, removed with everything in it when the test lets go.
package final class TemporaryDirectory {
    /// Where it is.
    package let path: String

    /// Makes one.
    package init() throws {
        var template = Array("/tmp/footing-test-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw Errno.current }
        path = String(
            decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) },
            as: UTF8.self
        )
    }

    deinit {
        _ = unsafe system("rm -rf '\(path)'")
    }

    /// What is in it by that name.
    package func path(_ name: String) -> String { "\(path)/\(name)" }

    /// Makes a directory in it.
    package func directory(_ name: String) throws {
        guard unsafe mkdir(path(name), 0o700) == 0 else { throw Errno.current }
    }

    /// Makes a file in it.
    package func file(_ name: String, _ content: String) throws {
        try FileDescriptor.open(path(name), [.writeOnly, .create, .exclusive]).write(content)
    }

    /// Makes a symbolic link in it.
    package func link(_ name: String, to target: String) throws {
        guard unsafe symlink(target, path(name)) == 0 else { throw Errno.current }
    }
}

extension FileDescriptor {
    /// Writes bytes at an offset.
    package func write(_ bytes: [UInt8], at offset: UInt64) throws(Errno) {
        var failure: Errno?
        unsafe bytes.withUnsafeBytes { buffer in
            do throws(Errno) { try unsafe write(at: offset, buffer) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// Reads up to `count` bytes at an offset.
    package func read(_ count: Int, at offset: UInt64) throws(Errno) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xee, count: count)
        var result: Result<Int, Errno> = .success(0)
        unsafe bytes.withUnsafeMutableBytes { buffer in
            do throws(Errno) {
                result = .success(try unsafe read(at: offset, into: buffer))
            } catch {
                result = .failure(error)
            }
        }
        return Array(bytes.prefix(try result.get()))
    }
}
