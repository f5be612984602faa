internal import FootingSystem

/// Names of Arm processors, whose `/proc/cpuinfo` gives numbers only (the register MIDR_EL1: the
/// implementer's byte and twelve bits of its own choice; `arch/arm64/include/asm/cputype.h`).
enum ArmProcessor {
    /// Who made it; a number that nobody is known by stays as it is.
    static func vendor(_ implementer: String) -> String {
        number(implementer).flatMap { code in makers.first { $0.code == code } }?.name
            ?? implementer
    }

    /// What it is called; nil for a number that is not in the table.
    static func model(implementer: String, part: String) -> String? {
        guard let code = number(implementer), let part = number(part) else { return nil }
        return makers.first { $0.code == code }?.parts[part]
    }

    private static func number(_ text: String) -> UInt16? {
        hexadecimal(text).flatMap { UInt16(exactly: $0) }
    }

    private typealias Maker = (code: UInt16, name: String, parts: [UInt16: String])

    /// One line for each maker, as `lscpu` spells them.
    private static let makers: [Maker] = [
        (0x41, "ARM", arm),
        (0x42, "Broadcom", [0x0f: "Brahma-B15", 0x100: "Brahma-B53", 0x516: "ThunderX2"]),
        (0x43, "Cavium", cavium),
        (0x44, "DEC", [0xa10: "SA110", 0xa11: "SA1100"]),
        (0x46, "FUJITSU", [0x001: "A64FX", 0x003: "MONAKA"]),
        (0x48, "HiSilicon", hisilicon),
        (0x49, "Infineon", [:]),
        (0x4d, "Motorola/Freescale", [:]),
        (0x4e, "NVIDIA", [0x000: "Denver", 0x003: "Denver-2", 0x004: "Carmel", 0x010: "Olympus"]),
        (0x50, "APM", [0x000: "X-Gene"]),
        (0x51, "Qualcomm", qualcomm),
        (0x53, "Samsung", samsung),
        (0x56, "Marvell", [0x131: "Feroceon-88FR131", 0x581: "PJ4/PJ4b", 0x584: "PJ4B-MP"]),
        (0x61, "Apple", apple),
        (0x66, "Faraday", [0x526: "FA526", 0x626: "FA626"]),
        (0x69, "Intel", [0x411: "PXA27x", 0x688: "PXA30x", 0x682: "PXA32x", 0xb11: "SA1110"]),
        (0x6d, "Microsoft", [0xd49: "Azure-Cobalt-100"]),
        (0x70, "Phytium", phytium),
        (0xc0, "Ampere", [0xac3: "Ampere-1", 0xac4: "Ampere-1a"]),
    ]

    private static let arm: [UInt16: String] = [
        0x810: "ARM810", 0x920: "ARM920", 0x922: "ARM922", 0x926: "ARM926", 0x940: "ARM940",
        0x946: "ARM946", 0x966: "ARM966", 0xb02: "ARM11-MPCore", 0xb36: "ARM1136",
        0xb56: "ARM1156", 0xb76: "ARM1176", 0xc05: "Cortex-A5", 0xc07: "Cortex-A7",
        0xc08: "Cortex-A8", 0xc09: "Cortex-A9", 0xc0d: "Cortex-A17", 0xc0e: "Cortex-A17",
        0xc0f: "Cortex-A15", 0xd01: "Cortex-A32", 0xd02: "Cortex-A34", 0xd03: "Cortex-A53",
        0xd04: "Cortex-A35", 0xd05: "Cortex-A55", 0xd06: "Cortex-A65", 0xd07: "Cortex-A57",
        0xd08: "Cortex-A72", 0xd09: "Cortex-A73", 0xd0a: "Cortex-A75", 0xd0b: "Cortex-A76",
        0xd0c: "Neoverse-N1", 0xd0d: "Cortex-A77", 0xd0e: "Cortex-A76AE", 0xd15: "Cortex-R82",
        0xd40: "Neoverse-V1", 0xd41: "Cortex-A78", 0xd42: "Cortex-A78AE", 0xd43: "Cortex-A65AE",
        0xd44: "Cortex-X1", 0xd46: "Cortex-A510", 0xd47: "Cortex-A710", 0xd48: "Cortex-X2",
        0xd49: "Neoverse-N2", 0xd4a: "Neoverse-E1", 0xd4b: "Cortex-A78C", 0xd4c: "Cortex-X1C",
        0xd4d: "Cortex-A715", 0xd4e: "Cortex-X3", 0xd4f: "Neoverse-V2", 0xd80: "Cortex-A520",
        0xd81: "Cortex-A720", 0xd82: "Cortex-X4", 0xd83: "Neoverse-V3AE", 0xd84: "Neoverse-V3",
        0xd85: "Cortex-X925", 0xd87: "Cortex-A725", 0xd88: "Cortex-A520AE",
        0xd89: "Cortex-A720AE", 0xd8a: "C1-Nano", 0xd8b: "C1-Pro", 0xd8c: "C1-Ultra",
        0xd8e: "Neoverse-N3", 0xd8f: "Cortex-A320", 0xd90: "C1-Premium",
    ]

