internal import CFooting
internal import FootingSystem

/// What this process may use of the machine: control groups of either version, and its cpuset.
public struct ResourceLimits: Sendable {
    /// How control groups are arranged.
    public enum Hierarchy: String, Sendable {
        /// None that can be seen.
        case none
        /// A hierarchy for each controller (`cgroups(7)`, version 1).
        case version1 = "v1"
        /// One for all (version 2).
        case version2 = "v2"
        /// Controllers in version 1, processes in both.
        case hybrid
    }

    /// How control groups are arranged.
    public let hierarchy: Hierarchy
    /// Memory above which processes are killed: the tightest limit of any group above this one.
    public let memoryMaximumBytes: Fact<UInt64>
    /// Memory above which processes are slowed down (`memory.high`), the tightest.
    public let memoryHighBytes: Fact<UInt64>
    /// Processors' worth of time: 1.5 is one and a half (`cpu.max`, `cpu.cfs_quota_us`).
    public let processors: Fact<Double>
    /// The processors this process may run on.
    public let cpus: Fact<[Int]>
    /// The nodes this process may have memory of.
    public let memoryNodes: Fact<[Int]>
    /// Every limit that was found, the innermost group's first.
    public let evidence: [Evidence]

    init(_ root: HostRoot) {
        var groups = ControlGroups(root)
        groups.read()
        hierarchy = groups.hierarchy
        evidence = groups.evidence
        let absence = groups.absence
        memoryMaximumBytes =
            groups.maximum.map { .known($0) }
            ?? .absent(absence ?? "no control group limits memory")
        memoryHighBytes =
            groups.high.map { .known($0) }
            ?? .absent(absence ?? "no control group slows its processes down")
        processors =
            groups.processors.map { .known($0) }
            ?? .absent(absence ?? "no control group limits processor time")
        // The kernel's own sum of affinity, cpusets and what is online.
        if root.isLive, let cpus = Allowance.processors(), let nodes = Allowance.nodes() {
            self.cpus = .known(cpus)
            memoryNodes = .known(nodes)
            return
        }
        let status = try? root.beginning("proc/self/status")
        cpus =
            Self.list(status?.field("Cpus_allowed_list"), "Cpus_allowed_list")
            ?? groups.set("cpus")
        memoryNodes =
            Self.list(status?.field("Mems_allowed_list"), "Mems_allowed_list")
            ?? groups.set("mems")
    }

    private static func list(_ text: String?, _ name: String) -> Fact<[Int]>? {
        guard let text else { return nil }
        return kernelList(text).map { .known($0) } ?? .absent("\(name) is no list: \(text)")
    }
}

/// What the kernel allows the running process, by the calls behind `/proc/self/status`.
private enum Allowance {
    /// The kernel's `NR_CPUS` at its highest, in words of 64 bits.
    private static let words = 128

    static func processors() -> [Int]? {
        unsafe list { unsafe footing_allowed_processors($0, $1) }
    }

    static func nodes() -> [Int]? {
        unsafe list { unsafe footing_allowed_nodes($0, $1) }
    }

    private static func list(
        _ call: (UnsafeMutablePointer<UInt64>?, Int) -> Int32
    ) -> [Int]? {
        unsafe withUnsafeTemporaryAllocation(of: UInt64.self, capacity: words) { buffer in
            guard unsafe call(buffer.baseAddress, words) == 0 else { return nil }
            var members: [Int] = []
            for word in 0..<words {
                var bits = unsafe buffer[word]
                while bits != 0 {
                    members.append(word * 64 + bits.trailingZeroBitCount)
                    bits &= bits - 1
                }
            }
            return members
        }
    }
}

/// The control groups of this process (`/proc/self/cgroup`), and the limits in them.
struct ControlGroups {
    /// What version 1 writes when there is no limit is just below 2^63.
    private static let unlimitedBytes: UInt64 = 1 << 62
    /// No sane hierarchy is deeper.
    private static let depthMaximum = 32

