/// A hypervisor's name as the report gives it: lower case, stable.
///
/// Not an enumeration: a further vendor is one line in a table, and needs no change here.
public struct HypervisorKind: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral,
    CustomStringConvertible
{
    /// The name in the report.
    public let rawValue: String

    /// Wraps a name.
    public init(rawValue: String) { self.rawValue = rawValue }
    /// Wraps a name.
    public init(stringLiteral value: String) { rawValue = value }
    /// The name in the report.
    public var description: String { rawValue }

    /// No hypervisor: the hardware itself.
    public static let none: HypervisorKind = "none"
    /// A hypervisor is there, and nothing tells which.
    public static let other: HypervisorKind = "other"
    /// Linux KVM, whatever product is built on it.
    public static let kvm: HypervisorKind = "kvm"
    /// QEMU that translates instructions (TCG), or QEMU with nothing said of KVM.
    public static let qemu: HypervisorKind = "qemu"
    /// VMware ESXi, Workstation or Fusion.
    public static let vmware: HypervisorKind = "vmware"
    /// Microsoft Hyper-V.
    public static let hyperv: HypervisorKind = "hyperv"
    /// Xen.
    public static let xen: HypervisorKind = "xen"
    /// Oracle VirtualBox.
    public static let virtualbox: HypervisorKind = "virtualbox"
    /// Microsoft Virtual PC.
    public static let virtualpc: HypervisorKind = "virtualpc"
    /// Parallels Desktop.
    public static let parallels: HypervisorKind = "parallels"
    /// ACRN.
    public static let acrn: HypervisorKind = "acrn"
    /// User Mode Linux.
    public static let uml: HypervisorKind = "uml"
    /// IBM z/VM.
    public static let zvm: HypervisorKind = "zvm"
    /// A logical partition of an IBM Z machine (PR/SM).
    public static let prsm: HypervisorKind = "prsm"
    /// A logical partition of an IBM POWER machine.
    public static let powervm: HypervisorKind = "powervm"
    /// A logical domain of a SPARC machine.
    public static let ldoms: HypervisorKind = "ldoms"
}
