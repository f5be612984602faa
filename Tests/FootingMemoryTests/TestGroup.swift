import FootingHost
import FootingSystem
import Glibc

/// Control groups of the test's own, with a limit that a child meets all the time.
final class TestGroup {
    private enum Place {
        /// One hierarchy for all.
        case version2(String)
        /// Memory in version 1, and the processes in version 2 too.
        case hybrid(memory: String, unified: String)
    }

    static let limitBytes: UInt64 = 16 << 20

    /// Why there can be none here; nil if there can.
    static let obstacle: String? = {
        guard geteuid() == 0 else { return "only root may make control groups" }
        guard place(of: "") != nil else { return "no memory controller that root may use" }
        guard unsafe access("/proc/pressure/memory", R_OK) == 0 else {
            return "the kernel has no PSI"
        }
        guard let name = place(of: "/footing-test-probe-\(getpid())") else { return "nowhere" }
        defer { for folder in folders(name) { _ = unsafe rmdir("/\(folder)") } }
        for folder in folders(name) where unsafe mkdir("/\(folder)", 0o755) != 0 {
            return "control groups cannot be made here: \(Errno.current)"
        }
        return nil
    }()

    let groups: MemoryGroups
    private let place: Place
    private let file: String
    private var child: pid_t = 0

    init(_ name: String) throws {
        let name = "/footing-test-\(name)-\(getpid())"
        guard let place = Self.place(of: name) else { throw Errno.notSupported }
        self.place = place
        file = "/var/tmp\(name)"
        for folder in Self.folders(place) where unsafe mkdir("/\(folder)", 0o755) != 0 {
            throw Errno.current
        }
        let limit: String
        switch place {
        case .version2(let folder):
            groups = MemoryGroups(version: .version2, folders: [folder], pressureFolder: folder)
            limit = "\(folder)/memory.max"
        case .hybrid(let memory, let unified):
            groups = MemoryGroups(version: .version1, folders: [memory], pressureFolder: unified)
            limit = "\(memory)/memory.limit_in_bytes"
        }
        try FileDescriptor.open("/\(limit)", .writeOnly).write("\(Self.limitBytes)")
    }

    deinit {
        remove()
    }

    /// Starts a child that reads a file larger than the limit again and again.
    func thrash() throws {
        let entries = Self.folders(place).map { "echo $$ >/\($0)/cgroup.procs" }
        let script = """
            set -e; \(entries.joined(separator: "; ")); head -c 60000000 /dev/zero >\(file)
            n=0; while [ $n -lt 400 ]; do cat \(file) >/dev/null; n=$((n+1)); done
            """
        var words: [UnsafeMutablePointer<CChar>?] = unsafe []
        for word in ["timeout", "20", "sh", "-c", script] { unsafe words.append(strdup(word)) }
        unsafe words.append(nil)
        defer { unsafe words.forEach { unsafe free($0) } }
        let status = unsafe posix_spawnp(&child, "timeout", nil, nil, words, environ)
        guard status == 0 else { throw Errno(rawValue: status) }
    }

    /// Ends the child and removes the groups.
    func remove() {
        if child > 0 {
            // `timeout` makes a process group of its own, with all that it starts.
            kill(-child, SIGKILL)
            _ = waitpid(child, nil, 0)
            child = 0
        }
        _ = unsafe unlink(file)
        for folder in Self.folders(place) {
            // The last process takes a while to leave.
            for _ in 0..<400 where unsafe rmdir("/\(folder)") != 0 && errno == EBUSY {
                usleep(10000)
            }
        }
    }

    private static func place(of name: String) -> Place? {
        let root = "sys/fs/cgroup"
        if let controllers = try? HostRoot().text("\(root)/cgroup.subtree_control") {
            guard controllers.split(separator: " ").contains("memory") else { return nil }
            return .version2(root + name)
        }
        guard unsafe access("/\(root)/memory/memory.limit_in_bytes", F_OK) == 0,
            unsafe access("/\(root)/unified/cgroup.procs", F_OK) == 0
        else { return nil }
        return .hybrid(memory: "\(root)/memory\(name)", unified: "\(root)/unified\(name)")
    }

    private static func folders(_ place: Place) -> [String] {
        switch place {
        case .version2(let folder): [folder]
        case .hybrid(let memory, let unified): [memory, unified]
        }
    }
}
