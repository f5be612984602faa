internal import FootingSystem

/// The SMBIOS structures themselves (DMTF DSP0134), where `/sys/class/dmi/id` is missing.
///
/// ```
/// byte 0   type        0 firmware, 1 system, 2 board, 3 chassis, 11 texts of the maker, 127 end
/// byte 1   length of the formatted part, the header included
/// byte 2   handle
/// byte 4…  the formatted part; a text is given by its number, from 1
/// then     the texts, each ended by a NUL, and one more NUL
/// ```
struct SMBIOSTable: Sendable {
    private(set) var fields: [DMI.Field: String] = [:]
    /// Serial number and UUID, by the names of their files in sysfs.
    private(set) var secrets: [String: String] = [:]
    /// Texts of the maker (type 11).
    private(set) var makerTexts: [String] = []
    /// Type 0, extension byte 2, bit 4: the table describes a virtual machine.
    private(set) var isVirtualMachine: Bool?
    /// Whether the system's own structure is there, blank or not.
    private(set) var hasSystem = false

    /// Whether anything was found in it.
    var tells: Bool { !fields.isEmpty || !makerTexts.isEmpty || isVirtualMachine != nil }

    /// No machine has more; the kernel itself reads at most this many.
    private static let structuresMaximum = 4096

    /// Where a text's number stands, one line for each field.
    private static let texts: [(type: UInt8, offset: Int, field: DMI.Field)] = [
        (0, 4, .biosVendor), (0, 5, .biosVersion),
        (1, 4, .systemVendor), (1, 5, .productName), (1, 6, .productVersion),
        (2, 4, .boardVendor), (2, 5, .boardName),
        (3, 4, .chassisVendor), (3, 8, .chassisAssetTag),
    ]

    /// Reads structures until the end, a damaged one, or the last there may be.
    init(_ bytes: [UInt8]) {
        var at = 0
        for _ in 0..<Self.structuresMaximum {
            guard bytes.count - at >= 4 else { return }
            let type = bytes[at]
            let length = Int(bytes[at + 1])
            guard length >= 4, bytes.count - at >= length, type != 127 else { return }
            let formatted = Array(bytes[at..<at + length])
            var end = at + length
            var strings: [String] = []
            while end < bytes.count, bytes[end] != 0 {
                let text = bytes[end...].prefix { $0 != 0 }
                strings.append(String(decoding: text, as: UTF8.self).trimmed)
                end += text.count + 1
            }
            // Without texts there are two NULs; with them the last text's is followed by one.
            at = strings.isEmpty ? end + 2 : end + 1
            take(type, formatted, strings)
        }
    }

    private mutating func take(_ type: UInt8, _ formatted: [UInt8], _ strings: [String]) {
        func text(_ offset: Int) -> String? {
            guard offset < formatted.count, formatted[offset] > 0,
                Int(formatted[offset]) <= strings.count
            else { return nil }
            let text = strings[Int(formatted[offset]) - 1]
            return text.isEmpty ? nil : text
        }
        // Of several boards the first is the main one.
        for line in Self.texts where line.type == type && fields[line.field] == nil {
            fields[line.field] = text(line.offset)
        }
        if type == 1 { hasSystem = true }
        switch type {
        case 0 where formatted.count > 0x13: isVirtualMachine = formatted[0x13] & 0x10 != 0
        case 1: secrets["product_serial"] = secrets["product_serial"] ?? text(7)
        case 11: makerTexts += strings
        default: break
        }
    }
}

/// What `dmidecode` prints, where a recorded tree holds that instead of the machine's own files.
struct DMIText: Sendable {
    private(set) var fields: [DMI.Field: String] = [:]
    private(set) var secrets: [String: String] = [:]
    private(set) var isVirtualMachine: Bool?
    /// Whether the system's own structure is there, blank or not.
    private(set) var hasSystem = false

    /// Where recordings keep it: a script in the place of the tool, or its output.
    static let paths = ["sbin/dmidecode", "usr/sbin/dmidecode", "dmidecode", "dmidecode.txt"]

    /// The heading of a structure and the label of a line, one for each field.
    private static let labels: [(heading: String, label: String, field: DMI.Field)] = [
        ("BIOS Information", "Vendor", .biosVendor),
        ("BIOS Information", "Version", .biosVersion),
        ("System Information", "Manufacturer", .systemVendor),
        ("System Information", "Product Name", .productName),
        ("System Information", "Version", .productVersion),
        ("Base Board Information", "Manufacturer", .boardVendor),
        ("Base Board Information", "Product Name", .boardName),
        ("Chassis Information", "Manufacturer", .chassisVendor),
        ("Chassis Information", "Asset Tag", .chassisAssetTag),
    ]

    /// Nil if the text is not the tool's, the tool itself included, or tells nothing.
    init?(_ text: String) {
        guard text.holds("DMI type ") || text.holds("System Information") else { return nil }
        var heading = ""
        var isNext = false
        for line in lines(text) {
            let isIndented = line.utf8.first == 9 || line.utf8.first == 32
            // Before version 2.3 headings were indented; they stand behind the type even so.
            guard isIndented, !isNext else {
                heading = line.trimmed
                isNext = false
                continue
            }
            isNext = line.trimmed.hasPrefix("DMI type ")
            if heading == "System Information" { hasSystem = true }
            if heading == "BIOS Information" {
                if line.trimmed == "System is a virtual machine" { isVirtualMachine = true }
                // Of the same byte, so that is there, and the bit in it is clear. Old firmware for
                // virtual machines never sets the bit, and is no UEFI.
                if line.trimmed == "UEFI is supported" {
                    isVirtualMachine = isVirtualMachine ?? false
                }
            }
            guard let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")) else { continue }
            let label = String(line[..<colon]).trimmed
            let value = String(line[line.utf8.index(after: colon)...]).trimmed
            guard !value.isEmpty, value != "Not Specified" else { continue }
            for entry in Self.labels where entry.heading == heading && entry.label == label {
                if fields[entry.field] == nil { fields[entry.field] = value }
            }
            if heading == "System Information", label == "Serial Number" {
                secrets["product_serial"] = value
            } else if heading == "System Information", label == "UUID" {
                secrets["product_uuid"] = value
            }
        }
        if fields.isEmpty { return nil }
    }
}
