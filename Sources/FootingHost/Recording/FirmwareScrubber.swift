/// Keeps of SMBIOS structures (DSP0134) what tells the machine's kind, and nothing else.
///
/// What detection does not read is left out as a whole: makers put serial numbers, keys and
/// addresses into types of their own. In the structures that stay, every string has a stand-in that
/// is not in ``open``.
struct FirmwareScrubber {
    private let scrubber: Scrubber

    init(_ scrubber: Scrubber) {
        self.scrubber = scrubber
    }

    /// The structures that stay, and where the numbers of the strings stand that stay as they are.
    private static let open: [UInt8: [Int]] = [
        0: [4, 5],  // firmware: vendor, version
        1: [4, 5, 6],  // system: vendor, product, version; not the serial number, SKU and family
        2: [4, 5],  // board: vendor, product
        3: [4],  // chassis: vendor; the asset tag is a cloud's sign or a secret
        11: [],  // texts of the maker, or of the owner
        127: [],  // the end
    ]
    private static let systemType: UInt8 = 1
    private static let uuid = 8..<24
    /// Up to where the formatted parts have no more than this reads; what a maker adds goes.
    private static let lengths: [UInt8: Int] = [0: 24, 1: 27, 2: 15, 3: 9, 11: 5, 127: 4]

    /// Structures one after the other, as in `/sys/firmware/dmi/tables/DMI`, or a single one.
    ///
    /// What follows damage cannot be told apart, and is left out.
    func scrubbed(_ table: [UInt8]) -> [UInt8] {
        var kept: [UInt8] = []
        var start = 0
        while start + 4 <= table.count {
            let type = table[start]
            let length = Int(table[start + 1])
            guard length >= 4, start + length <= table.count else { break }
            let (strings, end) = Self.strings(table, from: start + length)
            if let open = Self.open[type] {
                let part = table[start..<start + min(length, Self.lengths[type] ?? 4)]
                kept += structure(Array(part), strings, open)
            }
            start = end
        }
        return kept
    }

    /// The strings behind a formatted part, and where the next structure begins.
    private static func strings(
        _ table: [UInt8],
        from start: Int
    ) -> (strings: [ArraySlice<UInt8>], end: Int) {
        var strings: [ArraySlice<UInt8>] = []
        var at = start
        while at < table.count, table[at] != 0 {
            let end = table[at...].firstIndex(of: 0) ?? table.count
            strings.append(table[at..<end])
            at = end + 1
        }
        // A structure without strings ends with two NULs as well.
        return (strings, min(table.count, at == start ? at + 2 : at + 1))
    }

    /// A structure as it is kept.
    private func structure(
        _ formatted: [UInt8],
        _ strings: [ArraySlice<UInt8>],
        _ open: [Int]
    ) -> [UInt8] {
        var kept = formatted
        kept[1] = UInt8(formatted.count)
        if kept[0] == Self.systemType, kept.count >= Self.uuid.upperBound {
            hideUUID(&kept, Self.uuid.lowerBound)
        } else if kept[0] == Self.systemType {
            // One that is cut short has no text to be equal to.
            for place in Self.uuid where place < kept.count { kept[place] = 0 }
        }
        let numbers = Set(open.filter { $0 < formatted.count }.map { Int(formatted[$0]) })
        for (index, string) in strings.enumerated() {
            // VirtualBox tells its version in a text like the owner's.
            let isOpen = numbers.contains(index + 1) || string.starts(with: "vbox".utf8)
            kept += isOpen ? Array(string) : scrubber.secret(string)
            kept.append(0)
        }
        return kept + (strings.isEmpty ? [0, 0] : [0])
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
