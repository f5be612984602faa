public import FootingSystem

/// The control groups whose limits on memory hold for this process (`cgroups(7)`).
public struct MemoryGroups: Sendable, Equatable {
    /// Which files the groups have.
    public enum Version: String, Sendable {
        /// `memory.limit_in_bytes` and its kin.
        case version1 = "v1"
        /// `memory.max` and its kin.
        case version2 = "v2"
    }

    /// Which files the groups have.
    public let version: Version
    /// The groups' folders below the root, this process's own first, then those above it.
    public let folders: [String]
    /// The folder of the own group in version 2, where the kernel tells of its stalls.
    ///
    /// With version 1 a process may be in a group of each. Nil for the topmost group, which is the
    /// whole machine, and where there is no version 2.
    public let pressureFolder: String?

    /// Groups that are known otherwise.
    public init(version: Version, folders: [String], pressureFolder: String?) {
        self.version = version
        self.folders = folders
        self.pressureFolder = pressureFolder
    }

    /// Looks where this process is (`/proc/self/cgroup`); folders that are not there are left out.
    ///
    /// A container sees its own group as the topmost one, under whatever path the host has for it.
    public static func find(_ root: HostRoot) -> Fact<MemoryGroups> {
        let groups = ControlGroups(root)
        if let absence = groups.absence { return .absent(absence) }
        let found = groups.memoryFolders
        guard let version = found.version else {
            return .absent("this process is in no control group")
        }
        let folders = found.folders.filter { root.exists($0) }
        guard !folders.isEmpty else { return .absent("the control groups are not mounted") }
        return .known(
            MemoryGroups(
                version: version,
                folders: folders,
                pressureFolder: found.pressure.flatMap { root.exists($0) ? $0 : nil }
            )
        )
    }
}

extension ControlGroups {
    /// Where the groups that limit memory are, the own one first.
    var memoryFolders: (version: MemoryGroups.Version?, folders: [String], pressure: String?) {
        let pressure = unified.flatMap { $0 == "/" ? nil : unifiedFolder + $0 }
        if let memory = member("memory") {
            let place = mount(memory, "memory")
            return (.version1, Self.ancestors(memory.path).map { place + $0 }, pressure)
        }
        guard let unified else { return (nil, [], nil) }
        return (.version2, Self.ancestors(unified).map { unifiedFolder + $0 }, pressure)
    }
}
