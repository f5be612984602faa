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

    private struct Entry {
        let field: Field
        let text: Fact<String>
    }

    /// Where the fields were found; nil if the machine has no DMI.
    let folder: String?
    /// A few pairs, not a dictionary: searched faster than hashed.
    private var fields: [Entry] = []
    /// What a table or a text told besides, where there is no folder of single files.
    private var secrets: [String: String]?
    private var makerTexts: [String]?
    private var bit: Bool?
    /// Whether the table or the text has the system's structure.
    private var hasSystem = false

    /// Reads every field that may tell where this runs; serial numbers are read only when asked.
    init(_ root: HostRoot) {
        // The second is where the class link leads: a recorded tree may hold only one of them.
        let folders = ["sys/class/dmi/id", "sys/devices/virtual/dmi/id"]
        if let found = folders.first(where: { root.exists($0) }) {
            folder = found
            let attributes = Attributes(found, root)
            fields = Field.allCases.map { Entry(field: $0, text: attributes.fact($0.rawValue)) }
            return
        }
        let path = "sys/firmware/dmi/tables/DMI"
        let table = (try? root.firstBytes(path, count: 65536)).map { SMBIOSTable($0) }
        if let table, table.tells {
            folder = path
            fields = table.fields.map { Entry(field: $0.key, text: .known($0.value)) }
            secrets = table.secrets
            makerTexts = table.makerTexts
            bit = table.isVirtualMachine
            hasSystem = table.hasSystem
            return
        }
        // The tool's output stands for a machine only in a recording.
        for path in root.isLive ? [] : DMIText.paths {
            guard let text = try? root.beginning(path, limitBytes: 65536),
                let output = DMIText(text)
            else { continue }
            folder = path
            fields = output.fields.map { Entry(field: $0.key, text: .known($0.value)) }
            secrets = output.secrets
            bit = output.isVirtualMachine
            hasSystem = output.hasSystem
            return
        }
        folder = nil
    }

    /// A field's text; nil if it is missing.
    subscript(field: Field) -> String? {
        fields.first { $0.field == field }?.text.value
    }

    /// Whether a field is there and nobody filled it in; of a text, if the system is in it.
    func isBlank(_ field: Field, _ root: HostRoot) -> Bool {
        guard self[field] == nil, let folder else { return false }
        return secrets == nil ? root.exists("\(folder)/\(field.rawValue)") : hasSystem
    }

    /// The path a field was read from.
    func source(_ field: Field) -> String {
        secrets == nil
            ? "\(folder ?? "sys/class/dmi/id")/\(field.rawValue)"
            : "\(folder ?? "") (\(field.rawValue))"
    }

    /// A field that only root may read: `product_serial`, `product_uuid`.
    func secret(_ name: String, _ root: HostRoot) -> String? {
        if let secrets { return secrets[name] }
        return folder.flatMap { root.fact("\($0)/\(name)").value }
    }

    /// SMBIOS type 0, extension byte 2, bit 4: "SMBIOS table describes a virtual machine".
    ///
    /// - Returns: nil if the table is missing, too short or not readable.
    func virtualMachineBit(_ root: HostRoot) -> Bool? {
        if let bit { return bit }
        let path = "sys/firmware/dmi/entries/0-0/raw"
        guard folder != nil, let raw = try? root.firstBytes(path, count: 4096) else { return nil }
        return SMBIOSTable(raw).isVirtualMachine
    }

    /// The maker's own texts (type 11), which only root may read.
    func makerTexts(_ root: HostRoot) -> [String] {
        if let makerTexts { return makerTexts }
        let path = "sys/firmware/dmi/entries/11-0/raw"
        guard folder != nil, let raw = try? root.firstBytes(path, count: 4096) else { return [] }
        return SMBIOSTable(raw).makerTexts
    }
}
