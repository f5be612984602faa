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

    /// What processors may share.
    private struct Kind {
        /// The files that name the members: a mask, and behind `_list` a list, the newer name
        /// first; the older is that of kernels before 5.3.
        let files: [String]
        /// The files that members have equal numbers in.
        let ids: [String]
        /// Files of larger units, within which those numbers may begin anew; most have none.
        let units: [String]
        /// The same in `/proc/cpuinfo`: IBM Z, then x86 and Itanium, then Loongson.
        let fields: [[String]]
    }

    private static let package = Kind(
        files: ["package_cpus", "core_siblings"],
        ids: ["physical_package_id"],
        units: ["drawer_id", "book_id"],
        fields: [
            ["drawer id", "book id", "physical id"], ["book id", "physical id"], ["physical id"],
            ["package"],
        ]
    )
    private static let core = Kind(
        files: ["core_cpus", "thread_siblings"],
        ids: ["physical_package_id", "core_id"],
        units: ["drawer_id", "book_id", "die_id", "cluster_id"],
        fields: [
            ["drawer id", "book id", "physical id", "core id"],
            ["book id", "physical id", "core id"], ["physical id", "core id"], ["package", "core"],
        ]
    )

    /// - Parameters:
    ///   - folder: `/sys/devices/system/cpu`.
    ///   - root: the machine; in a recording `/proc/cpuinfo` stands in for the folder.
    init(_ folder: HostRoot?, online: Fact<[Int]>, _ root: HostRoot) {
        guard let list = online.value, list.count <= Self.threadsMaximum else {
            let reason = online.absence ?? "too many processors to be true"
            sockets = .absent(reason)
            cores = .absent(reason)
            threads = .absent(reason)
            return
        }
        threads = .known(list.count)
        // Where simultaneous multithreading is off, each thread is a core: no need to ask each.
        let isSingle = (try? folder?.attribute("smt/active")) == "0"
        var sockets = Self.groups(folder, list, Self.package)
        var cores = isSingle ? .known(list.count) : Self.groups(folder, list, Self.core)
        let isNumbered = !isSingle && Self.isNumbered(folder, list)
        let isUnsure = isNumbered && !Self.tellsUnits(folder, list)
        if !root.isLive, sockets.value == nil || cores.value == nil || isNumbered,
            let text = ProcessorText(root), text.online == list
        {
            if sockets.value == nil,
                let count = Self.package.fields.lazy.compactMap({ text.count($0) }).first
            {
                sockets = .known(count)
            }
            if cores.value == nil || isUnsure && text.tellsCores,
                let told = Self.core.fields.lazy.compactMap({ text.cores($0) }).first
            {
                cores = told
            } else if isNumbered, text.tellsCores, let counted = cores.value,
                let told = Self.core.fields.lazy.compactMap({ text.cores($0) }).first?.value,
                told > counted
            {
                // The units that it tells of are not those within which the numbers begin anew.
                cores = .known(told)
            }
        }
        self.sockets = sockets
        self.cores = cores
    }

    /// Whether cores are counted by numbers alone.
    private static func isNumbered(_ folder: HostRoot?, _ online: [Int]) -> Bool {
        guard let folder, let first = online.first else { return false }
        return members(folder, first, core) == nil
    }

    /// Whether a file tells in which units those numbers are.
    private static func tellsUnits(_ folder: HostRoot?, _ online: [Int]) -> Bool {
        guard let folder, let first = online.first else { return false }
        return core.units.contains { folder.exists("cpu\(first)/topology/\($0)") }
    }

    /// Counts groups by asking one member of each for the others.
    private static func groups(
        _ folder: HostRoot?,
        _ online: [Int],
        _ kind: Kind
    ) -> Fact<Int> {
        guard let folder else { return .absent("sys/devices/system/cpu is not there") }
        // One group of all, as most machines have of packages: nothing is left to be counted.
        if let first = online.first, members(folder, first, kind) == online { return .known(1) }
        var rest = Set(online)
        var count = 0
        var read = 0
        for number in online where rest.contains(number) {
            guard let members = members(folder, number, kind) else {
                return numbered(folder, online, kind)
            }
            read += members.count
            guard read <= 4 * online.count + threadsMaximum else {
                return .absent("\(kind.files[0])_list: too many members to be true")
            }
            rest.remove(number)
            rest.subtract(members)
            count += 1
        }
        return .known(count)
    }

    /// Recordings may hold only the masks, which kernels before 2.6.26 have alone.
    private static func members(_ folder: HostRoot, _ number: Int, _ kind: Kind) -> [Int]? {
        for name in kind.files {
            let path = "cpu\(number)/topology/\(name)_list"
            if let list = (try? folder.attribute(path)).flatMap(kernelList),
                list.contains(number)
            {
                return list
            }
        }
        for name in kind.files {
            let path = "cpu\(number)/topology/\(name)"
            if let mask = (try? folder.attribute(path)).flatMap(kernelMask),
                mask.contains(number)
            {
                return mask
            }
        }
        return nil
    }

    /// Counts groups by the numbers that their members share; -1 is none.
    private static func numbered(
        _ folder: HostRoot,
        _ online: [Int],
        _ kind: Kind
    ) -> Fact<Int> {
        var keys: Set<[Int?]> = []
        for number in online {
            let ids = kind.ids.compactMap { name in
                folder.number("cpu\(number)/topology/\(name)").value.flatMap { $0 < 0 ? nil : $0 }
            }
            guard ids.count == kind.ids.count else {
                return .absent("cpu\(number)/topology/\(kind.files[0])_list does not tell")
            }
            keys.insert(
                ids + kind.units.map { folder.number("cpu\(number)/topology/\($0)").value }
            )
        }
        return .known(keys.count)
    }
}
