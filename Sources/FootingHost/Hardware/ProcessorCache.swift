internal import FootingSystem

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

    /// Why nobody knows who shares a cache that CPUID alone tells of.
    static let alone = "CPUID of one processor does not list the others"

    /// The caches of a processor, in the kernel's order.
    ///
    /// On a live x86 machine CPUID tells what would take four files for each cache; of these only
    /// the list of those that share it is read, and only where anyone does. In a recording sysfs is
    /// asked first, then what else may be there.
    ///
    /// - Parameters:
    ///   - root: the machine.
    ///   - folder: `/sys/devices/system/cpu`.
    ///   - first: the processor whose caches are meant.
    ///   - facts: what CPUID tells of the processor.
    ///   - source: CPUID itself.
    static func all(
        _ root: HostRoot,
        _ folder: HostRoot?,
        first: Int,
        _ facts: CPUIDFacts,
        _ source: any CPUIDSource
    ) -> Fact<[ProcessorCache]> {
        if root.isLive, let folder, let found = told(folder, first, facts, source) {
            return .known(found)
        }
        let read = read(folder, first: first)
        let mainframe = mainframe(root)
        if let known = read.value {
            // The kernel shows those that several processors share in its other file only.
            return .known(
                known + mainframe.filter { cache in known.allSatisfy { $0.level < cache.level } }
            )
        }
        if !mainframe.isEmpty { return .known(mainframe) }
        if let found = folder.flatMap({ sparc($0, first) }) { return .known(found) }
        if root.isLive { return read }
        let alone = told(nil, first, facts, source) ?? []
        // Dumps of CPUID by some tools hold the first subleaf only.
        let others = (CacheDescriptors.all(facts, source) ?? []).filter { cache in
            alone.allSatisfy { $0.level != cache.level || $0.type != cache.type }
        }
        let isWhole = facts.vendor == "GenuineIntel" && !alone.isEmpty
        let all = isWhole ? alone : alone + others
        return all.isEmpty ? read : .known(all)
    }

    /// Nil where CPUID does not tell, or processors differ from each other (leaf 7, EDX bit 15).
    private static func told(
        _ folder: HostRoot?,
        _ first: Int,
        _ facts: CPUIDFacts,
        _ source: any CPUIDSource
    ) -> [ProcessorCache]? {
        let isAMD = facts.vendor == "AuthenticAMD" || facts.vendor == "HygonGenuine"
        let leaf: UInt32 = isAMD ? 0x8000_001d : 4
        let isThere = leaf <= (isAMD ? facts.maximum.extended : facts.maximum.basic)
        // What was recorded is one processor's; on a live machine this may run on any.
        guard isThere, folder == nil || facts.extended.edx >> 15 & 1 == 0 else { return nil }
        var caches: [ProcessorCache] = []
        for index in 0..<countMaximum {
            guard let words = source.registers(leaf: leaf, subleaf: UInt32(index)),
                let told = decode(words)
            else { break }
            let path = "cpu\(first)/cache/index\(index)/shared_cpu_list"
            caches.append(
                ProcessorCache(
                    level: told.level,
                    type: told.type,
                    sizeBytes: .known(told.sizeBytes),
                    cpus: told.isShared
                        ? folder.map { list($0.fact(path)) } ?? .absent(Self.alone)
                        : .known([first])
                )
            )
        }
        return caches.isEmpty ? nil : caches
    }

    /// One subleaf of CPUID 4 or 0x8000001d (Intel SDM volume 2, CPUID; AMD APM volume 3, E.4.15).
    static func decode(
        _ words: CPUIDRegisters
    ) -> (level: Int, type: String, sizeBytes: UInt64, isShared: Bool)? {
        let types = ["Data", "Instruction", "Unified"]
        let type = Int(words.eax & 31)
        guard (1...types.count).contains(type) else { return nil }
        let lineBytes = UInt64(words.ebx & 0xfff) + 1
        let partitions = UInt64(words.ebx >> 12 & 0x3ff) + 1
        let ways = UInt64(words.ebx >> 22) + 1
        let bytes = (lineBytes * partitions * ways).multipliedReportingOverflow(
            by: UInt64(words.ecx) + 1
        )
        guard !bytes.overflow else { return nil }
        let isShared = words.eax >> 14 & 0xfff != 0
        return (Int(words.eax >> 5 & 7), types[type - 1], bytes.partialValue, isShared)
    }

    private static func list(_ fact: Fact<String>) -> Fact<[Int]> {
        switch fact {
        case .absent(let reason): .absent(reason)
        case .known(let text):
            kernelList(text).map { .known($0) } ?? .absent("no list: \(text)")
        }
    }

    /// What `/sys/devices/system/cpu/cpu*/cache` shows.
    static func read(_ folder: HostRoot?, first: Int) -> Fact<[ProcessorCache]> {
        let path = "cpu\(first)/cache"
        guard let folder = try? folder?.folder(path) else {
            return .absent("sys/devices/system/cpu/\(path) is not there")
        }
        var caches: [ProcessorCache] = []
        for index in 0..<countMaximum {
            if let cache = read(folder, "index\(index)") {
                caches.append(cache)
            } else if folder.isLive {
                break
            }
        }
        return caches.isEmpty
            ? .absent("sys/devices/system/cpu/\(path) shows no cache") : .known(caches)
    }

    private static func read(_ folder: HostRoot, _ name: String) -> ProcessorCache? {
        guard let level = folder.number("\(name)/level").value,
            let type = folder.fact("\(name)/type").value
        else { return nil }
        let bytes: Fact<UInt64> =
            switch folder.fact("\(name)/size") {
            case .absent(let reason): .absent(reason)
            case .known(let text): size(text).map { .known($0) } ?? .absent("no size: \(text)")
            }
        return ProcessorCache(
            level: level,
            type: type,
            sizeBytes: bytes,
            cpus: sharing(folder, name)
        )
    }

    /// Kernels before 2.6.26, and some recordings of later ones, have the mask only.
    private static func sharing(_ folder: HostRoot, _ name: String) -> Fact<[Int]> {
        let list = list(folder.fact("\(name)/shared_cpu_list"))
        if list.value?.isEmpty == false { return list }
        let mask = folder.fact("\(name)/shared_cpu_map").value.flatMap(kernelMask)
        return mask.map { .known($0) } ?? list
    }

    /// IBM Z: `cache4 : level=3 type=Unified scope=Shared size=65536K …` in `/proc/cpuinfo`
    /// (`arch/s390/kernel/cache.c`).
    private static func mainframe(_ root: HostRoot) -> [ProcessorCache] {
        guard !root.isLive || root.exists("proc/sysinfo"), let text = root.processorSummary(),
            text.field("vendor_id") == "IBM/S390"
        else { return [] }
        return (0..<countMaximum).compactMap { index in
            guard let line = text.field("cache\(index)") else { return nil }
            let pairs = pieces(line, separator: " ").map { pieces($0, separator: "=") }
            func value(_ name: String) -> String? {
                pairs.first { $0.count == 2 && $0[0] == name }?[1]
            }
            guard let level = value("level").flatMap({ Int($0) }), let type = value("type") else {
                return nil
            }
            return ProcessorCache(
                level: level,
                type: type,
                sizeBytes: value("size").flatMap(size).map { .known($0) }
                    ?? .absent("no size: \(line)"),
                cpus: .absent("proc/cpuinfo does not tell who shares it")
            )
        }
    }

    /// SPARC: files of its own, in bytes (`arch/sparc/kernel/sysfs.c`).
    private static func sparc(_ folder: HostRoot, _ first: Int) -> [ProcessorCache]? {
        let files = [
            (1, "Data", "l1_dcache_size"), (1, "Instruction", "l1_icache_size"),
            (2, "Unified", "l2_cache_size"),
        ]
        let caches = files.compactMap { level, type, name -> ProcessorCache? in
            let path = "cpu\(first)/\(name)"
            guard let bytes = (try? folder.attribute(path)).flatMap({ UInt64($0) }) else {
                return nil
            }
            let cpus = Fact<[Int]>.absent("SPARC's kernels do not tell who shares it")
            return ProcessorCache(level: level, type: type, sizeBytes: .known(bytes), cpus: cpus)
        }
        return caches.isEmpty ? nil : caches
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
