internal import FootingSystem

/// Finds out whether the program is in a container, and whose.
///
/// The sources are asked in this order, and the first that names a manager decides:
/// 1. OpenVZ, WSL and BrandZ are kernels of their own, and tell by it. They stand first because
///    their file systems are often made from other managers' images, marks included.
/// 2. What the manager writes down for its payload: two files, and process 1's environment.
/// 3. Files that one manager alone leaves. Apptainer and Podman run images that may hold Docker's.
/// 4. Control groups that a manager named; hidden by a control group namespace.
/// 5. What a process can see of itself: VServer's context, a tracer, process 1's program.
/// 6. Namespaces that are not the machine's first: a container, whose is not told.
struct ContainerDetector {
    /// A manager's name, and what tells it.
    struct Claim {
        let name: String
        let evidence: Evidence
    }

    /// The manager's name; `none` outside a container.
    private(set) var name = "none"
    private(set) var evidence: [Evidence] = []
    private(set) var conflicts: [Conflict] = []
    private var first: Claim?

    init(_ root: HostRoot) {
        let variable = Self.word(root, Self.environment)
        note(Self.kernel(root))
        note(Self.word(root, Self.files))
        // "oci" is any runtime: the files below tell which.
        if variable?.evidence.value != "container=oci" { note(variable) }
        note(Self.mark(root))
        note(Self.group(root))
        // The later sources are slow and weak; a contradiction is among the files.
        if first == nil { note(Self.process(root) ?? Self.namespace(root) ?? variable) }
    }

    private mutating func note(_ claim: Claim?) {
        guard let claim else { return }
        if let first { return contradict(first, claim) }
        first = claim
        name = claim.name
        evidence.append(claim.evidence)
    }

    private mutating func contradict(_ first: Claim, _ second: Claim) {
        // The same container, told twice; a name says more than none.
        guard first.name != second.name, second.name != "other", first.name != "other" else {
            return
        }
        conflicts.append(
            Conflict(
                about: "container",
                believed: first.evidence,
                rejected: second.evidence,
                reason: "\(second.name) within \(first.name), or a mark that an image brought along"
            )
        )
    }

    private static func claim(
        _ name: String,
        _ source: String,
        _ value: String,
        _ says: String
    ) -> Claim {
        Claim(name: name, evidence: Evidence(source: source, value: value, says: says))
    }
}

// MARK: - What a kernel or a manager says

extension ContainerDetector {
    private static func kernel(_ root: HostRoot) -> Claim? {
        if root.exists("proc/vz"), !root.exists("proc/bc") {
            return claim("openvz", "proc/vz", "", "OpenVZ's files without those of its host")
        }
        if let name = root.systemName().value {
            return kernel(name.release, "uname release") ?? kernel(name.version, "uname version")
        }
        let path = "proc/sys/kernel/osrelease"
        if let release = root.fact(path).value { return kernel(release, path) }
        // Some recordings have the longer line only: `Linux version RELEASE (builder) …`.
        guard let version = try? root.beginning("proc/version") else { return nil }
        let release = pieces(version, separator: " ").dropFirst(2).first ?? ""
        return kernel(release, "proc/version")
            ?? (version.holds("BrandZ virtual linux")
                ? claim("illumos-lx", "proc/version", version, "illumos' Linux zone") : nil)
    }

    private static func kernel(_ release: String, _ path: String) -> Claim? {
        // The first releases of the second version wrote a small letter and no WSL.
        if release.holds("Microsoft") || release.holds("WSL") || release.holds("-microsoft-") {
            return claim("wsl", path, release, "Windows' Linux kernel")
        }
        if release.holds("BrandZ") {
            return claim("illumos-lx", path, release, "illumos' Linux zone")
        }
        return nil
    }

    /// Names that managers give themselves, and the report's name for them.
    private static let managers: [String: String] = [
        "lxc": "lxc", "lxc-libvirt": "lxc", "lxc-execute": "lxc", "libvirt-lxc": "lxc",
        "systemd-nspawn": "systemd-nspawn", "docker": "docker", "podman": "podman", "rkt": "rkt",
        "wsl": "wsl", "proot": "proot", "pouch": "pouch", "apptainer": "apptainer",
        "singularity": "apptainer", "zone": "illumos-lx", "openvz": "openvz",
        "linux-vserver": "linux-vserver",
    ]

    private static let files = [
        "run/host/container-manager", "run/systemd/container", "run/container_type",
    ]
    private static let environment = ["proc/1/environ"]

    private static func word(_ root: HostRoot, _ paths: [String]) -> Claim? {
        for path in paths {
            guard let text = path == environment[0] ? variable(root) : root.fact(path).value else {
                continue
            }
            let value = path == environment[0] ? "container=\(text)" : text
            return claim(manager(text, root), path, value, "the manager's own word")
        }
        return nil
    }

    private static func manager(_ text: String, _ root: HostRoot) -> String {
        if let name = managers[text] { return name }
        // A tool that drops NULs leaves the next variable, `container_ttys`, at the name.
        guard !root.isLive, text.holds("_ttys=") else { return "other" }
        let names = managers.keys.filter { text.hasPrefix($0) }
        return names.max { $0.utf8.count < $1.utf8.count }.flatMap { managers[$0] } ?? "other"
    }

    /// Process 1's variable `container`; of another user's process it may not be read.
    private static func variable(_ root: HostRoot) -> String? {
        guard let bytes = try? root.bytes(environment[0]) else { return nil }
        let name = Array("container=".utf8)
        // A recording may be the text that a person pasted: then there is no NUL at all.
        let end: UInt8 = root.isLive || bytes.contains(0) ? 0 : 10
        let value = bytes.split(separator: end).first { $0.starts(with: name) }
            .map { String(decoding: $0.dropFirst(name.count), as: UTF8.self) }
        return value?.isEmpty == true ? nil : value
    }
}

