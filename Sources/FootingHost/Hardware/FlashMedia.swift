internal import FootingSystem

/// What an eMMC or SD card tells of its flash (`mmc` in sysfs; JEDEC JESD84-B51, 7.4).
public struct FlashCard: Sendable {
    /// The smallest unit that can be erased, in bytes.
    public let eraseBytes: Fact<Int>
    /// The unit that is erased best, in bytes: an SD card's allocation unit.
    public let preferredEraseBytes: Fact<Int>
    /// How much of its life is used up at most, in percent, for each kind of its cells; 110: more
    /// than it was made for.
    public let usedPercentMaximum: Fact<[Int]>
    /// What is left of its reserve: `normal`, `warning` (80 % used) or `urgent` (90 %).
    public let reserve: Fact<String>

    /// - Parameter folder: the card's device.
    init(_ folder: String, media: Fact<String>, _ root: HostRoot) {
        let card = Attributes(folder, root)
        eraseBytes = card.count("erase_size")
        preferredEraseBytes = card.count("preferred_erase_size")
        guard media.value != "SD" else {
            usedPercentMaximum = .absent("an SD card does not tell")
            reserve = .absent("an SD card does not tell")
            return
        }
        switch card.fact("life_time") {
        case .absent(let reason): usedPercentMaximum = .absent(reason)
        case .known(let text):
            usedPercentMaximum =
                Self.usedPercent(text).map { .known($0) }
                ?? .absent("the card does not tell: life_time is \(text)")
        }
        switch card.fact("pre_eol_info") {
        case .absent(let reason): reserve = .absent(reason)
        case .known(let text):
            reserve =
                Self.reserve(text).map { .known($0) }
                ?? .absent("the card does not tell: pre_eol_info is \(text)")
        }
    }

    /// `0x01 0x02` are up to 10 and up to 20 percent; 0x0b is more than it was made for.
    static func usedPercent(_ text: String) -> [Int]? {
        let words = pieces(text, separator: " ")
        let steps = words.compactMap { hexadecimal($0) }.filter { (1...11).contains($0) }
        guard !words.isEmpty, words.count <= 2, steps.count == words.count else { return nil }
        return steps.map { Int($0) * 10 }
    }

    static func reserve(_ text: String) -> String? {
        switch hexadecimal(text) {
        case 1: "normal"
        case 2: "warning"
        case 3: "urgent"
        default: nil
        }
    }
}

/// Raw flash without a controller of its own (`/sys/class/mtd`, sysfs-class-mtd).
public struct MemoryTechnologyDevice: Sendable {
    /// Kernel name, as `mtd0`.
    public let name: String
    /// `nor`, `nand`, `mlc-nand`, `dataflash`, `ram` or another of the kernel's words.
    public let type: Fact<String>
    /// Size in bytes.
    public let sizeBytes: Fact<Int>
    /// The unit that is erased, in bytes.
    public let eraseBytes: Fact<Int>
    /// The unit that is written, in bytes.
    public let writeBytes: Fact<Int>

    static func all(_ root: HostRoot) -> [MemoryTechnologyDevice] {
        let folder = "sys/class/mtd"
        return root.namesIfPresent(folder).compactMap { name in
            // `mtd0ro` is the same device, read-only.
            guard name.dropping(prefix: "mtd").flatMap({ Int($0) }) != nil else { return nil }
            let device = Attributes("\(folder)/\(name)", root)
            return MemoryTechnologyDevice(
                name: name,
                type: device.fact("type"),
                sizeBytes: device.count("size"),
                eraseBytes: device.count("erasesize"),
                writeBytes: device.count("writesize")
            )
        }
    }
}
