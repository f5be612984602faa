import FootingHost
import FootingSystem

/// A machine of several nodes in memory, for decisions about places.
struct RecordedNodes {
    private var files: [String: RecordedNode] = [:]
    private var mounts = ""

    /// A machine's nodes.
    ///
    /// - Parameters:
    ///   - nodes: processors as the kernel lists them, memory in mebibytes, and distances.
    ///   - cpus: what this process may run on.
    ///   - memoryNodes: what this process may have memory of.
    init(
        _ nodes: [(cpus: String, mebibytes: Int, distance: String)],
        cpus: String = "0-63",
        memoryNodes: String = "0-63"
    ) {
        for (id, node) in nodes.enumerated() {
            let folder = "sys/devices/system/node/node\(id)"
            file("\(folder)/cpulist", node.cpus)
            file("\(folder)/distance", node.distance)
            file("\(folder)/meminfo", "Node \(id) MemTotal: \(node.mebibytes << 10) kB")
        }
        file(
            "proc/self/status",
            "Cpus_allowed_list:\t\(cpus)\nMems_allowed_list:\t\(memoryNodes)"
        )
    }

    /// Two sockets, memory behind CXL, and a node that has processors only.
    static let four: [(cpus: String, mebibytes: Int, distance: String)] = [
        ("0-3", 1024, "10 21 17 31"), ("4-7", 1024, "21 10 14 21"),
        ("", 2048, "17 14 10 40"), ("8-9", 0, "31 21 40 10"),
    ]

    mutating func file(_ path: String, _ text: String) {
        files[path] = .file(Array((text + "\n").utf8))
    }

    mutating func link(_ path: String, _ target: String) {
        files[path] = .link(target)
    }

    /// A disk with one partition at a PCI function.
    mutating func addDisk(_ name: String, slot: String, node: Int) {
        let function = "devices/pci\(slot.prefix(7))/\(slot)"
        let path = "\(function)/nvme/\(name)/\(name)n1"
        link("sys/bus/pci/devices/\(slot)", "../../../\(function)")
        file("sys/\(function)/uevent", "DRIVER=nvme\nPCI_CLASS=10802\nPCI_ID=144D:A80A")
        file("sys/\(function)/numa_node", "\(node)")
        link("sys/block/\(name)n1", "../\(path)")
        file("sys/\(path)/size", "2097152")
        file("sys/\(path)/\(name)n1p1/partition", "1")
        link("sys/class/block/\(name)n1p1", "../../\(path)/\(name)n1p1")
        link("sys/class/block/\(name)n1", "../../\(path)")
    }

    /// A device that the kernel makes of others.
    mutating func addLayer(_ name: String, number: String, over lower: [String]) {
        link("sys/block/\(name)", "../devices/virtual/block/\(name)")
        link("sys/dev/block/\(number)", "../../devices/virtual/block/\(name)")
        file("sys/devices/virtual/block/\(name)/size", "2097152")
        for device in lower {
            file("sys/devices/virtual/block/\(name)/slaves/\(device)/dev", "")
        }
    }

    /// A loop device and its file.
    mutating func addLoop(_ name: String, number: String, file path: String) {
        addLayer(name, number: number, over: [])
        file("sys/devices/virtual/block/\(name)/loop/backing_file", path)
    }

    mutating func mount(_ point: String, _ number: String, _ source: String) {
        mounts += "2\(mounts.count) 1 \(number) / \(point) rw - ext4 \(source) rw\n"
    }

    func root() throws -> HostRoot {
        var files = files
        files["proc/self/mountinfo"] = .file(Array(mounts.utf8))
        return HostRoot(path: "recorded", recording: try RecordedTree(files))
    }
}
