/// What the hook and the preflight read of a virtual machine's manifest.
///
/// Of its JSON, as KubeVirt gives it to a hook, or of a manifest in YAML; the kind is
/// `VirtualMachineInstance`, or `VirtualMachine` with one as its template.
public struct VirtualMachineFacts: Sendable, Hashable {
    /// Its namespace; empty in a manifest that names none.
    public internal(set) var namespace = ""
    /// Its name.
    public internal(set) var name = ""
    /// `status.nodeName`: the node it was given.
    public internal(set) var node: String?
    /// Its annotations.
    public internal(set) var annotations: [String: String] = [:]
    /// Virtual processors, those that may be plugged in later included.
    public internal(set) var processorsMaximum = 1
    /// As the manifest has it; of one that names nothing of it, as KubeVirt fills it in.
    var topology = Topology(sockets: 1, cores: 1, threads: 1)
    /// Whether `spec.domain.cpu.maxSockets` is given.
    var namesMaximum = false
    /// `spec.architecture`.
    public internal(set) var architecture: String?
    /// `spec.domain.cpu.model`.
    public internal(set) var processorModel: String?
    /// What `spec.domain.launchSecurity` asks for: `sev`, `snp`, `tdx`.
    public internal(set) var launchSecurity: [String] = []
    /// `spec.evictionStrategy`.
    public internal(set) var evictionStrategy: String?
    /// `spec.domain.devices.useVirtioTransitional`.
    public internal(set) var usesTransitionalVirtio = false
    /// The names below `spec.domain.features.hyperv`.
    public internal(set) var hyperVFeatures: [String] = []
    /// Whether `spec.domain.features.hypervPassthrough` is enabled.
    public internal(set) var passesHyperVThrough = false
    /// Whether `devices.kubevirt.io/mshv` is among its resources, which KubeVirt copies to the pod.
    public internal(set) var requestsDevice = false
    /// `cache` of the disks that name one, by the disks' names.
    public internal(set) var diskCaches: [String: String] = [:]

    /// How processors are arranged; 0 where the manifest names something else of it alone.
    struct Topology: Sendable, Hashable {
        var sockets: Int
        var cores: Int
        var threads: Int

        /// What stands for processors where 0 counts as 1, as a domain has it.
        var perSocket: Int { VirtualMachineFacts.product(max(cores, 1), max(threads, 1)) }
    }

    /// The resource through which a pod gets `/dev/mshv`.
    public static let deviceResource = "devices.kubevirt.io/mshv"

    /// `namespace/name`.
    public var fullName: String { namespace.isEmpty ? name : "\(namespace)/\(name)" }

    /// Reads a manifest.
    public init(parsing bytes: [UInt8]) throws(ManifestError) {
        // What KubeVirt gives to a hook may leave out its kind.
        let documents: [YAMLNode]
        do throws(YAMLError) {
            documents = try YAMLNode.documents(in: bytes)
        } catch {
            throw ManifestError("\(error)")
        }
        if let first = documents.first, documents.count == 1, first["kind"] == nil {
            self = try VirtualMachineFacts(instance: first, metadata: first["metadata"])
            return
        }
        let kinds = ["VirtualMachineInstance", "VirtualMachine"]
        let document = try ManifestError.document(of: kinds, in: bytes)
        if document["kind"]?.value == .string("VirtualMachine") {
            guard let template = document["spec"]?["template"] else {
                throw ManifestError("spec.template is missing")
            }
            self = try VirtualMachineFacts(instance: template, metadata: document["metadata"])
        } else {
            self = try VirtualMachineFacts(instance: document, metadata: document["metadata"])
        }
    }

    private init(instance: YAMLNode, metadata: YAMLNode?) throws(ManifestError) {
        namespace = try metadata?["namespace"]?.text("metadata.namespace") ?? ""
        name = try metadata?["name"]?.text("metadata.name") ?? ""
        node = try instance["status"]?["nodeName"]?.text("status.nodeName")
        annotations =
            try instance["metadata"]?["annotations"]?.texts("metadata.annotations") ?? [:]
        let spec = instance["spec"]
        architecture = try spec?["architecture"]?.text("spec.architecture")
        evictionStrategy = try spec?["evictionStrategy"]?.text("spec.evictionStrategy")
        guard let domain = spec?["domain"] else { return }
        processorModel = try domain["cpu"]?["model"]?.text("spec.domain.cpu.model")
        try readProcessors(domain)
        if let security = domain["launchSecurity"] {
            launchSecurity = try security.keys("spec.domain.launchSecurity")
        }
        try readFeatures(domain)
        try readDevices(domain)
    }

