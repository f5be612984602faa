/// What Footing reads of a KubeVirt resource (`kubevirt.io/v1`, kind `KubeVirt`).
public struct ClusterConfiguration: Sendable, Hashable {
    /// The gates that are listed and disabled.
    public let gates: FeatureGates
    /// The name of the first of `spec.configuration.hypervisors`; nil where there is none.
    ///
    /// KubeVirt looks at the first alone, and takes an empty name for KVM.
    public let hypervisor: String?
    /// `spec.configuration.developerConfiguration.useEmulation`: a VM may run without hardware.
    public let allowsEmulation: Bool
    /// `status.observedKubeVirtVersion`; nil where it is not told.
    public internal(set) var version: String?
    /// `spec.configuration.evictionStrategy`: for virtual machines that name none.
    public let evictionStrategy: String?
    /// Whether processors can be plugged in by default: `LiveUpdate`, KubeVirt's default, and not
    /// `Stage`, of `spec.configuration.vmRolloutStrategy`.
    public let plugsProcessors: Bool
    /// How many times its sockets a virtual machine may have by plugging, where it does not say:
    /// `spec.configuration.liveUpdateConfiguration.maxHotplugRatio`.
    public let plugRatio: Int
    /// The most sockets by that rule; nil for none:
    /// `spec.configuration.liveUpdateConfiguration.maxCpuSockets`.
    public let socketsMaximum: Int?
    /// `spec.configuration.cpuModel`: for virtual machines that name none; nil for KubeVirt's own.
    public internal(set) var processorModel: String?
    /// `spec.configuration.architectureConfiguration.defaultArchitecture`, for those without one.
    public internal(set) var architecture: String?
    /// Footing's own settings, as annotations of the resource.
    public let settings: Settings

    /// What the annotations of the KubeVirt resource say to Footing.
    public struct Settings: Sendable, Hashable {
        /// `footing/strict: "true"`: whatever keeps the hook from its work fails the VM.
        public var isStrict = false
        /// `footing/device-resource: assigned`: every VM's pod gets `devices.kubevirt.io/mshv`.
        public var assignsDevice = false

        /// What holds without annotations.
        public init() {}
    }

    /// Puts a configuration together.
    public init(
        gates: FeatureGates = FeatureGates(),
        hypervisor: String? = nil,
        allowsEmulation: Bool = false,
        settings: Settings = Settings(),
        evictionStrategy: String? = nil,
        plugsProcessors: Bool = true,
        plugRatio: Int = 4,
        socketsMaximum: Int? = nil
    ) {
        self.gates = gates
        self.hypervisor = hypervisor
        self.allowsEmulation = allowsEmulation
        self.settings = settings
        self.evictionStrategy = evictionStrategy
        self.plugsProcessors = plugsProcessors
        self.plugRatio = plugRatio
        self.socketsMaximum = socketsMaximum
    }

    /// Reads a KubeVirt resource from YAML or JSON; of several documents the one of that kind.
    ///
    /// A list, as `kubectl get kubevirt -A -o yaml` prints it, is looked through too.
    public init(parsing bytes: [UInt8]) throws(ManifestError) {
        self = try ClusterConfiguration(
            resource: ManifestError.document(of: ["KubeVirt"], in: bytes)
        )
    }

    /// Reads a KubeVirt resource.
    init(resource: YAMLNode) throws(ManifestError) {
        let configuration = resource["spec"]?["configuration"]
        let developer = configuration?["developerConfiguration"]
        var hypervisor: String?
        if let list = configuration?["hypervisors"] {
            let first = try list.elements("spec.configuration.hypervisors").first
            hypervisor = try first.map { node throws(ManifestError) in
                try node["name"]?.text("spec.configuration.hypervisors[0].name") ?? ""
            }
        }
        var settings = Settings()
        let annotations = try resource["metadata"]?["annotations"]?.texts("metadata.annotations")
        settings.isStrict = annotations?["footing/strict"] == "true"
        settings.assignsDevice = annotations?["footing/device-resource"] == "assigned"
        let path = "spec.configuration.developerConfiguration"
        let update = configuration?["liveUpdateConfiguration"]
        let updatePath = "spec.configuration.liveUpdateConfiguration"
        let rollout = try configuration?["vmRolloutStrategy"]?
            .text("spec.configuration.vmRolloutStrategy")
        self.init(
            gates: FeatureGates(
                listed: try developer?["featureGates"]?.names(path + ".featureGates") ?? [],
                disabled: try developer?["disabledFeatureGates"]?
                    .names(path + ".disabledFeatureGates") ?? []
            ),
            hypervisor: hypervisor,
            allowsEmulation: try developer?["useEmulation"]?.truth(path + ".useEmulation") ?? false,
            settings: settings,
            evictionStrategy: try configuration?["evictionStrategy"]?
                .text("spec.configuration.evictionStrategy"),
            plugsProcessors: rollout != "Stage",
            plugRatio: try update?["maxHotplugRatio"]?.count(updatePath + ".maxHotplugRatio") ?? 4,
            socketsMaximum: try update?["maxCpuSockets"]?.count(updatePath + ".maxCpuSockets")
        )
        version = try resource["status"]?["observedKubeVirtVersion"]?
            .text("status.observedKubeVirtVersion")
        processorModel = try configuration?["cpuModel"]?.text("spec.configuration.cpuModel")
        architecture = try configuration?["architectureConfiguration"]?["defaultArchitecture"]?
            .text("spec.configuration.architectureConfiguration.defaultArchitecture")
    }

    /// Which hypervisor the gates ask for, and why.
    public var wish: HypervisorWish {
        let configurable = gates.verdict(FeatureGate.configurableHypervisor.name)
        if configurable.isOn, let hypervisor {
            switch hypervisor {
            case "hyperv-direct": return .hyperVDirect
            case "", "kvm": return .kernel(.configured)
            default: return .kernel(.unknownHypervisor(hypervisor))
            }
        }
        let transparent = gates.verdict(FeatureGate.hyperVL1VH.name)
        return transparent.isOn ? .transparent : .kernel(.gateOff(transparent.rule))
    }
}
