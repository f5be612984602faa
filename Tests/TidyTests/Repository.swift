import FootingSystem
import Glibc

/// The files of the project that these tests belong to.
struct Repository {
    let root: HostRoot
    /// Paths relative to the project, sorted.
    let paths: [String]

    init() throws {
        let file = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        let path = file.dropLast(3).joined(separator: "/")
        root = try HostRoot(path: path)
        let tracked = Self.tracked(in: path)
        let candidates = try tracked.isEmpty ? Self.walk(root, "") : tracked
        // A file that is deleted but not yet committed is still listed.
        paths = candidates.filter { [root] in $0 != "" && root.exists($0) }.sorted()
    }

    /// The text of a file, white space and all.
    func text(_ path: String) throws -> String {
        String(decoding: try root.bytes(path), as: UTF8.self)
    }

    /// The files with one of the endings, recordings of machines left out.
    func files(_ endings: String...) -> [String] {
        paths.filter { path in
            endings.contains { path.hasSuffix($0) } && !path.contains("/Fixtures/")
        }
    }

    /// Runs a rule over the files and gives all problems, one a line.
    func problems(_ rule: SourceRules.Rule, in files: [String]) throws -> String {
        try files.flatMap { rule($0, try text($0)) }.joined(separator: "\n")
    }

    /// What git knows, new files included; nothing where git or the repository is missing.
    private static func tracked(in path: String) -> [String] {
        let options = "-z --cached --others --exclude-standard"
        let command = "git -C '\(path)' ls-files \(options) 2>/dev/null </dev/null"
        guard let stream = unsafe popen(command, "r") else { return [] }
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = unsafe fread(&chunk, 1, chunk.count, stream)
            if count == 0 { break }
            output += chunk[..<count]
        }
        unsafe pclose(stream)
        return output.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func walk(_ root: HostRoot, _ folder: String) throws -> [String] {
        try root.names(folder).flatMap { name -> [String] in
            let path = folder.isEmpty ? name : "\(folder)/\(name)"
            if [".build", ".git", "bin"].contains(name) { return [] }
            let isFolder = try root.status(path, followsLink: false).kind == .directory
            return isFolder ? try walk(root, path) : [path]
        }
    }
}