    private mutating func readFeatures(_ domain: YAMLNode) throws(ManifestError) {
        let features = domain["features"]
        if let hyperv = features?["hyperv"] {
            hyperVFeatures = try hyperv.keys("spec.domain.features.hyperv")
        }
        if let passthrough = features?["hypervPassthrough"] {
            passesHyperVThrough =
                try passthrough["enabled"]?
                .truth("spec.domain.features.hypervPassthrough.enabled") ?? true
        }
    }

    private mutating func readDevices(_ domain: YAMLNode) throws(ManifestError) {
        let resources = domain["resources"]
        for list in [resources?["requests"], resources?["limits"]] {
            let amount = list?[Self.deviceResource].flatMap(Self.quantity)
            if let amount, amount > Quantity(0) { requestsDevice = true }
        }
        let devices = domain["devices"]
        usesTransitionalVirtio =
            try devices?["useVirtioTransitional"]?
            .truth("spec.domain.devices.useVirtioTransitional") ?? false
        guard let disks = try devices?["disks"]?.elements("spec.domain.devices.disks") else {
            return
        }
        for disk in disks {
            guard let name = try disk["name"]?.text("spec.domain.devices.disks[].name"),
                let cache = try disk["cache"]?.text("spec.domain.devices.disks[].cache")
            else { continue }
            diskCaches[name] = cache
        }
    }

    private static func quantity(_ node: YAMLNode) -> Quantity? {
        switch node.value {
        case .string(let text), .decimal(let text): Quantity(text)
        case .integer(let number): Int64(exactly: number).map { Quantity($0) }
        default: nil
        }
    }

    /// `cores` × `threads` × the most sockets there may be; where none is named, the processors of
    /// the limits or requests.
    private mutating func readProcessors(_ domain: YAMLNode) throws(ManifestError) {
        let cpu = domain["cpu"]
        let path = "spec.domain.cpu."
        topology = Topology(
            sockets: try cpu?["sockets"]?.count(path + "sockets") ?? 0,
            cores: try cpu?["cores"]?.count(path + "cores") ?? 0,
            threads: try cpu?["threads"]?.count(path + "threads") ?? 0
        )
        let maximum = try cpu?["maxSockets"]?.count(path + "maxSockets") ?? 0
        if topology == Topology(sockets: 0, cores: 0, threads: 0) {
            let resources = domain["resources"]
            let amount =
                resources?["limits"]?["cpu"].flatMap(Self.quantity)
                ?? resources?["requests"]?["cpu"].flatMap(Self.quantity)
            let count = Int(min(max(amount?.roundedUp ?? 1, 1), Int64(UInt32.max)))
            topology = Topology(sockets: count, cores: 1, threads: 1)
        }
        namesMaximum = maximum > 0
        processorsMaximum = Self.product(max(topology.sockets, maximum, 1), topology.perSocket)
    }

    /// A product, at most 4294967295.
    fileprivate static func product(_ left: Int, _ right: Int) -> Int {
        let (product, overflow) = left.multipliedReportingOverflow(by: right)
        return overflow ? Int(UInt32.max) : min(product, Int(UInt32.max))
    }

    /// The processors that there may be once KubeVirt has filled in its defaults
    /// (`setupCPUHotplug` in `pkg/defaults/defaults.go`).
    func processorsMaximum(filledIn defaults: ClusterConfiguration) -> Int {
        guard !namesMaximum, defaults.plugsProcessors,
            architecture ?? defaults.architecture != "arm64"
        else { return processorsMaximum }
        var sockets = topology.sockets
        if let maximum = defaults.socketsMaximum, maximum > 0 {
            sockets = max(maximum, sockets)
        } else {
            // Of a manifest that names cores alone there are no sockets to multiply, and one that
            // names sockets alone is not held to what any machine type takes: so it is upstream.
            let plugged = Self.product(sockets, defaults.plugRatio)
            let perSocket = Self.product(topology.cores, topology.threads)
            let isTooMuch = Self.product(plugged, perSocket) > 512
            sockets = isTooMuch ? max(512 / perSocket, sockets) : max(plugged, sockets)
        }
        return Self.product(max(sockets, 1), topology.perSocket)
    }
}
