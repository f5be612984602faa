public import FootingSystem

/// What a node offers to virtual machines, and the labels that say so.
public struct NodeReport: Sendable, Hashable {
    /// `/dev/mshv`.
    public let mshv: DeviceState
    /// `/dev/kvm`.
    public let kvm: DeviceState
    /// The loaded modules among those that make the devices, sorted.
    public let modules: [String]
    /// The kernel's release; nil where it cannot be told.
    public let kernel: String?
    /// NUMA nodes; nil where they cannot be told.
    public let nodes: [Int]?

    /// The modules that are looked for.
    public static let knownModules = ["kvm", "kvm_amd", "kvm_intel", "mshv_root", "mshv_vtl"]

    /// Looks at a machine.
    public init(root: HostRoot) {
        mshv = DeviceState("mshv", root: root)
        kvm = DeviceState("kvm", root: root)
        modules = Self.knownModules.filter { root.exists("sys/module/\($0)") }
        kernel = (try? root.attribute("proc/sys/kernel/osrelease")).flatMap {
            $0.isEmpty ? nil : $0
        }
        nodes = NodeList.online(root)
    }

    /// Whether the node has a device, in this container or not.
    private static func has(_ state: DeviceState) -> Bool {
        switch state {
        case .present, .onNode: true
        case .absent, .notADevice, .unreadable: false
        }
    }

    /// The labels to set, by their names; none of KubeVirt's own.
    public var labels: [(name: String, value: String)] {
        [
            ("footing/mshv", Self.has(mshv) ? "true" : "false"),
            ("footing/kvm", Self.has(kvm) ? "true" : "false"),
        ]
    }

    /// What a virtual machine without any wish would run on here, each way of the gate.
    public func selection(
        _ wish: HypervisorWish,
        allowsEmulation: Bool
    ) throws(Selection.Refusal) -> Selection {
        // What the node has, a pod that asks for it gets.
        try Selection.decide(
            wish,
            mshv: mshv,
            kvm: Self.has(kvm) ? .present : kvm,
            isAssigned: true,
            allowsEmulation: allowsEmulation
        )
    }

    /// The report as a JSON object.
    public var json: JSONValue {
        var labelled = JSONObject()
        for label in labels { labelled[label.name] = .string(label.value) }
        return [
            "schema": "footing.kubevirt-node/1",
            "devices": ["mshv": .string(mshv.code), "kvm": .string(kvm.code)],
            "modules": .array(modules.map { .string($0) }),
            "kernel": kernel.map { .string($0) } ?? .null,
            "numaNodes": nodes.map { .array($0.map { .integer(Int64($0)) }) } ?? .null,
            "labels": .object(labelled),
        ]
    }
}
