public import FootingSystem

/// Every fact about one machine, gathered once.
///
/// The schema of its JSON form is `footing.host/1`, in `docs/host-report.md`.
public struct HostReport: Sendable {
    /// The root the facts come from, as it was named.
    public let root: String
    /// Whether they are of the running machine.
    public let isLive: Bool
    /// What the kernel says of itself and of the architecture.
    public let system: Fact<SystemName>
    /// Machine, processor, virtualization, cloud, PCI, block and paravirtual devices.
    public let hardware: HardwareProbe
    /// Memory, its limit and the balloon.
    public let memory: MemoryFacts
    /// NUMA nodes.
    public let numa: NUMATopology
    /// What this process may use of the machine.
    public let limits: ResourceLimits
    /// The file system and the disks under the path that was asked for; nil if none was.
    public let path: PathFacts?

    /// Gathers the facts; nothing that is missing is an error.
    ///
    /// - Parameters:
    ///   - root: the machine.
    ///   - path: a file or folder, also one that is still to be made, or a block device.
    ///   - metadata: whether a cloud's metadata server may be asked, which takes up to 500 ms; only
    ///     the running machine's ever is.
    public static func gather(
        root: HostRoot,
        path: String? = nil,
        metadata: MetadataPolicy = .forbidden
    ) -> HostReport {
        gather(root: root, cpuid: root.cpuidSource(), path: path, metadata: metadata)
    }

    /// Gathers the facts with a CPUID source that stands for the root's own.
    public static func gather(
        root: HostRoot,
        cpuid: any CPUIDSource,
        path: String? = nil,
        metadata: MetadataPolicy = .forbidden
    ) -> HostReport {
        // What several detectors ask for is asked of the machine once.
        let root = root.remembering()
        let survey = BlockSurvey(root)
        var hardware = HardwareProbe(survey, cpuid: cpuid)
        hardware.cloud.ask(metadata, isLive: root.isLive)
        let limits = ResourceLimits(root)
        let memory = MemoryFacts(root, paravirtual: hardware.paravirtual, limits: limits)
        return HostReport(
            root: root.path,
            isLive: root.isLive,
            system: root.systemName(),
            hardware: hardware,
            memory: memory,
            numa: NUMATopology(root),
            limits: limits,
            path: path.map { PathFacts($0, survey: survey) }
        )
    }
}
