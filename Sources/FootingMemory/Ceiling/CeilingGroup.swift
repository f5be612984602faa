internal import FootingHost
public import FootingSystem
import Glibc

/// A control group of this process's own, below the one that it is in, which bounds its memory.
///
/// Only on request: a process that leaves its group leaves what systemd or a container runtime
/// counts and limits there. Below its own group it stays within both. The kernel documents are
/// `cgroup-v2.rst` ("No Internal Process Constraint") and `cgroup-v1/memory.rst`.
public enum CeilingGroup {
    /// Why there is none.
    public struct Refusal: Error, Sendable, CustomStringConvertible {
        /// What was tried, on what, and why it failed; without the last full stop.
        public let description: String
    }

    private static let prefix = "footing-"

    /// Makes the group and moves this process into it.
    ///
    /// Groups of the same kind whose process is gone are removed: nobody can remove the group that
    /// it is in.
    ///
    /// - Parameters:
    ///   - root: the machine.
    ///   - ceilingBytes: the most memory that the group may have.
    ///   - process: this process's number.
    /// - Returns: the group's folder below the root.
    public static func enter(
        _ root: HostRoot,
        ceilingBytes: UInt64,
        process: Int32 = ProcessIdentity.number
    ) throws(Refusal) -> String {
        let groups: MemoryGroups
        switch MemoryGroups.find(root) {
        case .known(let found): groups = found
        case .absent(let reason): throw Refusal(description: reason)
        }
        guard let present = groups.folders.first else {
            throw Refusal(description: "this process is in no control group")
        }
        removeOld(root, present)
        let move = Move(root: root, present: present, name: "\(prefix)\(process)", process: process)
        switch groups.version {
        case .version1: try move.enter("memory.limit_in_bytes", ceilingBytes)
        case .version2:
            try move.enableMemory()
            try move.enter("memory.max", ceilingBytes)
        }
        return move.folder
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
    let root: HostRoot
    /// The folder of the group that it is in.
    let present: String
    let name: String
    let process: Int32

    var folder: String { "\(present)/\(name)" }

    /// Lets the groups below the present one have limits on memory (version 2).
    func enableMemory() throws(CeilingGroup.Refusal) {
        let controllers = words("\(present)/cgroup.controllers")
        guard controllers.contains("memory") else {
            throw refusal("the group '\(present)' has no limits on memory to give")
        }
        if words("\(present)/cgroup.subtree_control").contains("memory") { return }
        do throws(Errno) {
            try write("+memory", "\(present)/cgroup.subtree_control")
            return
        } catch {
            guard error == .busy else { throw refusal("'\(present)' cannot be divided: \(error)") }
        }
        // A group that has processes cannot be divided. Where this is the only one it moves first.
        let processes = words("\(present)/cgroup.procs")
        guard processes == ["\(process)"] else {
            throw refusal(
                "\(max(processes.count, 1) - 1) other processes are in the group '\(present)', "
                    + "which therefore cannot be divided"
            )
        }
        do throws(Errno) {
            try makeFolder()
            try write("\(process)", "\(folder)/cgroup.procs")
            try write("+memory", "\(present)/cgroup.subtree_control")
        } catch {
            goBack()
            throw refusal("'\(present)' cannot be divided: \(error)")
        }
    }

    /// Sets the limit, and moves.
    func enter(_ limit: String, _ ceilingBytes: UInt64) throws(CeilingGroup.Refusal) {
        do throws(Errno) {
            try makeFolder()
            try write("\(ceilingBytes)", "\(folder)/\(limit)")
            try write("\(process)", "\(folder)/cgroup.procs")
        } catch {
            goBack()
            throw refusal("no group can be made in '\(present)': \(error)")
        }
    }

    private func goBack() {
        try? write("\(process)", "\(present)/cgroup.procs")
        guard let directory = try? root.open(present, [.path, .directory]) else { return }
        _ = unsafe unlinkat(directory.number, name, AT_REMOVEDIR)
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
