internal import FootingSystem

/// The machine's own description of itself (SMBIOS), as `/sys/class/dmi/id` shows it.
struct DMI: Sendable {
    /// A field, named as its file in `/sys/class/dmi/id`.
    enum Field: String, CaseIterable, Sendable {
        case productName = "product_name"
        case systemVendor = "sys_vendor"
        case boardVendor = "board_vendor"
        case biosVendor = "bios_vendor"
        case productVersion = "product_version"
        case biosVersion = "bios_version"
        case chassisAssetTag = "chassis_asset_tag"
        case chassisVendor = "chassis_vendor"
        case boardName = "board_name"
        case boardAssetTag = "board_asset_tag"
    }

    /// Where the fields were found; nil if the machine has no DMI.
    let folder: String?
    private var fields: [Field: Fact<String>] = [:]

    /// Reads every field that may tell where this runs; serial numbers are read only when asked.
    init(_ root: HostRoot) {
        // The second is where the class link leads: a recorded tree may hold only one of them.
        let folders = ["sys/class/dmi/id", "sys/devices/virtual/dmi/id"]
        folder = folders.first { root.exists($0) }
        guard let folder else { return }
        let attributes = Attributes(folder, root)
        for field in Field.allCases { fields[field] = attributes.fact(field.rawValue) }
    }

    /// A field's text; nil if it is missing.
    subscript(field: Field) -> String? { fields[field]?.value }

    /// The path a field was read from.
    func source(_ field: Field) -> String { "\(folder ?? "sys/class/dmi/id")/\(field.rawValue)" }

    /// A field that only root may read: `product_serial`, `product_uuid`.
    func secret(_ name: String, _ root: HostRoot) -> String? {
        folder.flatMap { root.fact("\($0)/\(name)").value }
    }

    /// SMBIOS type 0, extension byte 2, bit 4: "SMBIOS table describes a virtual machine".
    ///
    /// - Returns: nil if the table is missing, too short or not readable.
    static func virtualMachineBit(_ root: HostRoot) -> Bool? {
        guard
            let raw = try? root.firstBytes(
                "sys/firmware/dmi/entries/0-0/raw",
                count: 32
            ), raw.count > 0x13
        else {
            return nil
        }
        // The formatted part must reach the byte; behind it stand strings.
        guard raw[0] == 0, raw[1] > 0x13 else { return nil }
        return raw[0x13] & 0x10 != 0
    }
}
