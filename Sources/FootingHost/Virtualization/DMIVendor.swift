/// A text in the DMI fields that a virtual machine has.
struct DMIVendor: Sendable {
    /// How much the text alone proves.
    enum Trust: Sendable {
        /// Only virtual machines carry it.
        case virtualOnly
        /// Physical machines of the same maker carry it too: the hypervisor bit must agree.
        case alsoPhysical
        /// A cloud's instances carry it, those without a hypervisor included.
        case cloud
    }

    let text: String
    let kind: HypervisorKind
    let product: String?
    let trust: Trust
    /// Nil: any of the five fields that `systemd-detect-virt` looks at.
    let field: DMI.Field?
    /// Another field that must begin with a text of its own.
    let companion: (field: DMI.Field, text: String)?
    /// The machine's maker is right even where the processor shows another's interface:
    /// VirtualBox offers KVM's and Hyper-V's, Parallels Hyper-V's.
    let outranksSignature: Bool

    init(
        _ text: String,
        _ kind: HypervisorKind,
        product: String? = nil,
        _ trust: Trust = .virtualOnly,
        in field: DMI.Field? = nil,
        with companion: (field: DMI.Field, text: String)? = nil,
        outranksSignature: Bool = false
    ) {
        self.text = text
        self.kind = kind
        self.product = product
        self.trust = trust
        self.field = field
        self.companion = companion
        self.outranksSignature = outranksSignature
    }

    /// The fields in the order that decides.
    static let fields: [DMI.Field] = [
        .productName, .systemVendor, .boardVendor, .biosVendor, .productVersion,
    ]

    /// One line for each maker; a field begins with the text.
    ///
    /// Those bound to a field come first.
    static let table: [DMIVendor] = [
        .init("AHV", .kvm, product: "nutanix-ahv", in: .productName),
        .init("Virtual Machine", .hyperv, in: .productName, with: (.systemVendor, "Microsoft")),
        .init("LPAR", "virtage", in: .productName, with: (.systemVendor, "HITACHI")),
        .init("oVirt", .kvm, product: "ovirt", in: .productName),
        .init("RHEV Hypervisor", .kvm, product: "rhev", in: .productName),
        .init("RHEL", .kvm, product: "rhel-kvm", .alsoPhysical, in: .productName),
        .init("Alibaba Cloud ECS", .kvm, product: "alibaba-ecs", .cloud, in: .productName),
        .init("KVM", .kvm),
        .init("OpenStack", .kvm, product: "openstack"),
        .init("CloudStack", .kvm, product: "cloudstack", .alsoPhysical, in: .productName),
        .init("KubeVirt", .kvm, product: "kubevirt"),
        .init("Amazon EC2", .kvm, product: "nitro", .cloud),
        .init("Google Compute Engine", .kvm, product: "google-compute-engine", .cloud),
        .init("Cloud Hypervisor", .kvm, product: "cloud-hypervisor"),
        .init("cloud-hypervisor", .kvm, product: "cloud-hypervisor"),
        .init("oVirt", .kvm, product: "ovirt", in: .systemVendor),
        .init("QEMU", .qemu, product: "qemu"),
        .init("VMware", .vmware),
        .init("VMW", .vmware),
        .init("innotek GmbH", .virtualbox, outranksSignature: true),
        .init("VirtualBox", .virtualbox, outranksSignature: true),
        .init("Oracle Corporation", .virtualbox, .alsoPhysical, outranksSignature: true),
        .init("Xen", .xen, outranksSignature: true),
        .init("Bochs", "bochs"),
        .init("Parallels", "parallels", outranksSignature: true),
        .init("BHYVE", "bhyve"),
        .init("Hyper-V", .hyperv),
        .init("Apple Virtualization", "apple"),
        .init("Nutanix", .kvm, product: "nutanix-ahv", .alsoPhysical, in: .systemVendor),
        .init("Red Hat", .kvm, .alsoPhysical, in: .systemVendor),
        .init("DigitalOcean", .kvm, product: "digitalocean", .alsoPhysical, in: .biosVendor),
        .init("Hetzner", .kvm, product: "hetzner", .alsoPhysical),
        .init("Scaleway", .kvm, product: "scaleway", .alsoPhysical, in: .systemVendor),
    ]

    /// The first line that fits, with the field it was found in.
    static func match(_ dmi: DMI) -> (vendor: DMIVendor, field: DMI.Field, value: String)? {
        for field in fields {
            guard let value = dmi[field] else { continue }
            for vendor in table where vendor.field == nil || vendor.field == field {
                guard value.hasPrefix(vendor.text) else { continue }
                if let companion = vendor.companion {
                    guard dmi[companion.field]?.hasPrefix(companion.text) == true else { continue }
                }
                return (vendor, field, value)
            }
        }
        return nil
    }
}
