/// A text in the DMI fields that a cloud's machines have.
struct CloudVendor: Sendable {
    enum Match: Sendable {
        case exact, prefix, suffix
        /// `i-` and 8 to 17 hexadecimal digits: an EC2 instance's id.
        case instanceID

        func fits(_ value: String, _ text: String) -> Bool {
            switch self {
            case .exact: value == text
            case .prefix: value.hasPrefix(text)
            case .suffix: value.hasSuffix(text)
            case .instanceID: MetadataPattern.hexadecimal(after: text, count: 8...17).fits(value)
            }
        }
    }

    let field: DMI.Field
    let match: Match
    let text: String
    let provider: String
    let brand: String?
    /// The maker's physical machines carry the text too.
    let needsVirtualMachine: Bool
    /// Another field that must begin with a text of its own.
    let companion: (field: DMI.Field, text: String)?

    init(
        _ field: DMI.Field,
        _ match: Match,
        _ text: String,
        _ provider: String,
        brand: String? = nil,
        needsVirtualMachine: Bool = false,
        with companion: (field: DMI.Field, text: String)? = nil
    ) {
        self.field = field
        self.match = match
        self.text = text
        self.provider = provider
        self.brand = brand
        self.needsVirtualMachine = needsVirtualMachine
        self.companion = companion
    }

    func fits(_ dmi: DMI, isVirtualMachine: Bool) -> Bool {
        guard let value = dmi[field], !needsVirtualMachine || isVirtualMachine else { return false }
        if let companion, dmi[companion.field]?.hasPrefix(companion.text) != true { return false }
        return match.fits(value, text)
    }

    /// Clouds that speak EC2's interfaces and are often mistaken for it; none of them is AWS.
    static let ec2Compatible: Set<String> = [
        "brightbox", "zstack", "outscale", "e24cloud", "tilaa",
    ]

    /// What a sign of a provider says.
    static func says(_ provider: String) -> String {
        ec2Compatible.contains(provider)
            ? "a machine of \(provider), which is EC2-compatible and not AWS"
            : "a machine of \(provider)"
    }

    /// One line for each sign; the first that fits counts.
    ///
    /// Brands stand before what they sell, and lookalikes before AWS.
    ///
    /// Not in it, as machines off the clouds have them too: `Microsoft Corporation` with
    /// `Virtual Machine` (any Hyper-V), `Google` as a maker (Chromebooks), `Oracle Corporation`,
    /// and `Hetzner` on hardware.
    static let table: [CloudVendor] = [
        .init(.chassisAssetTag, .exact, "7783-7084-3265-9085-8269-3286-77", "azure"),
        .init(.chassisAssetTag, .exact, "OracleCloud.com", "oracle"),
        .init(.chassisAssetTag, .prefix, "OpenTelekomCloud", "openstack", brand: "open-telekom"),
        .init(.chassisAssetTag, .prefix, "SAP CCloud VM", "openstack", brand: "sap"),
        .init(.chassisAssetTag, .prefix, "HUAWEICLOUD", "openstack", brand: "huawei"),
        .init(.chassisAssetTag, .prefix, "Samsung Cloud Platform", "openstack", brand: "samsung"),
        .init(.chassisAssetTag, .suffix, ".zstack.io", "zstack"),
        .init(.chassisAssetTag, .exact, "ibmcloud", "ibmcloud"),
        .init(.chassisVendor, .prefix, "IBM:Cloud Compute Server 1.0:", "ibmcloud"),
        .init(
            .productName,
            .exact,
            "3DS Outscale VM",
            "outscale",
            with: (.systemVendor, "3DS Out")
        ),
        .init(.systemVendor, .exact, "e24cloud", "e24cloud"),
        .init(.systemVendor, .exact, "Tilaa", "tilaa"),
        .init(.productName, .prefix, "Google Compute Engine", "gcp"),
        .init(.productName, .exact, "Google", "gcp", needsVirtualMachine: true),
        .init(.biosVendor, .exact, "Google", "gcp", needsVirtualMachine: true),
        .init(.systemVendor, .prefix, "Amazon EC2", "aws"),
        .init(.biosVendor, .prefix, "Amazon EC2", "aws"),
        .init(.biosVersion, .suffix, ".amazon", "aws"),
        .init(.productVersion, .suffix, ".amazon", "aws"),
        .init(.chassisAssetTag, .exact, "Amazon EC2", "aws"),
        .init(.boardAssetTag, .instanceID, "i-", "aws", needsVirtualMachine: true),
        .init(.productName, .prefix, "Alibaba Cloud ECS", "alibaba"),
        .init(.systemVendor, .prefix, "Alibaba Cloud", "alibaba"),
        .init(.systemVendor, .prefix, "Tencent", "tencent"),
        .init(.productName, .prefix, "Exoscale", "exoscale"),
        .init(.productName, .prefix, "CloudSigma", "cloudsigma"),
        .init(.productName, .prefix, "SmartDC", "smartos"),
        .init(.productName, .prefix, "CloudCIX", "cloudcix"),
        .init(.productName, .prefix, "CloudStack", "cloudstack"),
        .init(.systemVendor, .exact, "DigitalOcean", "digitalocean"),
        .init(.biosVendor, .exact, "DigitalOcean", "digitalocean", needsVirtualMachine: true),
        .init(.productName, .exact, "vServer", "hetzner", with: (.systemVendor, "Hetzner")),
        .init(.systemVendor, .exact, "Hetzner", "hetzner", needsVirtualMachine: true),
        .init(.biosVendor, .exact, "Hetzner", "hetzner", needsVirtualMachine: true),
        .init(.systemVendor, .exact, "Scaleway", "scaleway"),
        .init(.systemVendor, .exact, "Vultr", "vultr"),
        .init(.systemVendor, .exact, "UpCloud", "upcloud"),
        .init(.systemVendor, .exact, "Linode", "akamai"),
        .init(.systemVendor, .exact, "Akamai", "akamai"),
        .init(.systemVendor, .exact, "NWCS", "nwcs"),
        .init(.productName, .prefix, "OpenStack Nova", "openstack"),
        .init(.productName, .prefix, "OpenStack Compute", "openstack"),
        .init(.chassisAssetTag, .prefix, "OpenStack Nova", "openstack"),
        .init(.chassisAssetTag, .prefix, "OpenStack Compute", "openstack"),
        .init(.boardName, .exact, "LXD", "lxd", needsVirtualMachine: true),
    ]
}

extension CloudVendor {
    /// Whether a cloud is known by this chassis asset tag, so that it names nobody's machine.
    static func isTag(_ text: String) -> Bool {
        table.contains { $0.field == .chassisAssetTag && $0.match.fits(text, $0.text) }
    }
}
