internal import FootingSystem

/// Finds out whether the program is in a container, and whose.
struct ContainerDetector {
    /// The manager's name; `none` outside a container.
    private(set) var name = "none"
    private(set) var evidence: [Evidence] = []

    /// Names that managers give themselves, and the report's name for them.
    private static let managers: [String: String] = [
        "lxc": "lxc", "lxc-libvirt": "lxc", "systemd-nspawn": "systemd-nspawn",
        "docker": "docker", "podman": "podman", "rkt": "rkt", "wsl": "wsl", "proot": "proot",
        "pouch": "pouch", "apptainer": "apptainer", "singularity": "apptainer",
    ]

    /// Files that only one manager leaves, podman before docker: podman leaves both.
    private static let marks: [(path: String, name: String)] = [
        ("run/.containerenv", "podman"),
        (".dockerenv", "docker"),
        (".dockerinit", "docker"),
        (".singularity.d", "apptainer"),
        ("dev/lxd/sock", "lxc"),
        ("dev/incus/sock", "lxc"),
    ]

    /// Parts of a control group's path that a manager gives it.
    private static let groups: [(text: String, name: String)] = [
        ("/libpod-", "podman"), ("/libpod_", "podman"), ("/docker/", "docker"),
        ("/docker-", "docker"), ("/lxc.payload", "lxc"), ("/lxc/", "lxc"),
        ("/machine.slice/systemd-nspawn", "systemd-nspawn"), ("/kubepods", "other"),
    ]

    /// Looks in the order that the outermost, most certain marks come first.
    ///
    /// OpenVZ and WSL share the host's kernel and tell by it; then managers that write their name
    /// down; then files that they leave; then the process's surroundings, which tell that there is
    /// a container but seldom whose.
    init(_ root: HostRoot) {
        look(root)
    }

    private mutating func look(_ root: HostRoot) {
        if root.exists("proc/vz"), !root.exists("proc/bc") {
            return found("openvz", "proc/vz", "", "OpenVZ's files without those of its host")
        }
        if let release = root.fact("proc/sys/kernel/osrelease").value,
            release.holds("Microsoft") || release.holds("WSL")
        {
            return found("wsl", "proc/sys/kernel/osrelease", release, "Windows' Linux kernel")
        }
        for path in ["run/host/container-manager", "run/systemd/container"] {
            if let text = root.fact(path).value {
                return found(Self.managers[text] ?? "other", path, text, "the manager's own word")
            }
        }
        let environment = Self.environment(root)
        // "oci" is any runtime: the files below tell which.
        if let text = environment, text != "oci" {
            return found(
                Self.managers[text] ?? "other",
                "proc/1/environ",
                "container=\(text)",
                "the manager's own word"
            )
        }
        if let mark = Self.marks.first(where: { root.exists($0.path) }) {
            return found(mark.name, mark.path, "", "a file that \(mark.name) leaves")
        }
        lookAtProcess(root)
        if name == "none", environment == "oci" {
            found("other", "proc/1/environ", "container=oci", "a container of unknown manager")
        }
    }

    private mutating func found(
        _ name: String,
        _ source: String,
        _ value: String,
        _ says: String
    ) {
        self.name = name
        evidence.append(Evidence(source: source, value: value, says: says))
    }

    private static func environment(_ root: HostRoot) -> String? {
        // Of another user's process 1 this may not be read; that is no sign either way.
        guard let bytes = try? root.bytes("proc/1/environ") else { return nil }
        let name = Array("container=".utf8)
        return bytes.split(separator: 0).first { $0.starts(with: name) }
            .map { String(decoding: $0.dropFirst(name.count), as: UTF8.self) }
    }

    private mutating func lookAtProcess(_ root: HostRoot) {
        for path in ["proc/1/cgroup", "proc/self/cgroup"] {
            guard let text = try? root.beginning(path) else { continue }
            if let group = Self.groups.first(where: { text.holds($0.text) }) {
                let line = lines(text).first { $0.holds(group.text) } ?? ""
                return found(group.name, path, line, "a control group named by its manager")
            }
        }
        if let status = try? root.beginning("proc/self/status") {
            if let context = status.field("VxID"), context != "0" {
                return found("linux-vserver", "proc/self/status", context, "a VServer context")
            }
            if let tracer = status.field("TracerPid"), tracer != "0", Int(tracer) != nil,
                let command = root.fact("proc/\(tracer)/comm").value, command.hasPrefix("proot")
            {
                return found("proot", "proc/\(tracer)/comm", command, "traced by proot")
            }
        }
        // The first process namespace has a fixed number: PROC_PID_INIT_INO, proc_ns.h.
        if let link = try? root.link("proc/self/ns/pid"), link.hasPrefix("pid:["),
            link != "pid:[4026531836]"
        {
            found("other", "proc/self/ns/pid", link, "not the machine's own process namespace")
        }
    }
}
