internal import FootingSystem

/// The processors that are online.
enum ProcessorList {
    /// What the kernel lists, or what its folders show where a recording has no list.
    static func online(_ root: HostRoot) -> Fact<[Int]> {
        let folder = "sys/devices/system/cpu"
        switch root.fact("\(folder)/online") {
        case .known(let list):
            return kernelList(list).map { .known($0) } ?? .absent("no list of processors: \(list)")
        case .absent(let reason):
            let numbers = root.isLive ? [] : numbers(folder, root)
            return numbers.isEmpty ? .absent(reason) : .known(numbers)
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
