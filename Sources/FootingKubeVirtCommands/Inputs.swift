internal import FootingCommands
internal import FootingKubeVirt
internal import FootingSystem
internal import Glibc

/// What several commands take.
enum Inputs {
    static let kubevirt = Option(
        optional: "kubevirt",
        .file,
        help: "The KubeVirt resource, in YAML or JSON; - for standard input."
    )
    static let strict = Flag("strict", help: "Take every finding for an error.")
    static let root = Option(
        "root",
        .directory,
        default: "/",
        help: "Look at a recorded machine's tree instead of this machine."
    )
    static let log = Argument(
        "log",
        .file,
        default: "-",
        help: "A log with the lines of the hook; - for standard input."
    )

    /// The largest file that is read.
    private static let bytesMaximum = 64 << 20

    /// A file's bytes, or standard input's for `-`.
    static func bytes(_ path: String) throws(CommandError) -> [UInt8] {
        do throws(Errno) {
            return try read(path == "-" ? standardInput() : FileDescriptor.open(path, [.readOnly]))
        } catch {
            throw CommandError("cannot read", path, error)
        }
    }

    /// Refuses a command line that gives standard input to several parameters: all but the first
    /// would find it empty.
    static func checkOneStandardInput(
        _ paths: [String?],
        _ names: String
    ) throws(CommandError) {
        guard paths.count(where: { $0 == "-" }) < 2 else {
            throw CommandError(usage: "only one of \(names) can be standard input")
        }
    }

    /// The process's own, and not `/dev/stdin`: that would be opened anew, which the kernel refuses
    /// for a socket and for a file of another user.
    private static func standardInput() throws(Errno) -> FileDescriptor {
        let copy = dup(STDIN_FILENO)
        guard copy >= 0 else { throw .current }
        return FileDescriptor(owning: copy)
    }

    private static func read(_ file: consuming FileDescriptor) throws(Errno) -> [UInt8] {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            var result: Result<Int, Errno> = .success(0)
            unsafe piece.withUnsafeMutableBytes { buffer in
                do throws(Errno) {
                    result = .success(try unsafe file.read(into: buffer))
                } catch {
                    result = .failure(error)
                }
            }
            let count = try result.get()
            if count == 0 { return bytes }
            guard bytes.count + count <= bytesMaximum else { throw .fileTooLarge }
            bytes += piece[..<count]
        }
    }

    /// The machine that `--root` names.
    static func machine(_ path: String) throws(CommandError) -> HostRoot {
        do throws(Errno) {
            return try HostRoot(path: path)
        } catch {
            throw CommandError("cannot open", path, error)
        }
    }

    /// The resource that `--kubevirt` names; nil if it names none.
    static func cluster(_ path: String?) throws(CommandError) -> ClusterConfiguration? {
        guard let path else { return nil }
        return try parsed(path) { bytes throws(ManifestError) in
            try ClusterConfiguration(parsing: bytes)
        }
    }

    /// What a manifest says, or an error that names its file.
    static func parsed<Value>(
        _ path: String,
        _ parse: ([UInt8]) throws(ManifestError) -> Value
    ) throws(CommandError) -> Value {
        let bytes = try bytes(path)
        do throws(ManifestError) {
            return try parse(bytes)
        } catch {
            throw CommandError("cannot use", path, error.description)
        }
    }

    /// The decisions in a log, whatever stands between and before them.
    static func records(_ path: String) throws(CommandError) -> [DecisionRecord] {
        let text = String(decoding: try bytes(path), as: UTF8.self)
        return text.utf8.split(separator: UInt8(ascii: "\n")).compactMap { line in
            // A log puts its own words in front.
            guard let start = line.firstIndex(of: UInt8(ascii: "{")) else { return nil }
            return DecisionRecord(line: String(Substring(line[start...])))
        }
    }

    /// Findings as lines for people.
    static func text(_ findings: [Finding]) -> String {
        findings.map { finding in
            let remedy = finding.remedy.map { "; \($0)" } ?? ""
            return "\(finding.code.rawValue): \(finding.text)\(remedy)\n"
        }.joined()
    }
}
