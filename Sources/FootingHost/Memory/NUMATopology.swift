internal import FootingSystem

/// A NUMA node: processors and memory that are near each other.
public struct NUMANode: Sendable {
    /// What a node has.
    public enum Kind: String, Sendable {
        /// Both.
        case full = "processors-and-memory"
        /// Memory only, as persistent memory or memory behind CXL.
        case memoryOnly = "memory-only"
        /// Processors only.
        case processorsOnly = "processors-only"
        /// Neither, as the node of a device.
        case empty
    }

    /// The kernel's number.
    public let id: Int
    /// Its online processors; empty for a node that has only memory.
    public let cpus: Fact<[Int]>
    /// Its memory in bytes; 0 for a node that has only processors.
    public let memoryBytes: Fact<UInt64>
    /// Distances to the online nodes in their order, 10 being here.
    public let distances: Fact<[Int]>
    /// Huge pages of the ordinary size that are set aside on it.
    public let hugePages: Fact<Int>
    /// How many of them are free.
    public let freeHugePages: Fact<Int>

    /// What it has, where both are known.
    public var kind: Fact<Kind> {
        switch (cpus, memoryBytes) {
        case (.known(let cpus), .known(let bytes)):
            .known(
                cpus.isEmpty
                    ? bytes == 0 ? .empty : .memoryOnly
                    : bytes == 0 ? .processorsOnly : .full
            )
        case (.absent(let reason), _), (_, .absent(let reason)): .absent(reason)
        }
    }
}

/// Nodes whose memory is about as fast (`/sys/devices/virtual/memory_tiering`, 6.1 and later).
public struct MemoryTier: Sendable, Equatable {
    /// The kernel's number; a lower one is faster.
    public let id: Int
    /// Its nodes.
    public let nodes: [Int]
}

/// The machine's nodes (`/sys/devices/system/node`), memory-less and CPU-less ones included.
public struct NUMATopology: Sendable {
    /// The nodes by number.
    public let nodes: [NUMANode]
    /// Tiers of memory, the fastest first; one node has none to choose from.
    public let tiers: Fact<[MemoryTier]>
    /// Why there are none, if so: a kernel without NUMA, or a tree that does not show it.
    public let absence: String?

    /// The kernel's `MAX_NUMNODES` at its highest.
    private static let countMaximum = 1024

    init(_ root: HostRoot) {
        let folder = "sys/devices/system/node"
        let names: [String]
        do throws(Errno) {
            names = try root.names(folder)
        } catch {
            nodes = []
            absence = HostRoot.reason(folder, error)
            tiers = .absent(HostRoot.reason(folder, error))
            return
        }
        let ids = names.compactMap { $0.dropping(prefix: "node").flatMap { Int($0) } }
            .filter { $0 >= 0 }
        nodes = ids.sorted().prefix(Self.countMaximum).map {
            Self.node($0, Attributes("\(folder)/node\($0)", root))
        }
        absence = nodes.isEmpty ? "\(folder) has no nodes" : nil
        tiers = nodes.count > 1 ? Self.tiers(root) : .absent("there is one node only")
    }

    private static func node(_ id: Int, _ folder: Attributes) -> NUMANode {
        let text = folder.beginning("meminfo")
        func line<Value>(_ name: String, _ form: (String) -> Value?) -> Fact<Value> {
            switch text {
            case .absent(let reason): .absent(reason)
            case .known(let text):
                text.field("Node \(id) \(name)").flatMap(form).map { .known($0) }
                    ?? .absent("the node's meminfo has no \(name)")
            }
        }
        return NUMANode(
            id: id,
            cpus: processors(folder),
            memoryBytes: line("MemTotal", kibibytes),
            distances: distances(folder.fact("distance")),
            hugePages: line("HugePages_Total") { Int($0) },
            freeHugePages: line("HugePages_Free") { Int($0) }
        )
    }

    private static func processors(_ folder: Attributes) -> Fact<[Int]> {
        let list = folder.list("cpulist")
        if list.value != nil { return list }
        // Kernels before 2.6.25, and some recordings of later ones, have the mask only.
        return folder.beginning("cpumap").value.flatMap { kernelMask($0) }.map { .known($0) }
            ?? list
    }

    private static func distances(_ fact: Fact<String>) -> Fact<[Int]> {
        switch fact {
        case .absent(let reason): return .absent(reason)
        case .known(let text):
            let words = pieces(text, separator: " ")
            let numbers = words.compactMap { Int($0) }
            return numbers.count == words.count
                ? .known(numbers) : .absent("no distances: \(text)")
        }
    }

    private static func tiers(_ root: HostRoot) -> Fact<[MemoryTier]> {
        let folder = "sys/devices/virtual/memory_tiering"
        let tiers = root.namesIfPresent(folder).compactMap { name -> MemoryTier? in
            guard let id = name.dropping(prefix: "memory_tier").flatMap({ Int($0) }),
                let nodes = root.fact("\(folder)/\(name)/nodelist").value.flatMap(kernelList)
            else { return nil }
            return MemoryTier(id: id, nodes: nodes)
        }
        return tiers.isEmpty
            ? .absent("\(folder) shows no tier") : .known(tiers.sorted { $0.id < $1.id })
    }
}
