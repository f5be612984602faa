import FootingSystem
import FootingTestSupport
import Glibc

/// One machine in one text file: what must come out, then what goes in.
///
/// ```
/// # comment
/// expect virtualization.hypervisor = kvm
/// cpuid 0x00000001 0x00: eax=… ebx=… ecx=… edx=…
/// file PATH TEXT          \0 in TEXT is a NUL
/// hex PATH 46 41 43 50
/// huge PATH COUNT         so many letters
/// zeros PATH COUNT        so many NULs
/// more PATH 53 ef         bytes behind those that are there
/// link PATH -> TARGET
/// folder PATH
/// text PATH               the lines behind it that begin with "| "
/// ```
struct MachineFixture: CustomStringConvertible {
    let name: String
    private(set) var expectations: [(path: String, value: String)] = []
    private var lines: [String] = []

    var description: String { name }

    private static let folder: String = {
        let file = #filePath
        return String(file[..<(file.lastIndex(of: "/") ?? file.startIndex)]) + "/Fixtures"
    }()

    /// The folder with all of them.
    static func folderRoot() throws(Errno) -> HostRoot { try HostRoot(path: folder) }

    static let all: [MachineFixture] = {
        let names = (try? HostRoot(path: folder).names(".")) ?? []
        return names.filter { $0.hasSuffix(".machine") }
            .map { MachineFixture(name: String($0.dropLast(8))) }
    }()

    /// Those for tests that go the same ways with all of them: each eighth under a sanitizer, where
    /// one test has them all.
    static let several: [MachineFixture] = all.enumerated()
        .filter { $0.offset % Sanitizer.rounds(1, sanitized: 8) == 0 }.map(\.element)

    /// What stands in another file beside the machines, ended by a line feed.
    static func text(_ name: String) throws -> String {
        try HostRoot(path: folder).text(name) + "\n"
    }

    init(name: String) {
        self.name = name
        guard let root = try? HostRoot(path: Self.folder),
            let text = try? root.text("\(name).machine")
        else { preconditionFailure("no fixture \(name)") }
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            if line.hasPrefix("expect ") {
                let parts = line.dropFirst(7).split(separator: "=", maxSplits: 1)
                expectations.append(
                    (trim(parts[0]), parts.count > 1 ? trim(parts[1]) : "")
                )
            } else {
                lines.append(String(line))
            }
        }
    }

    /// A machine made of lines in the fixture language.
    init(_ name: String, _ lines: [String]) {
        self.name = name
        self.lines = lines
    }

    /// Builds the tree in a folder of its own, gives its root to the body, and removes it.
    func withRoot<Result>(_ body: (HostRoot) throws -> Result) throws -> Result {
        var pattern = Array("/tmp/footing-machine-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&pattern) != nil else { throw Errno.current }
        let folder = String(
            decoding: pattern.dropLast().map { UInt8(bitPattern: $0) },
            as: UTF8.self
        )
        defer { remove(folder) }
        try build(in: folder)
        return try body(try HostRoot(path: folder))
    }

    private func build(in folder: String) throws {
        var leaves: JSONObject = [:]
        var index = 0
        while index < lines.count {
            let line = lines[index]
            index += 1
            let words = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
            let path = words.count > 1 ? "\(folder)/\(words[1])" : ""
            let rest = words.count > 2 ? String(words[2]) : ""
            switch words[0] {
            case "cpuid": add(line.dropFirst(6), to: &leaves)
            case "file": try write(path, unescaped(rest))
            case "hex":
                try write(path, rest.split(separator: " ").compactMap { UInt8($0, radix: 16) })
            case "huge": try write(path, [UInt8](repeating: 0x41, count: Int(rest) ?? 0))
            case "zeros": try write(path, [UInt8](repeating: 0, count: Int(rest) ?? 0))
            case "more":
                let bytes = rest.split(separator: " ").compactMap { UInt8($0, radix: 16) }
                let file = try FileDescriptor.open(path, .writeOnly)
                let end = try file.status().sizeBytes
                try unsafe bytes.withUnsafeBytes { try unsafe file.write(at: end, $0) }
            case "link":
                try makeParent(path)
                guard unsafe symlink(String(rest.dropFirst(3)), path) == 0 else {
                    throw Errno.current
                }
            case "folder": try makeFolder(path)
            case "text":
                var text = ""
                while index < lines.count, lines[index].hasPrefix("|") {
                    text += lines[index].dropFirst(2) + "\n"
                    index += 1
                }
                try write(path, unescaped(text))
            default: preconditionFailure("\(name): \(line)")
            }
        }
        if leaves.isEmpty { return }
        let document: JSONValue = ["format": 1, "leaves": .object(leaves)]
        try write("\(folder)/.cpuid.json", document.bytes())
    }

    /// Reads `0x00000001 0x00: eax=… ebx=… ecx=… edx=…`, as `cpuid -1 -r` prints it.
    private func add(_ line: Substring, to leaves: inout JSONObject) {
        let words = line.split { " :=".contains($0) }.map(String.init)
        precondition(words.count == 10, "\(name): \(line)")
        var subleaves: JSONObject = [:]
        if case .object(let known)? = leaves[words[0]] { subleaves = known }
        subleaves[words[1]] = .array([3, 5, 7, 9].map { .string(words[$0]) })
        leaves[words[0]] = .object(subleaves)
    }

    private func unescaped(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        var isEscape = false
        for byte in text.utf8 {
            if isEscape {
                bytes.append(
                    byte == UInt8(ascii: "0") ? 0 : byte == UInt8(ascii: "t") ? 9 : byte
                )
                isEscape = false
            } else if byte == UInt8(ascii: "\\") {
                isEscape = true
            } else {
                bytes.append(byte)
            }
        }
        return bytes
    }
}

