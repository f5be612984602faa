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

    /// The caches of a processor, in the kernel's order.
    ///
    /// On a live x86 machine CPUID tells what would take four files for each cache; of these only
    /// the list of those that share it is read, and only where anyone does.
    ///
    /// - Parameters:
    ///   - folder: `/sys/devices/system/cpu`.
    ///   - first: the processor whose caches are meant.
    ///   - facts: what CPUID tells of the processor.
    ///   - source: CPUID itself, on a live machine.
    static func all(
        _ folder: HostRoot?,
        first: Int,
        _ facts: CPUIDFacts,
        _ source: (any CPUIDSource)?
    ) -> Fact<[ProcessorCache]> {
        if let folder, let source, let found = told(folder, first, facts, source) {
            return .known(found)
        }
        return read(folder, first: first)
    }

    /// Nil where CPUID does not tell, or processors differ from each other (leaf 7, EDX bit 15).
    private static func told(
        _ folder: HostRoot,
        _ first: Int,
        _ facts: CPUIDFacts,
        _ source: any CPUIDSource
    ) -> [ProcessorCache]? {
        let isAMD = facts.vendor == "AuthenticAMD" || facts.vendor == "HygonGenuine"
        let leaf: UInt32 = isAMD ? 0x8000_001d : 4
        let isThere = leaf <= (isAMD ? facts.maximum.extended : facts.maximum.basic)
        guard isThere, facts.extended.edx >> 15 & 1 == 0 else { return nil }
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
                    cpus: told.isShared ? list(folder.fact(path)) : .known([first])
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
            guard let cache = read(folder, "index\(index)") else { break }
            caches.append(cache)
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
            cpus: list(folder.fact("\(name)/shared_cpu_list"))
        )
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
