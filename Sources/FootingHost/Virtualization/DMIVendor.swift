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
    /// The field holds the text, wherever: there is a product's name before it.
    let anywhere: Bool

    init(
        _ text: String,
        _ kind: HypervisorKind,
        product: String? = nil,
        _ trust: Trust = .virtualOnly,
        in field: DMI.Field? = nil,
        with companion: (field: DMI.Field, text: String)? = nil,
        outranksSignature: Bool = false,
        anywhere: Bool = false
    ) {
        self.text = text
        self.kind = kind
        self.product = product
        self.trust = trust
        self.field = field
        self.companion = companion
        self.outranksSignature = outranksSignature
        self.anywhere = anywhere
    }

    /// The fields in the order that decides.
    static let fields: [DMI.Field] = [
        .productName, .systemVendor, .boardVendor, .biosVendor, .productVersion,
    ]

    /// One line for each maker; a field begins with the text.
    ///
    /// The field decides before the line: a product's name says more than its maker's, and the
    /// board's maker is asked only where the system names none. Within a field the first line that
    /// fits counts, so those bound to a field or to a companion stand before the general ones
    /// (`AHV` before `Nutanix`, `Virtual Machine` of Microsoft before nothing: a Surface has the
    /// same maker), and a product that is sold on KVM before the KVM that it names as its own.
    static let table: [DMIVendor] = [
        .init("AHV", .kvm, product: "nutanix-ahv", in: .productName),
        .init("Virtual Machine", .hyperv, in: .productName, with: (.systemVendor, "Microsoft")),
        .init(
            "LPAR",
            "virtage",
            in: .productName,
            with: (.systemVendor, "HITACHI"),
            anywhere: true
        ),
        .init(
            "Intel Corporation",
            .vmware,
            in: .boardVendor,
            with: (.boardName, "440BX Desktop Reference Platform")
        ),
        .init("Microsoft", .hyperv, in: .boardVendor, with: (.boardName, "Virtual Machine")),
        .init("oVirt", .kvm, product: "ovirt", in: .productName),
        .init("RHEV Hypervisor", .kvm, product: "rhev", in: .productName),
        .init("RHEL", .kvm, product: "rhel-kvm", .alsoPhysical, in: .productName),
        .init("Alibaba Cloud ECS", .kvm, product: "alibaba-ecs", .cloud, in: .productName),
        .init("vServer", .kvm, product: "hetzner", in: .productName, with: (.systemVendor, "Hetz")),
        .init("Droplet", .kvm, product: "digitalocean", in: .productName),
        .init("SmartDC HVM", .kvm, product: "smartos", in: .productName),
        .init("3DS Outscale VM", .kvm, product: "outscale", in: .productName),
        .init("Exoscale Compute", .kvm, product: "exoscale", in: .productName),
        .init("KVM", .kvm),
        .init("OpenStack", .kvm, product: "openstack"),
        .init("CloudStack KVM", .kvm, product: "cloudstack", in: .productName),
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
        .init("HVM domU", .xen, in: .productName, outranksSignature: true),
        .init("Bochs", "bochs"),
        .init("Parallels", .parallels, outranksSignature: true),
        .init("BHYVE", "bhyve"),
        .init("Hyper-V", .hyperv),
        .init("Apple Virtualization", "apple"),
        .init("Nutanix", .kvm, product: "nutanix-ahv", .alsoPhysical, in: .systemVendor),
        .init("Red Hat", .kvm, .alsoPhysical, in: .systemVendor),
        .init("DigitalOcean", .kvm, product: "digitalocean", .alsoPhysical),
        .init("Hetzner", .kvm, product: "hetzner", .alsoPhysical),
        .init("Scaleway", .kvm, product: "scaleway", .alsoPhysical, in: .systemVendor),
        .init("Vultr", .kvm, product: "vultr", .alsoPhysical, in: .systemVendor),
        .init("Linode", .kvm, product: "akamai", .alsoPhysical, in: .systemVendor),
        .init("Akamai", .kvm, product: "akamai", .alsoPhysical, in: .systemVendor),
        .init("UpCloud", .kvm, product: "upcloud", .alsoPhysical, in: .systemVendor),
        .init("Tencent Cloud", .kvm, product: "tencent", .alsoPhysical, in: .systemVendor),
        .init("Google", .kvm, product: "google-compute-engine", .alsoPhysical, in: .biosVendor),
    ]

    /// A line that fits, the field it was found in and what stands there.
    struct Match {
        let vendor: DMIVendor
        let field: DMI.Field
        let value: String
    }

    /// Every line that fits, with the field it was found in, in the order that decides.
    static func matches(_ dmi: DMI) -> [Match] {
        fields.compactMap { field in
            guard let value = dmi[field] else { return nil }
            return table.first { $0.fits(field, value, dmi) }.map {
                Match(vendor: $0, field: field, value: value)
            }
        }
    }

    private func fits(_ found: DMI.Field, _ value: String, _ dmi: DMI) -> Bool {
        guard field == nil || field == found else { return false }
        guard anywhere ? value.holds(text) : value.utf8.starts(with: text.utf8) else {
            return false
        }
        guard let companion else { return true }
        return dmi[companion.field]?.hasPrefix(companion.text) == true
    }
}
