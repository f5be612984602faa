internal import FootingSystem

/// The UUID by which EC2's instances can be told, where the firmware does not name EC2.
///
/// It is a weak sign: a random UUID begins with `ec2` once in 4,096 times, and fits the
/// byte-swapped form as often, so whatever contradicts it outweighs it.
enum EC2UUID {
    /// What the UUIDs say.
    ///
    /// - Returns: the evidence, and whether it stands; nil if no UUID fits.
    static func find(
        _ root: HostRoot,
        _ dmi: DMI,
        _ virtualization: HypervisorInfo
    ) -> (isEC2: Bool, evidence: Evidence)? {
        // Of Xen: instances before Nitro.
        let path = "sys/hypervisor/uuid"
        if let uuid = root.fact(path).value?.lowercased(), uuid.hasPrefix("ec2") {
            return judged(path, "ec2…", contradiction(dmi))
        }
        guard let uuid = dmi.secret("product_uuid", root)?.lowercased() else { return nil }
        let source = "\(dmi.folder ?? "")/product_uuid"
        if uuid.hasPrefix("ec2") {
            // Serial number and UUID are the same on EC2's Xen, and hardly anywhere else.
            let isSerial = dmi.secret("product_serial", root)?.lowercased() == uuid
            return judged(source, "ec2…", contradiction(dmi, isSerial ? nil : virtualization))
        }
        if isSwapped(uuid) {
            return judged(source, "….2.ec", contradiction(dmi, virtualization))
        }
        return nil
    }

    /// `45e12aec-…`: the first group's bytes stand in reverse, as SMBIOS 2.6 has them.
    private static func isSwapped(_ uuid: String) -> Bool {
        let group = Array(uuid.utf8.prefix(9))
        return group.count == 9 && group[8] == UInt8(ascii: "-") && group[4] == UInt8(ascii: "2")
            && group[6] == UInt8(ascii: "e") && group[7] == UInt8(ascii: "c")
    }

    /// What speaks against EC2; nil if nothing does.
    private static func contradiction(
        _ dmi: DMI,
        _ virtualization: HypervisorInfo? = nil
    ) -> String? {
        if let vendor = dmi[.systemVendor], !vendor.hasPrefix("Xen") {
            return "sys_vendor \"\(vendor)\""
        }
        if let version = dmi[.biosVersion], !version.hasSuffix(".amazon") {
            return "bios_version \"\(version)\""
        }
        return virtualization?.isVirtualMachine.value == false ? "that this is no VM" : nil
    }

    private static func judged(
        _ source: String,
        _ value: String,
        _ contradiction: String?
    ) -> (isEC2: Bool, evidence: Evidence) {
        let says =
            contradiction.map { "a UUID that EC2 could have given, but \($0) contradicts it" }
            ?? "a UUID that EC2 gives; the rest is left out"
        return (contradiction == nil, Evidence(source: source, value: value, says: says))
    }
}
