internal import FootingSystem

/// One mounted file system (`proc_pid_mountinfo(5)`).
struct Mount: Sendable {
    /// `major:minor`.
    let number: String
    let point: String
    let options: String
    let type: String
    let source: String
}

/// What is mounted, as this process sees it.
struct MountTable: Sendable {
    let mounts: [Mount]
    let source: String

    /// Nil if no mount table can be read.
    init?(_ root: HostRoot) {
        for path in ["proc/self/mountinfo", "proc/1/mountinfo"] {
            guard let bytes = try? root.bytes(path) else { continue }
            self.init(source: path, text: String(decoding: bytes, as: UTF8.self))
            return
        }
        return nil
    }

    /// Reads a table; lines that are none are left out.
    init(source: String, text: String) {
        self.source = source
        mounts = lines(text).compactMap { Self.parse($0) }
    }

    /// One line of the table.
    ///
    /// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
    private static func parse(_ line: String) -> Mount? {
        let words = pieces(line, separator: " ")
        guard let dash = words.firstIndex(of: "-"), dash >= 6, words.count > dash + 2 else {
            return nil
        }
        let superOptions = words.count > dash + 3 ? ",\(words[dash + 3])" : ""
        return Mount(
            number: words[2],
            point: unescaped(words[4]),
            options: words[5] + superOptions,
            type: words[dash + 1],
            source: unescaped(words[dash + 2])
        )
    }

    /// Blanks and backslashes are written as `\040` in octal.
    private static func unescaped(_ text: String) -> String {
        let bytes = Array(text.utf8)
        guard bytes.contains(UInt8(ascii: "\\")) else { return text }
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "\\"), index + 3 < bytes.count,
                let code = UInt8(
                    String(decoding: bytes[index + 1...index + 3], as: UTF8.self),
                    radix: 8
                )
            {
                result.append(code)
                index += 4
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// The mount that a path lies on: the longest point above it, the latest of equal ones.
    func mount(of path: String) -> Mount? {
        var best: Mount?
        for mount in mounts where Self.contains(mount.point, path) {
            if best == nil || mount.point.utf8.count >= (best?.point.utf8.count ?? 0) {
                best = mount
            }
        }
        return best
    }

    private static func contains(_ point: String, _ path: String) -> Bool {
        if point == "/" || point == path { return true }
        return path.dropping(prefix: point)?.utf8.first == UInt8(ascii: "/")
    }
}
