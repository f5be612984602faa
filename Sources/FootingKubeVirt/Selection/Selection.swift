/// What a virtual machine runs on, and why: the result of one pure function.
public struct Selection: Sendable, Hashable {
    /// What runs the virtual machine.
    public enum Hypervisor: String, Sendable, Hashable, CaseIterable {
        /// Microsoft's, through `/dev/mshv`.
        case mshv
        /// The kernel's, through `/dev/kvm`.
        case kvm
        /// None: QEMU translates in software.
        case qemu

        /// What libvirt calls it: the `type` of a domain, of which there is no `mshv`.
        public var domainType: String { self == .mshv ? "hyperv" : rawValue }

        /// The hypervisor of a domain's `type`; nil for one that KubeVirt does not write.
        public init?(domainType: String) {
            let found = Self.allCases.first { $0.domainType == domainType }
            guard let found else { return nil }
            self = found
        }
    }

    /// Why, for machines; as the reason of a Kubernetes condition.
    public enum Reason: String, Sendable, Hashable, CaseIterable {
        /// `HyperVL1VH` is on and the device is there.
        case l1vhSelected = "L1VHSelected"
        /// `ConfigurableHypervisor` asks for it and the device is there.
        case hyperVDirect = "HyperVDirectConfigured"
        /// `HyperVL1VH` is off.
        case gateOff = "GateOff"
        /// `ConfigurableHypervisor` asks for KVM.
        case kernelConfigured = "KVMConfigured"
        /// `ConfigurableHypervisor` names something else.
        case unknownHypervisor = "UnknownHypervisor"
        /// `HyperVL1VH` is on, and there is no `/dev/mshv`.
        case deviceAbsent = "MSHVNotPresent"
        /// The node has `/dev/mshv`, but nothing says that the pod gets it.
        case deviceNotAssigned = "MSHVNotAssigned"
        /// Whether there is a `/dev/mshv` cannot be told.
        case deviceUnreadable = "MSHVNotReadable"
    }

    /// Why there is nothing a virtual machine could run on.
    public enum Refusal: Error, Sendable, Hashable, CustomStringConvertible {
        /// `hyperv-direct` without its device and without emulation.
        case mshvNotPresent
        /// KVM without its device and without emulation.
        case kvmNotPresent
        /// The kernel refuses the question whether a device is there.
        case unreadable(String, DeviceState)

        /// In words; the first two as KubeVirt's converter puts them.
        public var description: String {
            switch self {
            case .mshvNotPresent: "MSHV not present"
            case .kvmNotPresent: "kvm not present and emulation is not allowed"
            case .unreadable(let name, let state): "/dev/\(name) \(state.explanation)"
            }
        }
    }

    /// What runs it.
    public let hypervisor: Hypervisor
    /// Why.
    public let reason: Reason
    /// The reason in a sentence without a full stop.
    public let explanation: String

    /// Decides.
    ///
    /// - Parameters:
    ///   - wish: what the gates ask for.
    ///   - mshv: the state of `/dev/mshv`.
    ///   - kvm: the state of `/dev/kvm`.
    ///   - isAssigned: whether the pod of the virtual machine gets the device that its node has.
    ///   - allowsEmulation: whether software may stand in for hardware.
    /// - Throws: what KubeVirt would fail with.
    public static func decide(
        _ wish: HypervisorWish,
        mshv: DeviceState,
        kvm: DeviceState,
        isAssigned: Bool,
        allowsEmulation: Bool
    ) throws(Refusal) -> Selection {
        let isThere = try? isThere("mshv", mshv, isAssigned: isAssigned)
        switch wish {
        case .hyperVDirect:
            if try Self.isThere("mshv", mshv, isAssigned: isAssigned) {
                return Selection(.mshv, .hyperVDirect, wish, mshv)
            }
            guard allowsEmulation else { throw .mshvNotPresent }
            return Selection(.qemu, .deviceAbsent, wish, mshv)
        case .transparent:
            if isThere == true { return Selection(.mshv, .l1vhSelected, wish, mshv) }
            let other = try kernel(kvm, allowsEmulation)
            return Selection(other, absence(mshv), wish, mshv)
        case .kernel(let cause):
            let other = try kernel(kvm, allowsEmulation)
            return Selection(other, reason(cause), wish, mshv)
        }
    }