// MARK: - What a manager leaves

extension ContainerDetector {
    /// Files that only one manager leaves.
    private static let marks: [(path: String, name: String)] = [
        (".singularity.d", "apptainer"),
        ("run/.containerenv", "podman"),
        (".dockerenv", "docker"),
        (".dockerinit", "docker"),
        ("dev/lxd/sock", "lxc"),
        ("dev/incus/sock", "lxc"),
        (".flatpak-info", "other"),
    ]

    /// The virtio ports by which the managers of LXC containers talk to their virtual machines,
    /// which have the same socket.
    private static let agentPorts = [
        "com.canonical.lxd", "org.linuxcontainers.lxd", "org.linuxcontainers.incus",
    ]

    private static func mark(_ root: HostRoot) -> Claim? {
        for mark in marks where root.exists(mark.path) {
            let isSocket = mark.path.hasSuffix("/sock")
            if isSocket, agentPorts.contains(where: { root.exists("dev/virtio-ports/\($0)") }) {
                continue
            }
            let says = mark.name == "other" ? "a sandbox's file" : "a file that \(mark.name) leaves"
            return claim(mark.name, mark.path, "", says)
        }
        return nil
    }

    /// Parts of a control group's path that a manager gives it, the surest first: what Kubernetes
    /// starts has the runtime's name below Kubernetes' own.
    private static let groups: [(text: String, name: String)] = [
        ("/libpod-", "podman"), ("/libpod_", "podman"), ("/pouch/", "pouch"),
        ("/docker/", "docker"), ("/docker-", "docker"), ("/system.slice/docker-", "docker"),
        ("/ecs/", "docker"), ("/actions_job/", "docker"),
        ("/lxc.payload", "lxc"), ("/lxc/", "lxc"), ("/machine-lxc", "lxc"),
        ("/machine.slice/systemd-nspawn", "systemd-nspawn"), ("/machine-rkt", "rkt"),
        ("/crio-", "other"), ("/cri-containerd", "other"), ("/garden/", "other"),
        ("/buildkit/", "other"), ("/kubepods", "other"),
    ]

    private static func group(_ root: HostRoot) -> Claim? {
        for path in ["proc/1/cgroup", "proc/self/cgroup"] {
            guard let text = try? root.beginning(path, limitBytes: 16384),
                let group = groups.first(where: { text.holds($0.text) })
            else { continue }
            let line = lines(text).first { $0.holds(group.text) } ?? ""
            return claim(group.name, path, line, "a control group named by its manager")
        }
        return nil
    }
}

// MARK: - What a process sees of itself

extension ContainerDetector {
    /// First programs that only a manager starts.
    private static let programs: [(text: String, name: String)] = [
        ("init.lxc", "lxc"), ("lxc-init", "lxc"), ("docker-init", "docker"),
        ("podman-init", "podman"), ("(sd-stubinit)", "systemd-nspawn"), ("appinit", "apptainer"),
        ("sinit", "apptainer"), ("bwrap", "other"), ("proot", "proot"),
    ]

    private static func process(_ root: HostRoot) -> Claim? {
        let path = "proc/self/status"
        guard let status = try? root.beginning(path) else { return nil }
        // Context 0 is the host of VServer's guests; the older line has the number as well.
        for name in ["VxID", "s_context"] {
            if let context = status.field(name).flatMap({ Int($0) }), context != 0 {
                return claim("linux-vserver", path, String(context), "a VServer context")
            }
        }
        if let tracer = status.field("TracerPid"), tracer != "0", Int(tracer) != nil,
            let command = root.fact("proc/\(tracer)/comm").value, command.hasPrefix("proot")
        {
            return claim("proot", "proc/\(tracer)/comm", command, "traced by proot")
        }
        return nil
    }

    /// The machine's first namespaces have fixed numbers: `PROC_PID_INIT_INO` and
    /// `PROC_CGROUP_INIT_INO` of `include/linux/proc_ns.h`.
    private static let namespaces: [(path: String, prefix: String, first: String)] = [
        ("proc/self/ns/pid", "pid:[", "pid:[4026531836]"),
        ("proc/self/ns/cgroup", "cgroup:[", "cgroup:[4026531835]"),
    ]

    private static func namespace(_ root: HostRoot) -> Claim? {
        var isOther: Claim?
        for line in namespaces {
            guard let link = try? root.link(line.path), link.hasPrefix(line.prefix),
                link != line.first
            else { continue }
            isOther = claim("other", line.path, link, "not the machine's own namespace")
            break
        }
        // Without the links, as in most recordings, only a manager's program counts.
        guard isOther != nil || !root.isLive else { return nil }
        let path = "proc/1/comm"
        if let command = root.fact(path).value,
            let program = programs.first(where: { command == $0.text })
        {
            return claim(program.name, path, command, "a manager's first process")
        }
        return isOther.map { whose(root) ?? $0 }
    }

    /// Parts of mounts' sources and roots that a manager gives them, where all else is hidden.
    private static let mounts: [(text: String, name: String)] = [
        ("/containers/storage/overlay-containers/", "podman"), ("/docker/containers/", "docker"),
        (" lxcfs ", "lxc"), (" fuse.lxcfs ", "lxc"), ("/kubelet/pods/", "other"),
        ("/io.containerd.", "other"),
    ]

    private static func whose(_ root: HostRoot) -> Claim? {
        let path = "proc/self/mountinfo"
        guard let bytes = try? root.bytes(path) else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        guard let mount = mounts.first(where: { text.holds($0.text) }) else { return nil }
        let line = lines(text).first { $0.holds(mount.text) } ?? ""
        return claim(mount.name, path, line, "a mount that a container's manager makes")
    }
}
