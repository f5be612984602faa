internal import FootingSystem

/// What block devices stand on, asked of a root once however many ask.
///
/// It lives as long as one probe: nothing of it is kept in a report.
final class BlockSurvey {
    let root: HostRoot
    private(set) lazy var mounts: MountTable? = MountTable(root)
    /// Devices in use as swap, by the last component of their paths.
    private(set) lazy var swaps: Set<String> = Self.swaps(root)
    /// The devices of each Btrfs file system that is mounted, as `/sys/fs/btrfs` groups them.
    private(set) lazy var poolMembers: [[String]] = Self.poolMembers(root)
    private var lower: [String: [String]] = [:]

    init(_ root: HostRoot) {
        self.root = root
    }

    /// The devices right below one: `slaves`, a cache, or what holds a loop device's file.
    func lower(_ name: String) -> [String] {
        if let known = lower[name] { return known }
        let found = ask(name)
        lower[name] = found
        return found
    }

    /// The disk that a partition is a part of; nil if it is none.
    func disk(ofPartition name: String) -> String? {
        guard root.exists("sys/class/block/\(name)/partition"),
            let link = try? root.link("sys/class/block/\(name)")
        else { return nil }
        return lastComponent(parent(link))
    }

    /// The kernel name behind `major:minor`, or behind the path that a mount table names.
    func name(number: String, source: String) -> String? {
        if let link = try? root.link("sys/dev/block/\(number)") { return lastComponent(link) }
        // btrfs gives itself a number of its own; older recordings lack sys/dev.
        let name = lastComponent(source)
        if source.hasPrefix("/dev/"), root.exists("sys/class/block/\(name)") { return name }
        return root.namesIfPresent("sys/block").first { name in
            root.fact("sys/block/\(name)/dev").value == number
        }
    }

    private func ask(_ name: String) -> [String] {
        let folder = "sys/block/\(name)"
        let slaves = root.namesIfPresent("\(folder)/slaves")
        if name.hasPrefix("bcache") { return slaves + caches("\(folder)/bcache/cache") }
        if !slaves.isEmpty { return slaves }
        if name.hasPrefix("loop"), let file = root.fact("\(folder)/loop/backing_file").value {
            return [holder(ofFile: file)].compactMap { $0 }
        }
        if name.hasPrefix("zram"), let path = root.fact("\(folder)/backing_dev").value,
            path.hasPrefix("/dev/")
        {
            return [lastComponent(path)]
        }
        return []
    }

    /// The devices that cache others: each link `cacheN` leads to `…/sdc/bcache`.
    private func caches(_ set: String) -> [String] {
        root.namesIfPresent(set).compactMap { name in
            guard name.dropping(prefix: "cache").flatMap({ Int($0) }) != nil,
                let link = try? root.link("\(set)/\(name)")
            else { return nil }
            return lastComponent(parent(link))
        }
    }

    private func holder(ofFile path: String) -> String? {
        // A loop device over a block device: its file lies on devtmpfs, which is not meant.
        if path.hasPrefix("/dev/"), root.exists("sys/class/block/\(lastComponent(path))") {
            return lastComponent(path)
        }
        guard let mount = mounts?.mount(of: path) else { return nil }
        return name(number: mount.number, source: mount.source)
    }

    private static func swaps(_ root: HostRoot) -> Set<String> {
        let text = (try? root.beginning("proc/swaps", limitBytes: 16384)) ?? ""
        return Set(
            lines(text).dropFirst().compactMap { line in
                let end = line.utf8.firstIndex { $0 == 32 || $0 == 9 } ?? line.endIndex
                return lastComponent(String(line[..<end]))
            }
        )
    }

    private static func poolMembers(_ root: HostRoot) -> [[String]] {
        let folder = "sys/fs/btrfs"
        return root.namesIfPresent(folder).compactMap { name in
            // Beside a folder for each file system there are `features` and the like.
            let devices = root.namesIfPresent("\(folder)/\(name)/devices")
            return devices.isEmpty ? nil : devices
        }
    }
}

/// Climbs from a device through partitions, device mapper, MD, bcache and loop devices to disks.
struct DiskClimber {
    /// No sane stack has more devices.
    private static let countMaximum = 64

    private let survey: BlockSurvey
    /// Every device that was passed, the first one asked for first.
    private(set) var chain: [String] = []
    /// The whole disks at the bottom.
    private(set) var disks: [String] = []

    init(_ survey: BlockSurvey) {
        self.survey = survey
    }

    /// Climbs from a mount's device, and from its companions where one file system has several.
    mutating func climb(number: String, source: String) {
        guard let name = survey.name(number: number, source: source) else { return }
        climb(name: name)
        // Their own device number marks file systems that may span devices (Btrfs).
        if number.hasPrefix("0:") {
            for pool in survey.poolMembers where pool.contains(name) {
                for member in pool { climb(name: member) }
            }
        }
    }

    mutating func climb(name: String) {
        // A tree made by an enemy can be its own slave; a device is looked at once.
        guard !chain.contains(name), chain.count < Self.countMaximum else { return }
        chain.append(name)
        let lower = survey.lower(name)
        if !lower.isEmpty {
            for device in lower { climb(name: device) }
        } else if let disk = survey.disk(ofPartition: name) {
            climb(name: disk)
        } else {
            disks.append(name)
        }
    }
}
