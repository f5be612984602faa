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
    /// What the machine is to Microsoft's hypervisor.
    public let partition: Partition

    /// What a machine is to Microsoft's hypervisor, as far as files tell.
    public enum Partition: String, Sendable, Hashable, CaseIterable {
        /// Nothing there tells of a Microsoft hypervisor.
        case none
        /// A guest without the right to have guests of its own: there is no `/dev/mshv`.
        case guest
        /// One that has guests of its own; whether as an L1VH or as the root partition no file
        /// tells, and virtual machines do not see it.
        case parent
        /// `/dev/mshv` cannot be looked at.
        case unknown
    }

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
        let isHyperV = root.exists("sys/bus/vmbus")
        partition =
            switch Self.has(mshv) {
            case true: .parent
            case nil: .unknown
            default: isHyperV ? .guest : .none
            }
    }

    /// Whether the node has a device, in this container or not; nil where that cannot be told.
    private static func has(_ state: DeviceState) -> Bool? {
        switch state {
        case .present, .onNode: true
        case .absent, .notADevice: false
        case .unreadable: nil
        }
    }

    /// The labels to set, by their names; none of KubeVirt's own, and none about a device that the
    /// kernel does not let be looked at.
    public var labels: [(name: String, value: String)] {
        [("footing/mshv", mshv), ("footing/kvm", kvm)].compactMap { name, state in
            Self.has(state).map { (name, $0 ? "true" : "false") }
        }
    }

    /// What a virtual machine gets from the Microsoft hypervisor here, as libvirt 11.10 and QEMU
    /// 10.2 have it (`accel/mshv`); nil where there is none, or that cannot be told.
    ///
    /// What is installed in virt-launcher's image is not looked at.
    public var capabilities: JSONValue? {
        guard Self.has(mshv) == true else { return nil }
        return [
            "domainType": .string(Selection.Hypervisor.mshv.domainType),
            "processorsMaximum": .integer(Int64(Preflight.processorsMaximum)),
            "processorModels": ["host-passthrough", "maximum"],
            "enlightenments": .array(Preflight.enlightenments.sorted().map { .string($0) }),
            "liveMigration": false,
            "confidential": false,
        ]
    }

    /// What a virtual machine without any wish would run on here, each way of the gate.
    public func selection(
        _ wish: HypervisorWish,
        allowsEmulation: Bool
    ) throws(Selection.Refusal) -> Selection {
        // KubeVirt makes the domain before any hook sees it, and fails without KVM: the device of
        // the other hypervisor is no way out of that.
        if wish == .transparent, Self.has(kvm) == false, !allowsEmulation {
            throw .kvmNotPresent
        }
        // What the node has, a pod that asks for it gets.
        return try Selection.decide(
            wish,
            mshv: mshv,
            kvm: Self.has(kvm) == true ? .present : kvm,
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
            "partition": .string(partition.rawValue),
            "capabilities": capabilities ?? .null,
        ]
    }
}
