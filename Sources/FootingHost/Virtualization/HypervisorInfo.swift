/// How a Xen domain was started.
public enum XenMode: String, Sendable {
    /// The domain that owns the machine: a host, not a virtual machine.
    case dom0
    /// Hardware-assisted, with emulated devices.
    case hvm
    /// Paravirtual.
    case pv
    /// Hardware-assisted without emulated devices.
    case pvh
}

/// What this system is to virtualization.
public enum VirtualizationRole: String, Sendable {
    /// It runs on virtual hardware.
    case guest
    /// It owns the machine and can run virtual machines on it.
    case host
    /// Neither.
    case none
}

/// One layer between the program and the hardware, the innermost first.
public struct VirtualizationLayer: Sendable, Equatable {
    /// What sort of layer.
    public enum Kind: String, Sendable {
        /// Processes apart, one kernel.
        case container
        /// The hypervisor this kernel runs on.
        case virtualMachine = "virtual-machine"
        /// An interface of another hypervisor that this one offers, as Hyper-V's by KVM.
        case enlightenment
        /// A hypervisor under the one the kernel talks to.
        case outerHypervisor = "outer-hypervisor"
        /// This system can itself run virtual machines.
        case host
    }

    /// What sort of layer.
    public let kind: Kind
    /// Its name.
    public let name: String
    /// Where it was seen.
    public let source: String
}

/// What is known of virtualization: type, role, container, layers, and every piece of evidence.
public struct HypervisorInfo: Sendable {
    /// The hypervisor; `none` on bare hardware, absent where no source told anything.
    public var hypervisor: Fact<HypervisorKind>
    /// Whether this runs on virtual hardware; false for a Xen dom0, a Hyper-V root partition and a
    /// bare-metal cloud instance.
    public var isVirtualMachine: Fact<Bool>
    /// Guest, host or neither.
    public var role: VirtualizationRole
    /// What is built on the hypervisor, as `nitro` on `kvm`.
    public var product: Fact<String>
    /// The hypervisor's version.
    public var version: Fact<String>
    /// How a Xen domain was started; absent off Xen.
    public var xenMode: Fact<XenMode>
    /// The container manager; `none` outside a container.
    public var container: String
    /// Whether an Intel TDX module guards this guest's memory (CPUID leaf 0x21).
    public var isTrustDomain: Bool
    /// Layers between the program and the hardware, the innermost first.
    public var layers: [VirtualizationLayer]
    /// Everything that was seen.
    public var evidence: [Evidence]
    /// Sources that contradict what was decided.
    public var conflicts: [Conflict]
}