func trim(_ text: some StringProtocol) -> String {
    String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
}

private func makeParent(_ path: String) throws {
    guard let slash = path.lastIndex(of: "/") else { return }
    try makeFolder(String(path[..<slash]))
}

private func makeFolder(_ path: String) throws {
    var built = ""
    for part in path.split(separator: "/") {
        built += "/\(part)"
        if unsafe mkdir(built, 0o755) != 0, Glibc.errno != EEXIST { throw Errno.current }
    }
}

private func write(_ path: String, _ bytes: [UInt8]) throws {
    try makeParent(path)
    let file = try FileDescriptor.open(path, [.writeOnly, .create], permissions: 0o644)
    try unsafe bytes.withUnsafeBytes { try unsafe file.write($0) }
}

/// Removes a tree that a fixture built.
private func remove(_ path: String) {
    precondition(path.hasPrefix("/tmp/footing-machine-"), "not a fixture's folder: \(path)")
    var status = stat()
    guard unsafe lstat(path, &status) == 0 else { return }
    if status.st_mode & S_IFMT == S_IFDIR {
        for name in (try? HostRoot(path: path).names(".")) ?? [] { remove("\(path)/\(name)") }
        _ = unsafe rmdir(path)
    } else {
        _ = unsafe unlink(path)
    }
}

extension JSONValue {
    /// The value at a path such as `block.vda.queues`; a member of a list is found by its name.
    subscript(path path: String) -> JSONValue? {
        var value = self
        var parts = path.split(separator: ".").map(String.init)
        while !parts.isEmpty {
            switch value {
            case .object(let members):
                guard let next = members[parts.removeFirst()] else { return nil }
                value = next
            case .array(let elements):
                // Slots have dots in them: the longest name that fits is meant.
                let found = (1...parts.count).reversed().lazy.compactMap { count in
                    let name = parts.prefix(count).joined(separator: ".")
                    return elements.first { $0.isNamed(name) }.map { ($0, count) }
                }.first
                guard let found else { return nil }
                value = found.0
                parts.removeFirst(found.1)
            default: return nil
            }
        }
        return value
    }

    private func isNamed(_ name: String) -> Bool {
        guard case .object(let members) = self else { return false }
        return ["name", "slot", "id"].contains { members[$0]?.plain == name }
    }

    /// A value as the fixtures write it.
    var plain: String {
        switch self {
        case .null: "absent"
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .unsigned(let value): String(value)
        case .number(let value): "\(value)"
        case .string(let value): value
        case .array(let values): values.map(\.plain).joined(separator: " ")
        case .object(let members):
            ["kind", "name", "slot", "id", "rejected", "value"].lazy.compactMap { members[$0] }
                .first?.plain ?? "absent"
        }
    }
}