    /// The decision about a domain that KubeVirt has made already: what is not for the Microsoft
    /// hypervisor stays as KubeVirt decided, without a look at `/dev/kvm`.
    public static func decide(
        _ wish: HypervisorWish,
        mshv: DeviceState,
        isAssigned: Bool,
        existing: Hypervisor
    ) -> Selection {
        switch wish {
        case .kernel(let cause): return Selection(existing, reason(cause), wish, mshv)
        case .hyperVDirect: return Selection(existing, .hyperVDirect, wish, mshv)
        case .transparent:
            if existing == .mshv {
                return Selection(.mshv, .l1vhSelected, "the domain is of the type hyperv already")
            }
            let isThere = (try? isThere("mshv", mshv, isAssigned: isAssigned)) ?? false
            if isThere { return Selection(.mshv, .l1vhSelected, wish, mshv) }
            return Selection(existing, absence(mshv), wish, mshv)
        }
    }

    private static func kernel(
        _ kvm: DeviceState,
        _ allowsEmulation: Bool
    ) throws(Refusal) -> Hypervisor {
        if try isThere("kvm", kvm, isAssigned: false) { return .kvm }
        guard allowsEmulation else { throw .kvmNotPresent }
        return .qemu
    }

    private static func isThere(
        _ name: String,
        _ state: DeviceState,
        isAssigned: Bool
    ) throws(Refusal) -> Bool {
        switch state {
        case .present: return true
        case .absent: return false
        case .onNode: return isAssigned
        case .notADevice, .unreadable: throw .unreadable(name, state)
        }
    }

    private static func absence(_ mshv: DeviceState) -> Reason {
        switch mshv {
        case .present, .absent: .deviceAbsent
        case .onNode: .deviceNotAssigned
        case .notADevice, .unreadable: .deviceUnreadable
        }
    }

    private static func reason(_ cause: HypervisorWish.Cause) -> Reason {
        switch cause {
        case .gateOff: .gateOff
        case .configured: .kernelConfigured
        case .unknownHypervisor: .unknownHypervisor
        }
    }
}

extension Selection {
    private init(_ hypervisor: Hypervisor, _ reason: Reason, _ explanation: String) {
        self.hypervisor = hypervisor
        self.reason = reason
        self.explanation = explanation
    }

    private init(
        _ hypervisor: Hypervisor,
        _ reason: Reason,
        _ wish: HypervisorWish,
        _ mshv: DeviceState
    ) {
        self.init(hypervisor, reason, Self.explain(reason, wish, mshv))
    }

    private static func explain(
        _ reason: Reason,
        _ wish: HypervisorWish,
        _ mshv: DeviceState
    ) -> String {
        switch (reason, wish) {
        case (.gateOff, .kernel(.gateOff(let rule))):
            "the gate HyperVL1VH is "
                + FeatureGates.Verdict(isOn: false, rule: rule).explanation
        case (.unknownHypervisor, .kernel(.unknownHypervisor(let name))):
            "ConfigurableHypervisor names '\(name)', which is not known"
        case (.kernelConfigured, _): "ConfigurableHypervisor is on and names KVM"
        case (.hyperVDirect, _):
            "ConfigurableHypervisor is on and names hyperv-direct: KubeVirt decides"
        case (.l1vhSelected, _): "the gate HyperVL1VH is on and /dev/mshv \(mshv.explanation)"
        case (.deviceNotAssigned, _):
            "/dev/mshv \(mshv.explanation), and nothing says that the virtual machine's pod gets "
                + "it: request devices.kubevirt.io/mshv"
        default: "/dev/mshv \(mshv.explanation)"
        }
    }
}
