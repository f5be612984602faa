import FootingSystem
import Glibc

/// A disk that the program serves on this machine, for a guest to use and for tools to look at.
final class ServedDisk {
    let folder: ScratchFolder
    private var server: ChildProcess?

    /// Not QEMU's storage daemon: its exports through FUSE mix requests up that overlap (7.2).
    private static let shower = "/usr/bin/nbdfuse"

    /// Whether a served disk can be shown as a file, which takes `/dev/fuse` and its owner.
    static let canShowFiles =
        unsafe geteuid() == 0 && access(shower, X_OK) == 0
        && access("/dev/fuse", R_OK | W_OK) == 0

    var socket: String { "\(folder.path)/disk.sock" }

    /// What opens it, for `serve`.
    private let keyOptions: [String]

    /// Makes a disk; nothing is served yet.
    ///
    /// - Parameter options: more for `disk create`.
    init(sizeMebibytes: Int, isEncrypted: Bool = false, options: [String] = []) throws {
        folder = try ScratchFolder()
        let key = "\(folder.path)/key"
        keyOptions = isEncrypted ? ["--key-file", key] : []
        if isEncrypted {
            try folder.write("key", Array("a key of which nothing is secret".utf8))
        }
        let container = "\(folder.path)/disk.footing"
        let create = [
            GuestKit.Part.program.path, "disk", "create", container, "--size", "\(sizeMebibytes)M",
        ]
        let encrypt = isEncrypted ? ["--encrypt"] + keyOptions : []
        let (status, log) = try run(create + options + encrypt, limitSeconds: 60)
        guard status == 0 else { throw GuestError("disk create: \(log)") }
    }

    /// Serves it, and returns once it can be used.
    func start() throws {
        _ = unsafe unlink(socket)
        let words = ["serve", "\(folder.path)/disk.footing", "--socket", socket] + keyOptions
        server = try ChildProcess(
            limitSeconds: 400,
            [GuestKit.Part.program.path] + words,
            descriptors: [:],
            log: "\(folder.path)/serve.log"
        )
        let deadline = Deadline.after(seconds: 30)
        while unsafe access(socket, F_OK) != 0 {
            guard deadline.milliseconds > 0 else {
                throw GuestError("it is not served: \(folder.text("serve.log"))")
            }
            usleep(10_000)
        }
    }

    /// Ends the server without any warning (`SIGKILL`).
    func kill() {
        server?.end(withinMilliseconds: 0)
        server = nil
    }

    /// Runs a tool with a file that shows the disk, by nbdfuse.
    ///
    /// - Parameter words: the tool and its arguments, without the file's path, which is the last.
    /// - Returns: its status, and what it printed.
    func show(to words: [String]) throws -> (status: Int32?, output: String) {
        // The mount ends before the tool's status is known.
        let script = """
            set -e; folder=$1; socket=$2; shift 2; mkdir -p "$folder"
            \(Self.shower) "$folder/disk" --unix "$socket" &
            trap 'umount "$folder"; wait' EXIT
            for _ in $(seq 500); do
                if [ -e "$folder/disk" ]; then break; fi
                sleep 0.02
            done
            "$@" "$folder/disk"
            """
        let prefix = ["/bin/bash", "-c", script, "show", "\(folder.path)/shown", socket]
        return try run(prefix + words, limitSeconds: 90)
    }

    private func run(
        _ words: [String],
        limitSeconds: Int
    ) throws -> (status: Int32?, output: String) {
        _ = unsafe unlink("\(folder.path)/tool.log")
        let process = try ChildProcess(
            limitSeconds: limitSeconds,
            words,
            descriptors: [:],
            log: "\(folder.path)/tool.log"
        )
        let status = process.awaitEnd()
        return (status, folder.text("tool.log"))
    }
}
