/// Caches of x86 processors from before CPUID could list them, in recordings without sysfs.
enum CacheDescriptors {
    /// Nil where neither way of telling is there.
    static func all(_ facts: CPUIDFacts, _ source: any CPUIDSource) -> [ProcessorCache]? {
        let found = facts.vendor == "GenuineIntel" ? bytes(facts, source) : sizes(facts, source)
        if found.isEmpty { return nil }
        return found.map { level, type, kibibytes in
            ProcessorCache(
                level: level,
                type: type,
                sizeBytes: .known(UInt64(kibibytes) << 10),
                cpus: .absent(ProcessorCache.alone)
            )
        }
    }

    private typealias Cache = (level: Int, type: String, kibibytes: UInt32)

    /// Leaves 0x80000005 and 0x80000006 (AMD APM volume 3, E.4.3 and E.4.4), which others have too.
    private static func sizes(_ facts: CPUIDFacts, _ source: any CPUIDSource) -> [Cache] {
        func leaf(_ leaf: UInt32) -> CPUIDRegisters {
            let isThere = leaf <= facts.maximum.extended
            return (isThere ? source.registers(leaf: leaf, subleaf: 0) : nil) ?? .zero
        }
        let first = leaf(0x8000_0005)
        let others = leaf(0x8000_0006)
        // An associativity of 0 is a cache that is not there or switched off.
        let second = others.ecx >> 12 & 15 == 0 ? 0 : others.ecx >> 16
        var third = others.edx >> 12 & 15 == 0 ? 0 : (others.edx >> 18) * 512
        if isDouble(facts, leaf(0x8000_0001)) { third /= 2 }
        let caches: [Cache] = [
            (1, "Data", first.ecx >> 24), (1, "Instruction", first.edx >> 24),
            (2, "Unified", second), (3, "Unified", third),
        ]
        return caches.filter { $0.kibibytes > 0 }
    }

    /// Two dies in one package, each with half of the cache that is told: family 0x10 in socket G34
    /// (`X86_FEATURE_AMD_DCM` of the kernel).
    private static func isDouble(_ facts: CPUIDFacts, _ extended: CPUIDRegisters) -> Bool {
        guard facts.vendor == "AuthenticAMD", let basic = facts.basic else { return false }
        let family = (basic.eax >> 8 & 15) + (basic.eax >> 20 & 0xff)
        return family == 0x10 && extended.ebx >> 28 == 3
    }

    /// Leaf 2: a byte for each cache, and for much else (Intel SDM volume 2, CPUID).
    private static func bytes(_ facts: CPUIDFacts, _ source: any CPUIDSource) -> [Cache] {
        guard facts.maximum.basic >= 2,
            let words = source.registers(leaf: 2, subleaf: 0)
        else { return [] }
        var found: [Cache] = []
        for (index, word) in [words.eax, words.ebx, words.ecx, words.edx].enumerated() {
            // The highest bit says that the register holds no descriptors; the lowest byte of EAX
            // is how often to ask.
            if word >> 31 == 1 { continue }
            for byte in (index == 0 ? 1 : 0)..<4 {
                let code = UInt8(truncatingIfNeeded: word >> (byte * 8))
                if let cache = descriptor(code) { found.append(cache) }
            }
        }
        return found.sorted { ($0.level, $0.type) < ($1.level, $1.type) }
    }

    private static func descriptor(_ code: UInt8) -> Cache? {
        if let kibibytes = data[code] { return (1, "Data", kibibytes) }
        if let kibibytes = instruction[code] { return (1, "Instruction", kibibytes) }
        if let kibibytes = second[code] { return (2, "Unified", kibibytes) }
        return third[code].map { (3, "Unified", $0) }
    }

    /// Sizes in KiB by descriptor.
    private static let data: [UInt8: UInt32] = [
        0x0a: 8, 0x0c: 16, 0x0d: 16, 0x0e: 24, 0x2c: 32, 0x60: 16, 0x66: 8, 0x67: 16, 0x68: 32,
    ]
    private static let instruction: [UInt8: UInt32] = [0x06: 8, 0x08: 16, 0x09: 32, 0x30: 32]
    private static let second: [UInt8: UInt32] = [
        0x1d: 128, 0x21: 256, 0x24: 1024, 0x39: 128, 0x3a: 192, 0x3b: 128, 0x3c: 256, 0x3d: 384,
        0x3e: 512, 0x41: 128, 0x42: 256, 0x43: 512, 0x44: 1024, 0x45: 2048, 0x48: 3072,
        0x4e: 6144, 0x78: 1024, 0x79: 128, 0x7a: 256, 0x7b: 512, 0x7c: 1024, 0x7d: 2048,
        0x7f: 512, 0x80: 512, 0x82: 256, 0x83: 512, 0x84: 1024, 0x85: 2048, 0x86: 512, 0x87: 1024,
    ]
    private static let third: [UInt8: UInt32] = [
        0x22: 512, 0x23: 1024, 0x25: 2048, 0x29: 4096, 0x46: 4096, 0x47: 8192, 0x4a: 6144,
        0x4b: 8192, 0x4c: 12288, 0x4d: 16384, 0xd0: 512, 0xd1: 1024, 0xd2: 2048, 0xd6: 1024,
        0xd7: 2048, 0xd8: 4096, 0xdc: 1536, 0xdd: 3072, 0xde: 6144, 0xe2: 2048, 0xe3: 4096,
        0xe4: 8192, 0xea: 12288, 0xeb: 18432, 0xec: 24576,
    ]
}
