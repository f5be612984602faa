internal import FootingSystem

/// What uses block devices: mounts, swap, partitions, holders, loop devices and Btrfs.
///
/// Facts of sysfs and of this process's mount table; a container sees its own mounts only. Whether
/// another process has a device open is known only to one who opens it exclusively.
final class DeviceUsage {
    private let survey: BlockSurvey
    private let mounted: [String: String]
    private let mountedNames: [String: String]
    private let backing: [String: String]
    private let blindness: String?
    /// The disks that this system itself is on, with what of it they hold.
    private(set) lazy var systemDisks: [String: String] = findSystemDisks()

    /// Mounts without which the system does not run.
    private static let systemMounts = ["/", "/usr", "/boot", "/boot/efi", "/efi", "/var", "/etc"]

    init(_ survey: BlockSurvey, container: String) {
        self.survey = survey
        let root = survey.root
        let mounts = survey.mounts?.mounts ?? []
        mounted = Dictionary(mounts.map { ($0.number, $0.point) }) { first, _ in first }
        mountedNames = Dictionary(
            mounts.filter { $0.source.hasPrefix("/dev/") }
                .map { (lastComponent($0.source), $0.point) }
        ) { first, _ in first }
        let loops = root.namesIfPresent("sys/block").filter { $0.hasPrefix("loop") }
        backing = Dictionary(
            loops.compactMap { loop in
                root.fact("sys/block/\(loop)/loop/backing_file").value?.dropping(prefix: "/dev/")
                    .map { (lastComponent($0), loop) }
            }
        ) { first, _ in first }
        if container != "none" {
            blindness = "a container sees only its own mounts"
        } else if mounts.isEmpty {
            blindness = "proc/self/mountinfo shows no mount"
        } else {
            blindness = nil
        }
    }

    /// Every use that can be seen of a whole disk, in words; none means that it is free.
    ///
    /// - Returns: absent if nothing was seen, but not everything can be.
    func uses(
        _ name: String,
        number: String?,
        partitions: [BlockPartition],
        signature: Fact<String>
    ) -> Fact<[String]> {
        var uses: [String] = []
        if let number, let point = mounted[number] {
            uses.append("mounted at \(point)")
        } else if let point = mountedNames[name] {
            uses.append("mounted at \(point)")
        }
        if survey.swaps.contains(name) { uses.append("swap") }
        if !partitions.isEmpty {
            uses.append("partitions: \(partitions.map(\.name).joined(separator: " "))")
        }
        let holdersPath = "sys/block/\(name)/holders"
        let holders = survey.root.namesIfPresent(holdersPath)
        if !holders.isEmpty { uses.append("held by \(holders.joined(separator: " "))") }
        if let loop = backing[name] { uses.append("behind \(loop)") }
        if survey.poolMembers.contains(where: { $0.contains(name) }) {
            uses.append("part of a mounted Btrfs")
        }
        if let found = signature.value, found != "none" { uses.append("holds \(found)") }
        guard uses.isEmpty else { return .known(uses) }
        if let blindness { return .absent(blindness) }
        if case .absent(let reason) = signature { return .absent("signature: \(reason)") }
        // On a live machine every disk has this folder; a tree may have been made without it.
        if !survey.root.isLive, !survey.root.exists(holdersPath) {
            return .absent("\(holdersPath) is not there")
        }
        return .known([])
    }

    private func findSystemDisks() -> [String: String] {
        var found: [String: String] = [:]
        for mount in survey.mounts?.mounts ?? [] where Self.systemMounts.contains(mount.point) {
            var climber = DiskClimber(survey)
            climber.climb(number: mount.number, source: mount.source)
            for disk in climber.disks where found[disk] == nil { found[disk] = mount.point }
        }
        for swap in survey.swaps {
            var climber = DiskClimber(survey)
            climber.climb(name: swap)
            for disk in climber.disks where found[disk] == nil { found[disk] = "swap" }
        }
        return found
    }
}