    private static let cavium: [UInt16: String] = [
        0x0a0: "ThunderX", 0x0a1: "ThunderX-88XX", 0x0a2: "ThunderX-81XX",
        0x0a3: "ThunderX-83XX", 0x0af: "ThunderX2-99xx", 0x0b0: "OcteonTX2",
        0x0b1: "OcteonTX2-98XX", 0x0b2: "OcteonTX2-96XX", 0x0b3: "OcteonTX2-95XX",
        0x0b4: "OcteonTX2-95XXN", 0x0b5: "OcteonTX2-95XXMM", 0x0b6: "OcteonTX2-95XXO",
        0x0b8: "ThunderX3-T110",
    ]

    /// Some of its processors give the numbers of the Arm cores that they are made after.
    private static let hisilicon: [UInt16: String] = [
        0xd01: "Kunpeng-920", 0xd02: "Kunpeng-920", 0xd03: "Kunpeng-920", 0xd06: "Kunpeng-950",
        0xd22: "Kunpeng-920", 0xd40: "Cortex-A76", 0xd41: "Cortex-A77",
    ]

    private static let qualcomm: [UInt16: String] = [
        0x001: "Oryon", 0x00f: "Scorpion", 0x02d: "Scorpion", 0x04d: "Krait", 0x06f: "Krait",
        0x201: "Kryo", 0x205: "Kryo", 0x211: "Kryo", 0x800: "Falkor-V1/Kryo", 0x801: "Kryo-V2",
        0x802: "Kryo-3XX-Gold", 0x803: "Kryo-3XX-Silver", 0x804: "Kryo-4XX-Gold",
        0x805: "Kryo-4XX-Silver", 0xc00: "Falkor", 0xc01: "Saphira",
    ]

    private static let samsung: [UInt16: String] = [
        0x001: "exynos-m1", 0x002: "exynos-m3", 0x003: "exynos-m4", 0x004: "exynos-m5",
    ]

    private static let apple: [UInt16: String] = [
        0x020: "Icestorm-A14", 0x021: "Firestorm-A14", 0x022: "Icestorm-M1",
        0x023: "Firestorm-M1", 0x024: "Icestorm-M1-Pro", 0x025: "Firestorm-M1-Pro",
        0x028: "Icestorm-M1-Max", 0x029: "Firestorm-M1-Max", 0x030: "Blizzard-A15",
        0x031: "Avalanche-A15", 0x032: "Blizzard-M2", 0x033: "Avalanche-M2",
        0x034: "Blizzard-M2-Pro", 0x035: "Avalanche-M2-Pro", 0x036: "Sawtooth-A16",
        0x037: "Everest-A16", 0x038: "Blizzard-M2-Max", 0x039: "Avalanche-M2-Max",
    ]

    private static let phytium: [UInt16: String] = [
        0x303: "FTC310", 0x660: "FTC660", 0x661: "FTC661", 0x662: "FTC662", 0x663: "FTC663",
        0x664: "FTC664", 0x862: "FTC862",
    ]
}
