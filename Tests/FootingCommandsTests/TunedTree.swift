import FootingSystem
import FootingTestSupport

/// A machine of files, on which commands that tune are run: a virtio disk with a file system on it,
/// that reads too much ahead.
struct TunedTree {
    private let folder: TemporaryDirectory

    /// Makes the machine in a folder, beside which there is room for other files.
    init(in folder: TemporaryDirectory) throws {
        self.folder = folder
        let disk = "root/sys/devices/pci0000:00/0000:00:05.0/virtio2/block/vda"
        for path in ["\(disk)/queue", "root/sys/block", "root/sys/dev/block", "root/proc/self"] {
            var built = ""
            for part in path.split(separator: "/") {
                built += built.isEmpty ? String(part) : "/\(part)"
                try? folder.directory(built)
            }
        }
        try folder.file("\(disk)/size", "2048\n")
        try folder.file("\(disk)/dev", "254:0\n")
        try folder.file("\(disk)/serial", "disk-a\n")
        try folder.file("\(disk)/queue/read_ahead_kb", "8192\n")
        let target = "devices/pci0000:00/0000:00:05.0/virtio2/block/vda"
        try folder.link("root/sys/block/vda", to: "../\(target)")
        try folder.link("root/sys/dev/block/254:0", to: "../../\(target)")
        let mounts = "36 1 254:0 / / rw,noatime - ext4 /dev/vda rw\n"
        try folder.file("root/proc/self/mountinfo", mounts)
    }

    var root: String { folder.path("root") }

    /// The options that name the machine, and a journal of its own.
    var place: [String] { ["--root", root, "--journal", folder.path("state")] }

    func readAhead() throws -> String {
        try HostRoot(path: root).attribute("sys/block/vda/queue/read_ahead_kb")
    }

    /// Has somebody else write a value.
    func setReadAhead(_ value: String) throws {
        let path = "\(root)/sys/block/vda/queue/read_ahead_kb"
        try FileDescriptor.open(path, [.writeOnly]).write(value + "\n")
    }
}
