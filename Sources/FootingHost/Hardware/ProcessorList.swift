internal import FootingSystem

/// The processors that are online.
enum ProcessorList {
    /// What the kernel lists; where a recording has no list, what its folders or `/proc/cpuinfo`
    /// show.
    static func online(_ root: HostRoot) -> Fact<[Int]> {
        let folder = "sys/devices/system/cpu"
        switch root.fact("\(folder)/online") {
        case .known(let list):
            return kernelList(list).map { .known($0) } ?? .absent("no list of processors: \(list)")
        case .absent(let reason):
            if root.isLive { return .absent(reason) }
            let numbers = numbers(folder, root)
            if !numbers.isEmpty { return .known(numbers) }
            return ProcessorText(root)?.online.map { .known($0) } ?? .absent(reason)
        }
    }

    /// The folders `cpu0`, `cpu1`, … without those whose file `online` says 0; the first processor
    /// of most machines cannot be taken offline and has no such file.
    private static func numbers(_ folder: String, _ root: HostRoot) -> [Int] {
        root.namesIfPresent(folder)
            .compactMap { $0.dropping(prefix: "cpu").flatMap { Int($0) } }
            .filter { root.fact("\(folder)/cpu\($0)/online").value != "0" }
            .sorted()
    }
}
