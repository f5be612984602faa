/// Something that stands in the way of a virtual machine on the Microsoft hypervisor, or of a wish.
public struct Finding: Sendable, Hashable {
    /// What it is about, for machines.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// Not for x86-64.
        case architecture
        /// SEV, SEV-SNP or TDX.
        case confidential
        /// More processors than the hypervisor's interface of QEMU has.
        case processors
        /// Live migration.
        case migration
        /// Transitional virtio.
        case transitionalVirtio = "transitional-virtio"
        /// Enlightenments that KVM would have to imitate.
        case enlightenments
        /// A processor model that libvirt does not offer there.
        case processorModel = "processor-model"
        /// Nothing says that the pod gets the device.
        case deviceResource = "device-resource"
        /// The state of the device cannot be told, or it is none.
        case device
        /// A libvirt without this type of domain.
        case libvirt
        /// A QEMU without this accelerator.
        case qemu = "QEMU"
        /// An annotation that makes no sense, or cannot be followed.
        case annotation
        /// Footing could not do its work.
        case trouble
    }

    /// What it is about.
    public let code: Code
    /// What is wrong, in a sentence without a full stop.
    public let text: String
    /// What to do about it; nil where there is nothing.
    public let remedy: String?

    /// A finding.
    public init(_ code: Code, _ text: String, remedy: String? = nil) {
        self.code = code
        self.text = text
        self.remedy = remedy
    }
}
