import FootingHost
import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingMemory

/// Control groups that are refused; guests make real ones.
@Suite struct CeilingGroupTests {
    private func empty(_ groups: String) throws -> TemporaryDirectory {
        let directory = try TemporaryDirectory()
        for folder in ["proc", "proc/self"] { try directory.directory(folder) }
        try directory.file("proc/self/cgroup", groups)
        return directory
    }

    private func tree(_ files: [String: String]) throws -> TemporaryDirectory {
        let directory = try empty("0::/a\n")
        for folder in ["sys", "sys/fs", "sys/fs/cgroup", "sys/fs/cgroup/a"] {
            try directory.directory(folder)
        }
        for (path, text) in files { try directory.file("sys/fs/cgroup/a/\(path)", text) }
        return directory
    }

    private func refusal(_ directory: TemporaryDirectory) throws -> String {
        let root = try HostRoot(path: directory.path)
        do throws(CeilingGroup.Refusal) {
            return try "entered "
                + CeilingGroup.enter(root, ceilingBytes: 1 << 28, process: 77).folder
        } catch {
            return error.description
        }
    }

    @Test func `without a controller there is nothing to set`() throws {
        let directory = try tree(["cgroup.controllers": "cpu io\n", "cgroup.procs": "77\n"])
        let text = try refusal(directory)
        #expect(text == "the group 'sys/fs/cgroup/a' has no limits on memory to give")
    }

    @Test func `a group that cannot be entered is not left behind`() throws {
        let directory = try tree([
            "cgroup.controllers": "cpu memory\n", "cgroup.subtree_control": "memory\n",
            "cgroup.procs": "77\n",
        ])
        let text = try refusal(directory)
        #expect(
            text.hasPrefix("no group can be made in 'sys/fs/cgroup/a': No such file"),
            "\(text)"
        )
        let names = try HostRoot(path: directory.path).names("sys/fs/cgroup/a")
        #expect(!names.contains { $0.hasPrefix("footing-") }, "\(names)")
    }

    /// A container with groups of its own, where the host's are mounted, sees one above it.
    @Test func `a group that does not have this process is left alone`() throws {
        for (controllers, kept) in [("memory\n", "memory"), ("\n", "")] {
            let directory = try tree([
                "cgroup.controllers": "cpu memory\n", "cgroup.subtree_control": controllers,
                "cgroup.procs": "1\n177\n",
            ])
            let text = try refusal(directory)
            #expect(
                text.hasPrefix("the group 'sys/fs/cgroup/a' does not have this process"),
                "\(text)"
            )
            let root = try HostRoot(path: directory.path)
            let names = try root.names("sys/fs/cgroup/a")
            #expect(!names.contains { $0.hasPrefix("footing-") }, "\(names)")
            #expect(try root.text("sys/fs/cgroup/a/cgroup.subtree_control") == kept)
        }
    }

    /// One that stayed divided would take no process any more.
    @Test func `a group that was divided in vain is made whole`() throws {
        let directory = try tree([
            "cgroup.controllers": "cpu memory\n", "cgroup.subtree_control": "",
            "cgroup.procs": "77\n",
        ])
        #expect(try refusal(directory).hasPrefix("no group can be made in 'sys/fs/cgroup/a'"))
        let root = try HostRoot(path: directory.path)
        #expect(try root.text("sys/fs/cgroup/a/cgroup.subtree_control") == "-memory")
    }

    @Test func `no group is no group`() throws {
        #expect(try refusal(empty("")) == "this process is in no control group")
    }
}
