/// A text in the DMI fields that a cloud's machines have.
struct CloudVendor: Sendable {
    enum Match: Sendable {
        case exact, prefix, suffix
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
        switch match {
        case .exact: return value == text
        case .prefix: return value.hasPrefix(text)
        case .suffix: return value.hasSuffix(text)
        }
    }

    /// One line for each sign; the first that fits counts, so brands stand before what they sell.
    static let table: [CloudVendor] = [
        .init(.chassisAssetTag, .exact, "7783-7084-3265-9085-8269-3286-77", "azure"),
        .init(.chassisAssetTag, .exact, "OracleCloud.com", "oracle"),
        .init(.chassisAssetTag, .prefix, "OpenTelekomCloud", "openstack", brand: "open-telekom"),
        .init(.chassisAssetTag, .prefix, "SAP CCloud VM", "openstack", brand: "sap"),
        .init(.chassisAssetTag, .prefix, "HUAWEICLOUD", "openstack", brand: "huawei"),
        .init(.chassisAssetTag, .prefix, "Samsung Cloud Platform", "openstack", brand: "samsung"),
        .init(.chassisAssetTag, .suffix, ".zstack.io", "zstack"),
        .init(.productName, .prefix, "Google Compute Engine", "gcp"),
        .init(.systemVendor, .prefix, "Amazon EC2", "aws"),
        .init(.biosVendor, .prefix, "Amazon EC2", "aws"),
        .init(.biosVersion, .suffix, ".amazon", "aws"),
        .init(.productName, .prefix, "Alibaba Cloud ECS", "alibaba"),
        .init(.systemVendor, .prefix, "Alibaba Cloud", "alibaba"),
        .init(.systemVendor, .prefix, "Tencent Cloud", "tencent"),
        .init(.productName, .prefix, "Exoscale", "exoscale"),
        .init(.productName, .prefix, "CloudSigma", "cloudsigma"),
        .init(.productName, .prefix, "SmartDC", "smartos"),
        .init(
            .productName,
            .exact,
            "3DS Outscale VM",
            "outscale",
            with: (.systemVendor, "3DS Out")
        ),
        .init(.productName, .prefix, "CloudCIX", "cloudcix"),
        .init(.productName, .prefix, "CloudStack", "cloudstack"),
        .init(.systemVendor, .exact, "DigitalOcean", "digitalocean"),
        .init(.systemVendor, .exact, "Hetzner", "hetzner", needsVirtualMachine: true),
        .init(.systemVendor, .exact, "Scaleway", "scaleway"),
        .init(.systemVendor, .exact, "Vultr", "vultr"),
        .init(.systemVendor, .exact, "UpCloud", "upcloud"),
        .init(.systemVendor, .exact, "Linode", "akamai"),
        .init(.systemVendor, .exact, "Akamai", "akamai"),
        .init(.systemVendor, .exact, "NWCS", "nwcs"),
        .init(.systemVendor, .exact, "e24cloud", "e24cloud"),
        .init(.systemVendor, .exact, "Tilaa", "tilaa"),
        .init(.productName, .prefix, "OpenStack Nova", "openstack"),
        .init(.productName, .prefix, "OpenStack Compute", "openstack"),
        .init(.chassisAssetTag, .prefix, "OpenStack Nova", "openstack"),
        .init(.chassisAssetTag, .prefix, "OpenStack Compute", "openstack"),
    ]
}

extension CloudVendor {
    /// Whether a cloud is known by this chassis asset tag, so that it names nobody's machine.
    static func isTag(_ text: String) -> Bool {
        table.contains { line in
            guard line.field == .chassisAssetTag else { return false }
            switch line.match {
            case .exact: return text == line.text
            case .prefix: return text.hasPrefix(line.text)
            case .suffix: return text.hasSuffix(line.text)
            }
        }
    }
}
