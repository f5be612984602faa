import FootingDeployment
import FootingHost
import FootingSystem
import FootingTestSupport
import Glibc
import Testing

@testable import FootingTuning

/// A machine made of files, with disks whose queues can be written to.
final class TuningTree {
    /// A disk: where it hangs, and what its queue says.
    struct Disk {
        var name: String
        /// Folders from `devices` to the one that holds the disk's own.
        var place: String
        /// The driver of each folder that has one, by the folder's last component.
        var drivers: [String: String]
        var queue: [String: String]
        var queues = 1
        /// Other attributes, by their path below the disk's folder.
        var attributes: [String: String] = [:]
    }

    let folder: TemporaryDirectory
    /// What the journal is kept in.
    var journal: String { folder.path("state/tuning") }
    let path: String

    init(_ disks: [Disk], mount: String = "ext4 /dev/vda rw", options: String = "rw,relatime")
        throws
    {
        folder = try TemporaryDirectory()
        path = folder.path("root")
        try write("proc/sys/kernel/random/boot_id", "first")
        try write("proc/sys/vm/dirty_bytes", "0")
        try write("proc/sys/vm/dirty_ratio", "20")
        try write("proc/sys/vm/dirty_background_bytes", "0")
        try write("proc/sys/vm/dirty_background_ratio", "10")
        try write("proc/meminfo", "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\n")
        try write("proc/cmdline", "console=ttyS0 quiet")
        try write("proc/self/mountinfo", "36 1 254:0 / / \(options) - \(mount)")
        for (index, disk) in disks.enumerated() { try add(disk, minor: index * 16) }
    }

    /// Adds a disk, as a hot plug would.
    func add(_ disk: Disk, minor: Int) throws {
        let own = "sys/devices/\(disk.place)/block/\(disk.name)"
        try write("\(own)/size", "2097152")
        try write("\(own)/dev", "254:\(minor)")
        for (name, value) in disk.queue { try write("\(own)/queue/\(name)", value) }
        if disk.queue["scheduler"]?.contains("[mq-deadline]") == true {
            // Neither is what a scheduler brings along.
            try write("\(own)/queue/iosched/read_expire", "123")
            try write("\(own)/queue/iosched/async_depth", "40")
        }
        for (name, value) in disk.attributes { try write("\(own)/\(name)", value) }
        for queue in 0..<disk.queues { try write("\(own)/mq/\(queue)/nr_tags", "256") }
        try link("sys/block/\(disk.name)", "../devices/\(disk.place)/block/\(disk.name)")
        try link("sys/class/block/\(disk.name)", "../../devices/\(disk.place)/block/\(disk.name)")
        try link("sys/dev/block/254:\(minor)", "../../devices/\(disk.place)/block/\(disk.name)")
        var above = "sys/devices"
        for part in disk.place.split(separator: "/") {
            above += "/\(part)"
            guard let driver = disk.drivers[String(part)] else { continue }
            if (try? HostRoot(path: path).link("\(above)/driver")) != nil { continue }
            try link("\(above)/driver", "/sys/bus/any/drivers/\(driver)")
        }
    }

    /// Has the root file system on a partition, whose attributes the disk has already.
    func mountPartition(_ name: String, of disk: Disk, minor: Int) throws {
        let own = "devices/\(disk.place)/block/\(disk.name)/\(name)"
        try link("sys/class/block/\(name)", "../../\(own)")
        try link("sys/dev/block/254:\(minor)", "../../\(own)")
        try write("proc/self/mountinfo", "36 1 254:\(minor) / / rw,relatime - ext4 /dev/\(name) rw")
    }

    /// Takes a disk away, as a hot unplug would.
    func remove(_ name: String) throws {
        let link = try HostRoot(path: path).link("sys/block/\(name)")
        let own = "sys/devices/" + link.split(separator: "/").dropFirst(2).joined(separator: "/")
        _ = unsafe system("rm -rf '\(path)/\(own)'")
        for folder in ["sys/block", "sys/class/block"] {
            _ = unsafe unlink("\(path)/\(folder)/\(name)")
        }
    }

    func root() throws -> HostRoot { try HostRoot(path: path) }

