public import FootingSystem

/// Every fact about one machine, gathered once.
///
/// The schema of its JSON form is `footing.host/1`, in `docs/host-report.md`.
public struct HostReport: Sendable {
    /// The root the facts come from, as it was named.
    public let root: String
    /// Whether they are of the running machine.
    public let isLive: Bool
    /// Machine, processor, virtualization, cloud, PCI, block and paravirtual devices.
    public let hardware: HardwareProbe
    /// Memory, its limit and the balloon.
    public let memory: MemoryFacts
    /// NUMA nodes.
    public let numa: NUMATopology
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
        var hardware = HardwareProbe(root: root, cpuid: cpuid)
        hardware.cloud.ask(metadata, isLive: root.isLive)
        return HostReport(
            root: root.path,
            isLive: root.isLive,
            hardware: hardware,
            memory: MemoryFacts(root, paravirtual: hardware.paravirtual),
            numa: NUMATopology(root),
            path: path.map { PathFacts($0, root: root) }
        )
    }
}
