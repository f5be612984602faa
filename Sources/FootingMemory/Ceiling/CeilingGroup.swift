internal import FootingHost
public import FootingSystem
import Glibc

/// A control group of this process's own, below the one that it is in, which bounds its memory.
///
/// Only on request: a process that leaves its group leaves what systemd or a container runtime
/// counts and limits there. Below its own group it stays within both. The kernel documents are
/// `cgroup-v2.rst` ("No Internal Process Constraint") and `cgroup-v1/memory.rst`.
public struct CeilingGroup: Sendable {
    /// Why there is none.
    public struct Refusal: Error, Sendable, CustomStringConvertible {
        /// What was tried, on what, and why it failed; without the last full stop.
        public let description: String
    }

    private static let prefix = "footing-"

    private let move: Move
    /// Whether the group bounds swap as well: the kernel may be built, or told, not to count it.
    public let boundsSwap: Bool

    /// The group's folder below the root.
    public var folder: String { move.folder }

    /// Makes the group and moves this process into it.
    ///
    /// Groups of the same kind whose process is gone are removed: nobody can remove the group that
    /// it is in.
    ///
    /// - Parameters:
    ///   - root: the machine.
    ///   - ceilingBytes: the most memory that the group may have, swap included.
    ///   - process: this process's number.
    public static func enter(
        _ root: HostRoot,
        ceilingBytes: UInt64,
        process: Int32 = ProcessIdentity.number
    ) throws(Refusal) -> CeilingGroup {
        let groups: MemoryGroups
        switch MemoryGroups.find(root) {
        case .known(let found): groups = found
        case .absent(let reason): throw Refusal(description: reason)
        }
        guard let present = groups.folders.first else {
            throw Refusal(description: "this process is in no control group")
        }
        var move = Move(root: root, present: present, name: "\(prefix)\(process)", process: process)
        // A container may see the host's groups, but not its own: this would be one above it.
        guard move.processes.contains("\(process)") else {
            throw Refusal(
                description: "the group '\(present)' does not have this process: what is mounted "
                    + "there are the control groups of another place"
            )
        }
        removeOld(root, present)
        let bounds: [Move.Bound]
        switch groups.version {
        case .version1:
            bounds = [
                .init(file: "memory.limit_in_bytes", bytes: ceilingBytes),
                // Of memory and swap together.
                .init(file: "memory.memsw.limit_in_bytes", bytes: ceilingBytes),
            ]
        case .version2:
            try move.enableMemory()
            bounds = [
                .init(file: "memory.max", bytes: ceilingBytes),
                .init(file: "memory.swap.max", bytes: 0),
            ]
        }
        let boundsSwap = try move.enter(memory: bounds[0], swap: bounds[1])
        return CeilingGroup(move: move, boundsSwap: boundsSwap)
    }

    /// Goes back to the group that the process came from, and leaves that as it was found.
    ///
    /// A group that was divided would take no process any more, not even this program's next one.
    public func leave() throws(Refusal) {
        do throws(Errno) {
            try move.goBack()
        } catch {
            throw Refusal(description: "the way back to '\(move.present)' failed: \(error)")
        }
    }

    private static func removeOld(_ root: HostRoot, _ folder: String) {
        guard let names = try? root.names(folder),
            let directory = try? root.open(folder, [.path, .directory])
        else { return }
        for name in names where name.hasPrefix(prefix) {
            guard let process = UInt32(name.dropFirst(prefix.count)),
                !root.exists("proc/\(process)")
            else { continue }
            _ = unsafe unlinkat(directory.number, name, AT_REMOVEDIR)
        }
    }
}

/// The way of a process into a group below its own.
private struct Move {
    /// A limit: what is written to which file.
    struct Bound {
        let file: String
        let bytes: UInt64
    }

    let root: HostRoot
    /// The folder of the group that it is in.
    let present: String
    let name: String
    let process: Int32
    /// The other groups below the present one when it was divided; nil: it was not, not by this.
    private var othersWhenDivided: Set<String>?

    init(root: HostRoot, present: String, name: String, process: Int32) {
        self.root = root
        self.present = present
        self.name = name
        self.process = process
    }

    var folder: String { "\(present)/\(name)" }

    private var control: String { "\(present)/cgroup.subtree_control" }

    /// The numbers of those in the present group.
    var processes: [String] { words("\(present)/cgroup.procs") }

    /// The groups below the present one, without the own.
    private var others: Set<String> {
        let names = (try? root.names(present)) ?? []
        return Set(names.filter { $0 != name && root.exists("\(present)/\($0)/cgroup.procs") })
    }

    /// Lets the groups below the present one have limits on memory (version 2).
    mutating func enableMemory() throws(CeilingGroup.Refusal) {
        let controllers = words("\(present)/cgroup.controllers")
        guard controllers.contains("memory") else {
            throw refusal("the group '\(present)' has no limits on memory to give")
        }
        if words(control).contains("memory") { return }
        do throws(Errno) {
            return try divide()
        } catch {
            guard error == .busy else { throw refusal("'\(present)' cannot be divided: \(error)") }
        }
        // A group that has processes cannot be divided. Where this is the only one it moves first.
        let strangers = processes.count { $0 != "\(process)" }
        guard strangers == 0 else {
            throw refusal(
                "\(strangers) other processes are in the group '\(present)', which therefore "
                    + "cannot be divided"
            )
        }
        do throws(Errno) {
            try makeFolder()
            try write("\(process)", "\(folder)/cgroup.procs")
            try divide()
        } catch {
            try? goBack()
            throw refusal("'\(present)' cannot be divided: \(error)")
        }
    }

    private mutating func divide() throws(Errno) {
        let others = others
        try write("+memory", control)
        othersWhenDivided = others
    }

    /// Sets the limits, and moves.
    ///
    /// - Returns: whether swap has one.
    func enter(memory: Bound, swap: Bound) throws(CeilingGroup.Refusal) -> Bool {
        do throws(Errno) {
            try makeFolder()
            try write("\(memory.bytes)", "\(folder)/\(memory.file)")
            let hasSwap = root.exists("\(folder)/\(swap.file)")
            if hasSwap { try write("\(swap.bytes)", "\(folder)/\(swap.file)") }
            try write("\(process)", "\(folder)/cgroup.procs")
            return hasSwap
        } catch {
            try? goBack()
            throw refusal("no group can be made in '\(present)': \(error)")
        }
    }

    /// Undoes it all.
    ///
    /// The kernel lets no process into a group that is divided: that goes first.
    func goBack() throws(Errno) {
        // Groups that came since may have limits that hold by it.
        if let othersWhenDivided, others.isSubset(of: othersWhenDivided) {
            try write("-memory", control)
        }
        try write("\(process)", "\(present)/cgroup.procs")
        let directory = try root.open(present, [.path, .directory])
        if unsafe unlinkat(directory.number, name, AT_REMOVEDIR) < 0 { throw Errno.current }
    }

    private func makeFolder() throws(Errno) {
        let directory = try root.open(present, [.path, .directory])
        guard unsafe mkdirat(directory.number, name, 0o755) < 0 else { return }
        guard Errno.current == .fileExists else { throw Errno.current }
    }

    private func write(_ text: String, _ path: String) throws(Errno) {
        try root.open(path, [.writeOnly, .noTerminal]).write(text)
    }

    private func words(_ path: String) -> [String] {
        guard let text = try? root.text(path) else { return [] }
        return text.split { $0 == " " || $0 == "\n" }.map { String($0) }
    }

    private func refusal(_ reason: String) -> CeilingGroup.Refusal {
        CeilingGroup.Refusal(description: reason)
    }
}