    /// The groups of one hierarchy.
    struct Member: Equatable {
        let controllers: [String]
        let path: String
    }

    private let root: HostRoot
    /// Hierarchies of version 1 with their controllers.
    private let old: [Member]
    /// The group in version 2; nil without it.
    let unified: String?
    /// Where version 2 is mounted: in systemd's hybrid below version 1; beside a hierarchy of
    /// version 1 that somebody mounted elsewhere it stays where it is alone.
    let unifiedFolder: String
    private(set) var absence: String?
    private(set) var maximum: UInt64?
    private(set) var high: UInt64?
    private(set) var processors: Double?
    private(set) var evidence: [Evidence] = []

    init(_ root: HostRoot) {
        self.root = root
        let below = "sys/fs/cgroup/unified"
        let path = "proc/self/cgroup"
        do throws(Errno) {
            // A dozen hierarchies with a container's path in each fill more than a page.
            let text = try root.beginning(path, limitBytes: 16384)
            let members = Self.members(text)
            old = members.filter { !$0.controllers.isEmpty }
            unified = members.first { $0.controllers.isEmpty }?.path
            unifiedFolder = !old.isEmpty && root.exists(below) ? below : "sys/fs/cgroup"
        } catch {
            old = []
            unified = nil
            unifiedFolder = "sys/fs/cgroup"
            absence = HostRoot.reason(path, error)
        }
    }

    /// The lines of `/proc/self/cgroup`; a hierarchy with a name only has no limits.
    static func members(_ text: String) -> [Member] {
        lines(text).compactMap { line in
            // `NUMBER:CONTROLLERS:PATH`
            let colon = UInt8(ascii: ":")
            guard let first = line.utf8.firstIndex(of: colon) else { return nil }
            let rest = line.utf8[line.utf8.index(after: first)...]
            guard let second = rest.firstIndex(of: colon) else { return nil }
            let path = String(line[line.utf8.index(after: second)...])
            guard path.utf8.first == UInt8(ascii: "/") else { return nil }
            if String(line[..<first]) == "0" { return Member(controllers: [], path: path) }
            let names = String(line[line.utf8.index(after: first)..<second])
            let controllers = pieces(names, separator: ",")
            guard !controllers.isEmpty, !controllers[0].hasPrefix("name=") else { return nil }
            return Member(controllers: controllers, path: path)
        }
    }

    var hierarchy: ResourceLimits.Hierarchy {
        if unified == nil { return old.isEmpty ? .none : .version1 }
        return old.isEmpty ? .version2 : .hybrid
    }

    mutating func read() {
        if let unified {
            let hasMemory = member("memory") == nil
            let hasProcessors = member("cpu") == nil
            for folder in Self.ancestors(unified) where hasMemory || hasProcessors {
                let path = unifiedFolder + folder
                if hasMemory {
                    limit("\(path)/memory.max") { $0.maximum = smaller($0.maximum, $1) }
                    limit("\(path)/memory.high") { $0.high = smaller($0.high, $1) }
                }
                if hasProcessors { share("\(path)/cpu.max") }
            }
        }
        if let memory = member("memory") {
            for folder in Self.ancestors(memory.path) {
                let path = "\(mount(memory, "memory"))\(folder)/memory.limit_in_bytes"
                limit(path) { $0.maximum = smaller($0.maximum, $1) }
            }
        }
        if let time = member("cpu") {
            for folder in Self.ancestors(time.path) {
                oldShare("\(mount(time, "cpu"))\(folder)")
            }
        }
    }

    func member(_ controller: String) -> Member? {
        old.first { $0.controllers.contains(controller) }
    }

    /// `sys/fs/cgroup/cpu,cpuacct` where controllers share a hierarchy; a link leads there from
    /// each one's own name, unless a recording left it out.
    func mount(_ member: Member, _ controller: String) -> String {
        let own = "sys/fs/cgroup/\(controller)"
        if member.controllers.count == 1 || root.exists(own) { return own }
        return "sys/fs/cgroup/\(member.controllers.joined(separator: ","))"
    }

