import FootingSystem
import Glibc

/// A shell script that uses the released program and real clients, in a folder of its own.
enum Script {
    /// A client, or nothing, that a test needs beside the program.
    enum Tool: String, CaseIterable {
        case nbdinfo, nbdcopy, nbdsh, nbdkit
        case qemuImage = "qemu-img"
        case qemuIO = "qemu-io"
        case fio
        case makeFileSystem = "mkfs.ext4"
        case checkFileSystem = "e2fsck"
        case ip
        case storageDaemon = "qemu-storage-daemon"
        case nbdfuse
        case openSSL = "openssl"
        case xmllint, virsh
        case validate = "virt-xml-validate"
    }

    private static let folders = ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin"]

    /// The folder with the clients that are written for these tests.
    private static let clients =
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        .joined(separator: "/") + "/Clients"

    static func has(_ tools: Tool...) -> Bool {
        tools.allSatisfy { tool in
            folders.contains { folder in unsafe access("\(folder)/\(tool.rawValue)", X_OK) == 0 }
        }
    }

    /// Whether Python finds libnbd; looked up once.
    static let hasLibnbd = unsafe system("/usr/bin/python3 -c 'import nbd' 2>/dev/null") == 0

    /// Whether Python finds the parser of OpenMetrics; looked up once.
    static let hasPrometheusClient =
        unsafe system("/usr/bin/python3 -c 'import prometheus_client.openmetrics' 2>/dev/null") == 0

    /// Whether a network and a mount namespace can be made; tried once.
    static let hasNamespaces =
        unsafe system("/usr/bin/unshare --net --mount --propagation private true 2>/dev/null") == 0

    /// Whether this process may show a disk as a file through FUSE.
    static var canMountFiles: Bool { unsafe isRoot && access("/dev/fuse", R_OK | W_OK) == 0 }

    static var isRoot: Bool { geteuid() == 0 }

    /// What every script begins with.
    private static let prelude = """
        set -euo pipefail
        export PATH=\(folders.joined(separator: ":"))
        cd "$(dirname "$0")"
        footing='\(ReleasedProgram.path)'
        clients='\(clients)'
        socket=$PWD/disk.sock
        export FOOTING_RUNTIME_DIR=$PWD/control
        uri="nbd+unix:///?socket=$socket"
        server=
        mounted=
        device=
        leave() {
            if [[ -n $server ]]; then
                kill -KILL "$server" 2>/dev/null || true
                wait "$server" 2>/dev/null || true
            fi
            if [[ -n $mounted ]]; then umount "$mounted"; fi
            if [[ -n $device ]]; then losetup --detach "$device"; fi
        }
        trap leave EXIT
        fail() { echo "FAILED: $*"; exit 1; }
        create() { "$footing" disk create disk.footing --size "$@" >/dev/null; }
        # serve OPTIONS...: starts the server and waits until it listens.
        serve() {
            # The ready line of the server before would do otherwise.
            rm -f serve.log
            "$footing" serve disk.footing "${@:---socket=$socket}" >serve.log 2>serve.err &
            server=$!
            until grep -qs '^ready' serve.log; do
                kill -0 "$server" 2>/dev/null || fail "the server ended: $(cat serve.err)"
                sleep 0.01
            done
        }
        kill_server() {
            kill -KILL "$server"
            wait "$server" 2>/dev/null || true
            server=
        }
        stop() {
            kill -TERM "$server"
            wait "$server" || fail "the server's status was $?: $(cat serve.err)"
            server=
            grep -q 'closed cleanly' serve.err || fail "not closed cleanly: $(cat serve.err)"
        }
        # expect STATUS TEXT COMMAND...: fails in this way and says so.
        expect() {
            local wanted=$1 text=$2 status=0
            shift 2
            "$@" >expect.log 2>&1 </dev/null || status=$?
            ((status == wanted)) || fail "status $status, not $wanted: $* $(cat expect.log)"
            grep -qF -- "$text" expect.log || fail "not '$text': $* $(cat expect.log)"
        }

        """

    /// Runs a script for at most 180 seconds.
    ///
    /// - Returns: its status, and everything it printed.
    static func run(_ text: String) throws -> (status: Int32, output: String) {
        let folder = try Folder()
        try FileDescriptor.open("\(folder.path)/script", [.writeOnly, .create, .exclusive])
            .write(prelude + text + "\n")
        let command = "timeout --kill-after=5 180 bash '\(folder.path)/script' </dev/null 2>&1"
        guard let stream = unsafe popen(command, "r") else { throw Errno.current }
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = unsafe fread(&chunk, 1, chunk.count, stream)
            if count == 0 { break }
            output += chunk[..<count]
        }
        let status = unsafe pclose(stream)
        withExtendedLifetime(folder) {}
        return (status >> 8 & 0xff, String(decoding: output, as: UTF8.self))
    }

    /// A folder on a real disk, removed with everything in it.
    private final class Folder {
        let path: String

        init() throws {
            let parent =
                unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/var/tmp"
            var template = Array("\(parent)/footing-test-XXXXXX".utf8CString)
            guard unsafe mkdtemp(&template) != nil else { throw Errno.current }
            path = String(
                decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) },
                as: UTF8.self
            )
        }

        deinit {
            _ = unsafe system("rm -rf '\(path)'")
        }
    }
}
