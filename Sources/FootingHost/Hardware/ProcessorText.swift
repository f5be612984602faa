internal import FootingSystem

/// `/proc/cpuinfo`, which every architecture writes in its own way.
struct ProcessorText: Sendable {
    /// What it tells of one processor.
    struct Entry: Sendable {
        let number: Int
        fileprivate(set) var fields: [String: String] = [:]
    }

    private static let path = "proc/cpuinfo"

    /// A processor's lines, whose beginnings are asked for; flags are long and the same everywhere.
    private static let wanted: Set<String> = [
        "drawer id", "book id", "physical id", "core id", "package", "core", "CPU implementer",
        "CPU part", "siblings", "cpu cores",
    ]

    /// What was written of each processor, in its order.
    private(set) var entries: [Entry] = []

    /// Nil where the file is missing or larger than any machine's.
    init?(_ root: HostRoot) {
        guard let bytes = try? root.bytes(Self.path) else { return nil }
        self.init(String(decoding: bytes, as: UTF8.self))
    }

    /// No machine has more.
    private static let countMaximum = 65536

    /// Reads the text: a line `processor : 3` begins an entry, on IBM Z `processor 3: …` is one to
    /// which `cpu number : 3` comes back, and SPARC ends with a list of states, `CPU3: online`.
    init(_ text: String) {
        var places: [Int: Int] = [:]
        var current = 0
        for line in lines(text) {
            guard let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")) else { continue }
            let name = String(line[..<colon]).trimmed
            let value = String(line[line.utf8.index(after: colon)...]).trimmed
            if name == "cpu number" {
                current = Int(value).flatMap { places[$0] } ?? entries.count
            } else if let number = Self.number(name, value), number < Self.countMaximum {
                if number < 0 || entries.count == Self.countMaximum { continue }
                current = entries.count
                places[number] = current
                entries.append(Entry(number: number))
            } else if Self.wanted.contains(name), current < entries.count {
                entries[current].fields[name] = value
            }
        }
    }

    private static func number(_ name: String, _ value: String) -> Int? {
        if name == "processor" { return Int(value) }
        if let digits = name.dropping(prefix: "processor ") { return Int(digits) }
        return value == "online" ? name.dropping(prefix: "CPU").flatMap { Int($0) } : nil
    }

    /// The processors it lists; nil if it lists none.
    var online: [Int]? {
        let numbers = Set(entries.map(\.number))
        return numbers.isEmpty ? nil : numbers.sorted()
    }

    /// How many different values these fields have together; nil unless every entry has each.
    func count(_ names: [String]) -> Int? {
        var keys: Set<[String]> = []
        for entry in entries {
            let values = names.compactMap { entry.fields[$0] }
            guard values.count == names.count else { return nil }
            keys.insert(values)
        }
        return keys.isEmpty ? nil : keys.count
    }

    /// Whether every entry tells how many cores its package has.
    var tellsCores: Bool { entries.allSatisfy { $0.fields["cpu cores"] != nil } }

    /// What a package's processors tell of its cores.
    private struct Package {
        var ids: Set<String> = []
        var processors = 0
        let siblings: Int?
        let cores: Int?

        /// How many cores it has; nil where that contradicts itself.
        ///
        /// AMD's Magny-Cours counts its cores anew in each half: where every processor is a core,
        /// they need no numbers.
        var count: Int? {
            if cores == nil || cores == ids.count { return ids.count }
            return siblings == cores && processors == cores ? cores : nil
        }
    }

    /// The cores of all packages, by their numbers and by `siblings` and `cpu cores`; nil unless
    /// every entry has each field, the last of which is the core's number.
    func cores(_ names: [String]) -> Fact<Int>? {
        var packages: [[String]: Package] = [:]
        for entry in entries {
            var key = names.compactMap { entry.fields[$0] }
            guard key.count == names.count, let core = key.popLast() else { return nil }
            let new = Package(
                siblings: entry.fields["siblings"].flatMap { Int($0) },
                cores: entry.fields["cpu cores"].flatMap { Int($0) }
            )
            packages[key, default: new].ids.insert(core)
            packages[key, default: new].processors += 1
        }
        var sum = 0
        for package in packages.values {
            guard let count = package.count else {
                let cores = package.cores ?? 0
                return .absent("proc/cpuinfo: \(package.ids.count) core ids and \(cores) cpu cores")
            }
            sum += count
        }
        return packages.isEmpty ? nil : .known(sum)
    }
}

extension HostRoot {
    /// The lines of `/proc/cpuinfo` that tell of the machine: the first processor's, and the last
    /// ones, where POWER and Arm write what all have in common.
    ///
    /// Some processors have flags that fill most of a page.
    func processorSummary() -> String? {
        let (first, last) = (16384, 4096)
        guard let bytes = try? bytes("proc/cpuinfo") else {
            return try? beginning("proc/cpuinfo", limitBytes: first)
        }
        if bytes.count <= first + last { return String(decoding: bytes, as: UTF8.self).trimmed }
        let start = String(decoding: bytes.prefix(first), as: UTF8.self)
        return "\(start)\n\(String(decoding: bytes.suffix(last), as: UTF8.self))".trimmed
    }
}