    /// A group and all above it; a limit holds for all below.
    static func ancestors(_ path: String) -> [String] {
        var folders: [String] = []
        var folder = path == "/" ? "" : path
        while folders.count < depthMaximum {
            folders.append(folder)
            if folder.isEmpty { break }
            folder = parent(folder)
        }
        return folders
    }

    private mutating func limit(_ path: String, _ apply: (inout ControlGroups, UInt64) -> Void) {
        guard let text = try? root.attribute(path), let value = UInt64(text),
            value < Self.unlimitedBytes
        else { return }
        apply(&self, value)
        evidence.append(Evidence(source: path, value: text, says: "a limit in bytes"))
    }

    /// `150000 100000`: microseconds in each period; `max` instead of the first is no limit.
    private mutating func share(_ path: String) {
        guard let text = try? root.attribute(path) else { return }
        let words = pieces(text, separator: " ")
        guard words.count == 2, let share = Self.share(Int(words[0]), of: Int(words[1])) else {
            return
        }
        add(share, Evidence(source: path, value: text, says: "time of so many processors"))
    }

    private mutating func oldShare(_ folder: String) {
        let path = "\(folder)/cpu.cfs_quota_us"
        guard let quota = root.number(path).value, quota > 0,
            let share = Self.share(quota, of: root.number("\(folder)/cpu.cfs_period_us").value)
        else { return }
        add(share, Evidence(source: path, value: String(quota), says: "time of processors"))
    }

    private mutating func add(_ share: Double, _ item: Evidence) {
        processors = min(processors ?? share, share)
        evidence.append(item)
    }

    static func share(_ quota: Int?, of period: Int?) -> Double? {
        guard let quota, let period, quota > 0, period > 0 else { return nil }
        return Double(quota) / Double(period)
    }

    /// A cpuset's effective list: the innermost group's that has one.
    func set(_ kind: String) -> Fact<[Int]> {
        if let absence { return namedSet(kind) ?? .absent(absence) }
        let paths: [String] =
            if let set = member("cpuset") {
                Self.ancestors(set.path).flatMap { folder in
                    let path = "\(mount(set, "cpuset"))\(folder)"
                    return ["\(path)/cpuset.effective_\(kind)", "\(path)/cpuset.\(kind)"]
                }
            } else if let unified {
                Self.ancestors(unified).map { "\(unifiedFolder)\($0)/cpuset.\(kind).effective" }
            } else {
                []
            }
        for path in paths {
            guard let text = root.fact(path).value else { continue }
            return kernelList(text).map { .known($0) } ?? .absent("\(path) is no list: \(text)")
        }
        return .absent("neither proc/self/status nor a cpuset tells")
    }

    /// Where a recording tells only the cpuset's name: its mount is any of three kinds.
    private func namedSet(_ kind: String) -> Fact<[Int]>? {
        guard !root.isLive, let name = root.fact("proc/self/cpuset").value, name.hasPrefix("/"),
            let table = try? root.beginning("proc/mounts", limitBytes: 65536)
        else { return nil }
        // No machine mounts it more often; a hostile table may.
        var mounts = 0
        for line in lines(table) where mounts < 8 {
            let words = pieces(line, separator: " ")
            guard words.count >= 4 else { continue }
            let files: [String]
            switch words[2] {
            case "cpuset": files = [kind]
            case "cgroup" where pieces(words[3], separator: ",").contains("cpuset"):
                // The option `noprefix` leaves the controller's name out.
                files = ["cpuset.effective_", "cpuset.", "effective_", ""].map { $0 + kind }
            case "cgroup2": files = ["cpuset.\(kind).effective"]
            default: continue
            }
            mounts += 1
            for folder in Self.ancestors(name) {
                let texts = files.lazy.compactMap { root.fact("\(words[1])\(folder)/\($0)").value }
                if let list = texts.first.flatMap(kernelList) { return .known(list) }
            }
        }
        return nil
    }
}
