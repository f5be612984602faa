internal import FootingSystem

/// The cloud a machine belongs to, found without one packet.
public struct CloudIdentity: Sendable {
    /// The provider; `none` off the clouds, absent where DMI is missing altogether.
    public let provider: Fact<String>
    /// Whose cloud it is, where the provider's software is sold under another name.
    public let brand: Fact<String>
    /// What was seen.
    public let evidence: [Evidence]

    init(root: HostRoot, dmi: DMI, virtualization: HypervisorInfo) {
        let isGuest = virtualization.isVirtualMachine.value == true
        let fitting =
            dmi.folder == nil
            ? nil : CloudVendor.table.first { $0.fits(dmi, isVirtualMachine: isGuest) }
        if let line = fitting {
            provider = .known(line.provider)
            brand = line.brand.map { .known($0) } ?? .absent("sold under the provider's name")
            evidence = [
                Evidence(
                    source: dmi.source(line.field),
                    value: dmi[line.field] ?? "",
                    says: "a machine of \(line.provider)"
                )
            ]
            return
        }
        brand = .absent("no cloud was found")
        if let found = Self.unique(root, dmi, virtualization) {
            provider = .known(found.provider)
            evidence = [found.evidence]
        } else {
            evidence = []
            // Boards with a device tree are no cloud's; clouds' machines have DMI or are virtual.
            let isBare = virtualization.isVirtualMachine.value == false
            provider =
                dmi.folder != nil || isBare
                ? .known("none") : .absent("no DMI to name a cloud, nothing was asked")
        }
    }

    /// Serial numbers and UUIDs: only of virtual machines that nothing else names.
    private static func unique(
        _ root: HostRoot,
        _ dmi: DMI,
        _ virtualization: HypervisorInfo
    ) -> (provider: String, evidence: Evidence)? {
        guard virtualization.isVirtualMachine.value == true else { return nil }
        if virtualization.hypervisor.value == .xen {
            // One UUID in 4,096 begins so by chance; only Xen's own file and vendor are trusted.
            let path = "sys/hypervisor/uuid"
            if let uuid = root.fact(path).value, uuid.hasPrefix("ec2") {
                let says = "a UUID that EC2 gives; the rest is left out"
                return ("aws", Evidence(source: path, value: "ec2…", says: says))
            }
        }
        guard let serial = dmi.secret("product_serial", root) else { return nil }
        let source = "\(dmi.folder ?? "")/product_serial"
        if serial.hasPrefix("GoogleCloud-") {
            let says = "a serial number that Google gives; the rest is left out"
            return ("gcp", Evidence(source: source, value: "GoogleCloud-…", says: says))
        }
        if serial.hasSuffix(".brightbox.com") {
            let says = "a serial number that Brightbox gives; the rest is left out"
            return ("brightbox", Evidence(source: source, value: "….brightbox.com", says: says))
        }
        return nil
    }
}
