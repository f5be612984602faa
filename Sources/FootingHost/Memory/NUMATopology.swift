internal import FootingSystem

/// A NUMA node: processors and memory that are near each other.
public struct NUMANode: Sendable {
    /// The kernel's number.
    public let id: Int
    /// Its online processors; empty for a node that has only memory.
    public let cpus: Fact<[Int]>
    /// Its memory in bytes; 0 for a node that has only processors.
    public let memoryBytes: Fact<UInt64>
    /// Distances to the online nodes in their order, 10 being here.
    public let distances: Fact<[Int]>
}

/// The machine's nodes (`/sys/devices/system/node`), memory-less and CPU-less ones included.
public struct NUMATopology: Sendable {
    /// The nodes by number.
    public let nodes: [NUMANode]
    /// Why there are none, if so: a kernel without NUMA, or a tree that does not show it.
    public let absence: String?

    init(_ root: HostRoot) {
        let folder = "sys/devices/system/node"
        let names: [String]
        do throws(Errno) {
            names = try root.names(folder)
        } catch {
            nodes = []
            absence = HostRoot.reason(folder, error)
            return
        }
        let ids = names.compactMap { $0.dropping(prefix: "node").flatMap { Int($0) } }
        nodes = ids.sorted().map { Self.node($0, "\(folder)/node\($0)", root) }
        absence = nodes.isEmpty ? "\(folder) has no nodes" : nil
    }

    private static func node(_ id: Int, _ path: String, _ root: HostRoot) -> NUMANode {
        NUMANode(
            id: id,
            cpus: processors(path, root),
            memoryBytes: memory(id, path, root),
            distances: distances(path, root)
        )
    }

    private static func processors(_ path: String, _ root: HostRoot) -> Fact<[Int]> {
        do throws(Errno) {
            // An empty list is an answer: a node that has only memory.
            let text = try root.attribute("\(path)/cpulist")
            return kernelList(text).map { .known($0) }
                ?? .absent("\(path)/cpulist is no list of processors")
        } catch {
            // Kernels before 2.6.25, and some recordings of later ones, have the mask only.
            let mask = (try? root.text("\(path)/cpumap")).flatMap { kernelMask($0) }
            return mask.map { .known($0) } ?? .absent(HostRoot.reason("\(path)/cpulist", error))
        }
    }

    private static func memory(_ id: Int, _ path: String, _ root: HostRoot) -> Fact<UInt64> {
        do throws(Errno) {
            let text = try root.beginning("\(path)/meminfo")
            return kibibytes(text.field("Node \(id) MemTotal")).map { .known($0) }
                ?? .absent("\(path)/meminfo has no MemTotal")
        } catch {
            return .absent(HostRoot.reason("\(path)/meminfo", error))
        }
    }

    private static func distances(_ path: String, _ root: HostRoot) -> Fact<[Int]> {
        switch root.fact("\(path)/distance") {
        case .absent(let reason): return .absent(reason)
        case .known(let text):
            let words = pieces(text, separator: " ")
            let numbers = words.compactMap { Int($0) }
            return numbers.count == words.count
                ? .known(numbers) : .absent("\(path)/distance holds no distances")
        }
    }
}