    func write(_ name: String, _ text: String) throws {
        try makeParents(name)
        let cut = FileDescriptor.Options(rawValue: O_TRUNC)
        try FileDescriptor.open("\(path)/\(name)", [.writeOnly, .create, cut]).write(text + "\n")
    }

    func read(_ name: String) throws -> String { try root().attribute(name) }

    func queue(_ disk: String, _ attribute: String) throws -> String {
        try read("sys/block/\(disk)/queue/\(attribute)")
    }

    private func link(_ name: String, _ target: String) throws {
        try makeParents(name)
        _ = unsafe unlink("\(path)/\(name)")
        guard unsafe symlink(target, "\(path)/\(name)") == 0 else { throw Errno.current }
    }

    private func makeParents(_ name: String) throws {
        var built = path
        _ = unsafe mkdir(built, 0o755)
        for part in name.split(separator: "/").dropLast() {
            built += "/\(part)"
            if unsafe mkdir(built, 0o755) != 0, Errno.current != .fileExists { throw Errno.current }
        }
    }

    /// Every value that the program could have written, by its path.
    func values() throws -> [String: String] {
        let root = try root()
        var values: [String: String] = [:]
        for disk in try root.names("sys/block") {
            let queue = "sys/block/\(disk)/queue"
            let own = ((try? root.names("\(queue)/iosched")) ?? []).map { "iosched/\($0)" }
            for name in ((try? root.names(queue)) ?? []).filter({ $0 != "iosched" }) + own {
                values["\(queue)/\(name)"] = try root.attribute("\(queue)/\(name)")
            }
        }
        for name in try root.names("proc/sys/vm") {
            values["proc/sys/vm/\(name)"] = try root.attribute("proc/sys/vm/\(name)")
        }
        return values
    }

    /// The plan for a disk on the root file system.
    func plan(
        _ profile: String = "hypervisor",
        set: String? = nil,
        rules: [String] = [],
        path: String = "/disk.footing"
    ) throws -> TuningPlan {
        let root = try root()
        var chosen = try #require(BuiltInProfiles.named(profile))
        if let set { try chosen.set(assignments: set) }
        return TuningPlan(
            Detection(root: root, path: path),
            root: root,
            profile: chosen,
            named: rules
        )
    }
}

extension TuningTree.Disk {
    /// A virtio disk that somebody set up badly.
    static func virtio(_ name: String = "vda", slot: Int = 5, serial: String = "disk-a") -> Self {
        .init(
            name: name,
            place: "pci0000:00/0000:00:0\(slot).0/virtio\(slot)",
            drivers: ["virtio\(slot)": "virtio_blk", "0000:00:0\(slot).0": "virtio-pci"],
            queue: [
                "scheduler": "[mq-deadline] none", "nr_requests": "64", "read_ahead_kb": "8192",
                "rq_affinity": "1", "nomerges": "0", "wbt_lat_usec": "75000", "rotational": "1",
                "add_random": "1", "io_timeout": "30000", "write_cache": "write back",
            ],
            attributes: ["serial": serial]
        )
    }

    /// A disk of another hypervisor, at the place where its kernel shows it.
    static func foreign(
        _ name: String,
        at place: String,
        drivers: [String: String]
    ) -> Self {
        .init(
            name: name,
            place: place,
            drivers: drivers,
            queue: ["scheduler": "[none]", "nr_requests": "64", "write_cache": "write through"],
            queues: 0,
            attributes: ["device/queue_depth": "64"]
        )
    }

    /// An NVMe namespace with four queues.
    static func nvme(
        _ scheduler: String = "[mq-deadline] none",
        model: String = "Fast Disk 1"
    ) -> Self {
        .init(
            name: "nvme0n1",
            place: "pci0000:00/0000:00:07.0/nvme/nvme0",
            drivers: ["0000:00:07.0": "nvme"],
            queue: [
                "scheduler": scheduler, "nr_requests": "256", "read_ahead_kb": "128",
                "nomerges": "0", "wbt_lat_usec": "2000", "rotational": "0", "add_random": "0",
                "io_timeout": "30000", "rq_affinity": "1", "write_cache": "write back",
            ],
            queues: 4,
            attributes: ["wwid": "eui.0025385971b03c4a", "nsid": "1", "device/model": model]
        )
    }
}
