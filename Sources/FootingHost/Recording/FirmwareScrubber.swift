/// Takes serial numbers, asset tags and UUIDs out of SMBIOS structures (DSP0134), in place.
struct FirmwareScrubber {
    private let scrubber: Scrubber

    init(_ scrubber: Scrubber) {
        self.scrubber = scrubber
    }

    /// Where the numbers of secret strings stand in structures of a type: one line for each.
    private static let strings: [UInt8: [Int]] = [
        1: [0x07],  // system: serial number
        2: [0x07, 0x08],  // board: serial number, asset tag
        3: [0x07, 0x08],  // chassis: the same
        4: [0x20, 0x21],  // processor: the same
        17: [0x18, 0x19],  // memory: the same
        22: [0x07],  // battery: serial number
        39: [0x08, 0x09],  // power supply: serial number, asset tag
    ]
    /// Strings for and from the machine's owner.
    private static let ownersType: UInt8 = 11
    private static let systemType: UInt8 = 1
    private static let uuid = 8..<24

    /// Structures one after the other, as in `/sys/firmware/dmi/tables/DMI`, or a single one.
    func scrubbed(_ table: [UInt8]) -> [UInt8] {
        var table = table
        var start = 0
        while start + 4 <= table.count {
            let type = table[start]
            let length = Int(table[start + 1])
            guard length >= 4, start + length <= table.count else { break }
            if type == Self.systemType, length >= Self.uuid.upperBound {
                hideUUID(&table, start + Self.uuid.lowerBound)
            }
            let hidden = Set(
                (Self.strings[type] ?? []).filter { $0 < length }.map { table[start + $0] }
            )
            let end = hideStrings(&table, from: start + length) {
                type == Self.ownersType || hidden.contains($0)
            }
            start = end
        }
        // What follows damage cannot be told apart.
        return start < table.count && start + 4 <= table.count
            ? Array(table[..<start]) : table
    }

    /// Hides the strings with these numbers, and gives where the next structure begins.
    private func hideStrings(
        _ table: inout [UInt8],
        from start: Int,
        _ isHidden: (UInt8) -> Bool
    ) -> Int {
        var at = start
        var number: UInt8 = 1
        while at < table.count, table[at] != 0 {
            let end = table[at...].firstIndex(of: 0) ?? table.count
            // VirtualBox tells its version in a text like the owner's.
            if isHidden(number), !table[at..<end].starts(with: "vbox".utf8) {
                table.replaceSubrange(at..<end, with: scrubber.secret(table[at..<end]))
            }
            number &+= 1
            at = end + 1
        }
        // A structure without strings ends with two NULs as well.
        return min(table.count, at == start ? at + 2 : at + 1)
    }

    /// The same stand-in as the text in `product_uuid` has: the first three groups are reversed.
    private func hideUUID(_ table: inout [UInt8], _ at: Int) {
        let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]
        let digits = order.map { hexadecimalText(UInt64(table[at + $0]), digits: 2).dropFirst(2) }
        let groups = [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { digits[$0].joined() }
        let text = Array(groups.joined(separator: "-").utf8)
        let hidden = scrubber.secret(text[...]).filter(\.isHexadecimalDigit)
        for (index, place) in order.enumerated() {
            let pair = String(decoding: hidden[index * 2..<index * 2 + 2], as: UTF8.self)
            table[at + place] = UInt8(pair, radix: 16) ?? 0
        }
    }
}
