internal import FootingSystem

/// Instructions that compression, encryption and checksums gain by.
enum ProcessorFeatures {
    /// A register of a CPUID leaf.
    private enum Word {
        case basicC, extendedB, extendedC, extendedD
    }

    /// A bit and its name in `/proc/cpuinfo` (`cpufeatures.h`): one line for each.
    private static let bits: [(name: String, word: Word, bit: UInt32, isWide: Bool)] = [
        ("pclmulqdq", .basicC, 1, false), ("ssse3", .basicC, 9, false),
        ("fma", .basicC, 12, true), ("sse4_1", .basicC, 19, false),
        ("sse4_2", .basicC, 20, false), ("popcnt", .basicC, 23, false),
        ("aes", .basicC, 25, false), ("avx", .basicC, 28, true),
        ("rdrand", .basicC, 30, false),
        ("bmi1", .extendedB, 3, false), ("avx2", .extendedB, 5, true),
        ("bmi2", .extendedB, 8, false), ("erms", .extendedB, 9, false),
        ("avx512f", .extendedB, 16, true), ("rdseed", .extendedB, 18, false),
        ("adx", .extendedB, 19, false), ("clflushopt", .extendedB, 23, false),
        ("clwb", .extendedB, 24, false), ("sha_ni", .extendedB, 29, false),
        ("avx512bw", .extendedB, 30, true), ("avx512vl", .extendedB, 31, true),
        ("waitpkg", .extendedC, 5, false), ("gfni", .extendedC, 8, false),
        ("vaes", .extendedC, 9, true), ("vpclmulqdq", .extendedC, 10, true),
        ("movdir64b", .extendedC, 28, false), ("enqcmd", .extendedC, 29, false),
        ("fsrm", .extendedD, 4, false),
    ]

    /// Names of other architectures: `arch/arm64/kernel/cpuinfo.c`, s390 and others.
    private static let others: Set<String> = [
        "asimd", "atomics", "crc32", "pmull", "sha1", "sha2", "sha3", "sha512", "sve", "sve2",
        "rng", "dflt", "vx", "vxe", "zvkned", "zbc", "v",
    ]

    /// The kernel's own list where it was read, which knows what it switched off; else CPUID.
    static func find(_ cpuid: CPUIDFacts, text: String?) -> Fact<[String]> {
        if let line = text?.field("flags") ?? text?.field("Features") ?? text?.field("features") {
            let given = Set(pieces(line, separator: " "))
            return .known(given.filter { isKnown($0) }.sorted())
        }
        guard let basic = cpuid.basic else {
            return .absent("neither CPUID nor proc/cpuinfo tells")
        }
        // Without OSXSAVE the kernel does not keep wide registers: their instructions fault.
        let keepsWide = basic.ecx >> 27 & 1 == 1
        var found: [String] = []
        for line in bits {
            let register: UInt32 =
                switch line.word {
                case .basicC: basic.ecx
                case .extendedB: cpuid.extended.ebx
                case .extendedC: cpuid.extended.ecx
                case .extendedD: cpuid.extended.edx
                }
            if register >> line.bit & 1 == 1, keepsWide || !line.isWide { found.append(line.name) }
        }
        return .known(found.sorted())
    }

    private static func isKnown(_ name: String) -> Bool {
        others.contains(name) || bits.contains { $0.name == name }
    }
}
