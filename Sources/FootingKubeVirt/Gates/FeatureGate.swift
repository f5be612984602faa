/// A switch of KubeVirt by its name, and how far its feature has come.
public struct FeatureGate: Sendable, Hashable {
    /// KubeVirt's stages (`pkg/virt-config/featuregate/feature-gates.go`).
    public enum Stage: String, Sendable, Hashable, CaseIterable {
        /// Off unless it is listed.
        case alpha = "Alpha"
        /// On unless it is disabled.
        case beta = "Beta"
        /// Always on.
        case generalAvailability = "GA"
        /// Off unless it is listed; about to go.
        case deprecated = "Deprecated"
        /// Gone from KubeVirt, whose rule still turns it on for who lists it.
        case discontinued = "Discontinued"
    }

    /// As it is written in `featureGates`.
    public let name: String
    /// How far it has come.
    public let stage: Stage

    /// Footing's own, whose name KubeVirt ignores: L1VH chosen transparently, node by node.
    public static let hyperVL1VH = FeatureGate(name: "HyperVL1VH", stage: .alpha)
    /// KubeVirt's: the hypervisor of the whole cluster in `spec.configuration.hypervisors`.
    public static let configurableHypervisor = FeatureGate(
        name: "ConfigurableHypervisor",
        stage: .alpha
    )

    /// Footing's gate and those of KubeVirt 1.9 (`active.go`, `inactive.go` and the files beside
    /// them), by name.
    public static let all: [FeatureGate] = ([hyperVL1VH] + upstream).sorted { $0.name < $1.name }

    /// A gate by its name; nil for one that is not known.
    public static func named(_ name: String) -> FeatureGate? { all.first { $0.name == name } }

    private static let upstream: [FeatureGate] = names.flatMap { stage, names in
        names.split(separator: " ").map { FeatureGate(name: String($0), stage: stage) }
    }

    private static let names: [(Stage, String)] = [
        (
            .alpha,
            """
            AlignCPUs CPUManager ConfigurableHypervisor ContainerPathVolumes \
            CrossArchitectureVirtualization DownwardMetrics EnableVirtioFsStorageVolumes \
            ExperimentalIgnitionSupport FirmwareAutoSelection GraceIOVirtualization HostDevices \
            HostDisk HypervStrictCheck IOMMUFD IncrementalBackup MigrationDowntimeTuning \
            MigrationStallDetection NetworkDevicesWithDRA OCIExport ObjectGraph \
            PCINUMAAwareTopology Plugins PortRangesSpec ReservedOverheadMemlock Root Sidecar \
            UtilityVolumes VGPULiveMigration VMStatsCollector VSOCK WorkloadEncryptionTDX
            """
        ),
        (
            .beta,
            """
            DecentralizedLiveMigration DeclarativeHotplugVolumes ExternalNetResourceInjection \
            GPUsWithDRA HostDevicesWithDRA ImageVolume KubevirtSeccompProfile NodeRestriction \
            OptOutRoleAggregation PasstBinding PodSecondaryInterfaceNamingUpgrade RebootPolicy \
            Snapshot Template WorkloadEncryptionSEV
            """
        ),
        (
            .generalAvailability,
            """
            AutoResourceLimitsGate BochsDisplayForEFIGuests CPUNodeDiscovery ClusterProfiler \
            CommonInstancetypesDeploymentGate DisableCustomSELinuxPolicy \
            DynamicPodInterfaceNaming EnableVirtioFsConfigVolumes ExpandDisks GPU HotplugNICs \
            InstancetypeReferencePolicy LibvirtHooksServerAndClient LiveMigration \
            LiveUpdateNADRef MigrationPriorityQueue NUMA NetworkBindingPlugins NonRoot PSA \
            PanicDevices PersistentReservation SRIOVLiveMigration SecureExecution VMExport \
            VMLiveUpdateFeatures VMPersistentState VideoConfig VmiMemoryOverheadReport \
            VolumeMigration VolumesUpdateStrategy
            """
        ),
        (
            .deprecated,
            "DisableMDEVConfiguration DockerSELinuxMCSWorkaround HotplugVolumes MultiArchitecture"
        ),
        (
            .discontinued,
            "ExperimentalVirtiofsSupport Macvtap Passt PasstIPStackMigration"
        ),
    ]
}
