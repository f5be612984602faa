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
            guard let text = text(folder, number, names), let members = kernelList(text) else {
                return .absent("cpu\(number)/topology/\(names[0]) does not tell")
            }
            rest.remove(number)
            rest.subtract(members)
            count += 1
        }
        return .known(count)
    }

    /// The second name is what kernels before 5.3 have instead of the first.
    private static func text(_ folder: HostRoot, _ number: Int, _ names: [String]) -> String? {
        for name in names {
            if let text = try? folder.attribute("cpu\(number)/topology/\(name)") { return text }
        }
        return nil
    }
}
