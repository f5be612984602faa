internal import FootingSystem

/// How many processors there are of each kind (`cputopology` in the kernel's documentation).
public struct ProcessorTopology: Sendable {
    /// Packages with a processor that is online.
    public let sockets: Fact<Int>
    /// Cores with a processor that is online, in all sockets.
    public let cores: Fact<Int>
    /// Processors that are online.
    public let threads: Fact<Int>

    /// No machine has more; a hostile tree may say so.
    private static let threadsMaximum = 65536

    /// - Parameter folder: `/sys/devices/system/cpu`.
    init(_ folder: HostRoot?, online: Fact<[Int]>) {
        guard let folder, let list = online.value, list.count <= Self.threadsMaximum else {
            let reason = online.absence ?? "sys/devices/system/cpu is not there"
            sockets = .absent(reason)
            cores = .absent(reason)
            threads = .absent(reason)
            return
        }
        threads = .known(list.count)
        sockets = Self.groups(folder, list, ["package_cpus_list", "core_siblings_list"])
        // Where simultaneous multithreading is off, each thread is a core: no need to ask each.
        cores =
            (try? folder.attribute("smt/active")) == "0"
            ? .known(list.count)
            : Self.groups(folder, list, ["core_cpus_list", "thread_siblings_list"])
    }

    /// Counts groups by asking one member of each.
    private static func groups(
        _ folder: HostRoot,
        _ online: [Int],
        _ names: [String]
    ) -> Fact<Int> {
        var rest = Set(online)
        var count = 0
        for number in online where rest.contains(number) {
            // The second is what kernels before 5.3 call the first.
            let texts = names.lazy.compactMap { name in
                try? folder.attribute("cpu\(number)/topology/\(name)")
            }
            guard let text = texts.first, let members = kernelList(text) else {
                return .absent("cpu\(number)/topology/\(names[0]) does not tell")
            }
            rest.remove(number)
            rest.subtract(members)
            count += 1
        }
        return .known(count)
    }
}

/// One cache of a processor (`/sys/devices/system/cpu/cpu*/cache`).
public struct ProcessorCache: Sendable {
    /// 1 is the nearest.
    public let level: Int
    /// `Data`, `Instruction` or `Unified`.
    public let type: String
    /// Size in bytes.
    public let sizeBytes: Fact<UInt64>
    /// The processors that share it.
    public let cpus: Fact<[Int]>

    /// No processor has as many.
    private static let countMaximum = 16

    /// - Parameters:
    ///   - folder: `/sys/devices/system/cpu`.
    ///   - first: the processor whose caches are meant.
    static func all(_ folder: HostRoot?, first: Int) -> Fact<[ProcessorCache]> {
        let path = "cpu\(first)/cache"
        guard let folder = try? folder?.folder(path) else {
            return .absent("sys/devices/system/cpu/\(path) is not there")
        }
        var caches: [ProcessorCache] = []
        for index in 0..<countMaximum {
            guard let cache = ProcessorCache(folder, "index\(index)") else { break }
            caches.append(cache)
        }
        return caches.isEmpty
            ? .absent("sys/devices/system/cpu/\(path) shows no cache") : .known(caches)
    }

    private init?(_ folder: HostRoot, _ name: String) {
        guard let level = folder.number("\(name)/level").value,
            let type = folder.fact("\(name)/type").value
        else { return nil }
        self.level = level
        self.type = type
        switch folder.fact("\(name)/size") {
        case .absent(let reason): sizeBytes = .absent(reason)
        case .known(let text):
            sizeBytes = Self.size(text).map { .known($0) } ?? .absent("no size: \(text)")
        }
        switch folder.fact("\(name)/shared_cpu_list") {
        case .absent(let reason): cpus = .absent(reason)
        case .known(let text):
            cpus = kernelList(text).map { .known($0) } ?? .absent("no list: \(text)")
        }
    }

    /// `32768K` in bytes.
    static func size(_ text: String) -> UInt64? {
        guard text.utf8.last == UInt8(ascii: "K"), let count = UInt64(text.dropLast()) else {
            return nil
        }
        let bytes = count.multipliedReportingOverflow(by: 1024)
        return bytes.overflow ? nil : bytes.partialValue
    }
}

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
        let found = bits.filter { line in
            let register: UInt32 =
                switch line.word {
                case .basicC: basic.ecx
                case .extendedB: cpuid.extended.ebx
                case .extendedC: cpuid.extended.ecx
                case .extendedD: cpuid.extended.edx
                }
            return register >> line.bit & 1 == 1 && (keepsWide || !line.isWide)
        }
        return .known(found.map(\.name).sorted())
    }

    private static func isKnown(_ name: String) -> Bool {
        others.contains(name) || bits.contains { $0.name == name }
    }
}
