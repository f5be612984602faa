public import FootingHost
public import FootingSystem

/// Where a disk's memory and threads belong: at the controllers that its data goes through.
///
/// The path leads through file systems, partitions, device mapper, MD and loop devices down to PCI
/// functions, whose node the firmware names (``PathFacts``, ``BlockDevice``). Nothing is done yet:
/// this is a decision, which `source()` and `pin()` carry out.
public struct DiskPlacement: Sendable {
    /// The nodes of the controllers; absent where there is nothing to choose, with the reason.
    public let nodes: Fact<[Int]>
    /// Where memory is asked for, the nearest nodes first; empty where there is no choice.
    public let steps: [NUMAAllocator.Step]
    /// The processors that threads are limited to; absent if they are left alone, with the reason.
    public let cpus: Fact<[Int]>
    /// What the decision rests on.
    public let evidence: [Evidence]

    /// Looks at the machine and decides.
    ///
    /// - Parameters:
    ///   - path: the disk's container, or a folder or device that is to hold it.
    ///   - root: the machine.
    public static func decide(path: String, root: HostRoot) -> DiskPlacement {
        decide(HostReport.gather(root: root, path: path))
    }

    /// Decides from a report on the machine and a path.
    public static func decide(_ report: HostReport) -> DiskPlacement {
        let topology = report.numa
        guard topology.nodes.count > 1 else {
            let reason = topology.absence ?? "one node: all memory is near"
            return DiskPlacement(absence: reason)
        }
        guard let path = report.path else { return DiskPlacement(absence: "no path was asked for") }
        guard let disks = path.disks.value else {
            return DiskPlacement(absence: path.disks.absence ?? "the path leads to no disk")
        }
        var evidence: [Evidence] = []
        var wanted: [Int] = []
        for name in disks {
            guard let device = report.hardware.block.first(where: { $0.name == name }) else {
                continue
            }
            let (node, item) = controller(of: device, topology)
            if let item { evidence.append(item) }
            if let node, !wanted.contains(node) { wanted.append(node) }
        }
        guard !wanted.isEmpty else {
            let names = disks.joined(separator: ", ")
            return DiskPlacement(absence: "nothing tells the node of \(names)", evidence)
        }
        wanted.sort()
        let ranked = ranks(from: wanted, topology)
        return DiskPlacement(
            nodes: .known(wanted),
            steps: steps(ranked, topology, allowed: report.limits.memoryNodes),
            cpus: processors(ranked, topology, allowed: report.limits.cpus),
            evidence: evidence
        )
    }

    private init(absence: String, _ evidence: [Evidence] = []) {
        self.init(nodes: .absent(absence), steps: [], cpus: .absent(absence), evidence: evidence)
    }

    private init(
        nodes: Fact<[Int]>,
        steps: [NUMAAllocator.Step],
        cpus: Fact<[Int]>,
        evidence: [Evidence]
    ) {
        self.nodes = nodes
        self.steps = steps
        self.cpus = cpus
        self.evidence = evidence
    }

    /// Memory there.
    ///
    /// - Parameter hugePages: what to ask for.
    public func source(hugePages: HugePages = .transparent) -> NUMAAllocator {
        NUMAAllocator(steps: steps, hugePages: hugePages)
    }

    /// Limits the calling thread, and all that it starts from now on, to the processors there.
    ///
    /// - Returns: whether there was anything to do.
    /// - Throws: `EINVAL` if the process may no longer use any of them.
    @discardableResult
    public func pin() throws(Errno) -> Bool {
        guard let cpus = cpus.value else { return false }
        try ProcessorAffinity.set(cpus)
        return true
    }
}

// MARK: - The decision's parts

extension DiskPlacement {
    /// The node of a disk's controller, if the firmware names one that this machine has.
    private static func controller(
        of device: BlockDevice,
        _ topology: NUMATopology
    ) -> (node: Int?, item: Evidence?) {
        guard let slot = device.pciSlot.value, let node = device.numaNode.value else {
            return (nil, nil)
        }
        let isThere = topology.nodes.contains { $0.id == node }
        let item = Evidence(
            source: "sys/bus/pci/devices/\(slot)/numa_node",
            value: "\(node)",
            says: isThere
                ? "the controller of \(device.name) is on node \(node)"
                : node < 0
                    ? "the firmware names no node for the controller of \(device.name)"
                    : "the controller of \(device.name) is on a node that is not there"
        )
        return (isThere ? node : nil, item)
    }

    /// Every node with its distance from the nearest of some, the nearest first.
    private static func ranks(
        from wanted: [Int],
        _ topology: NUMATopology
    ) -> [(node: NUMANode, distance: Int?)] {
        let count = topology.nodes.count
        let rows = topology.nodes.filter { wanted.contains($0.id) }
            .compactMap { $0.distances.value }.filter { $0.count == count }
        let ranked = topology.nodes.indices.map { index in
            let node = topology.nodes[index]
            // A table that cannot be read still leaves here and elsewhere.
            let distance = wanted.contains(node.id) ? 10 : rows.map { $0[index] }.min()
            return (node: node, distance: distance)
        }
        return ranked.sorted {
            ($0.distance ?? .max, $0.node.id) < ($1.distance ?? .max, $1.node.id)
        }
    }

    /// The nodes that have memory for this process, by distance.
    private static func steps(
        _ ranked: [(node: NUMANode, distance: Int?)],
        _ topology: NUMATopology,
        allowed: Fact<[Int]>
    ) -> [NUMAAllocator.Step] {
        var steps: [NUMAAllocator.Step] = []
        for (node, distance) in ranked {
            if node.memoryBytes.value == 0 { continue }
            if let allowed = allowed.value, !allowed.contains(node.id) { continue }
            if let last = steps.last, last.distance == distance {
                steps.removeLast()
                steps.append(.init(nodes: last.nodes + [node.id], distance: distance))
            } else {
                steps.append(.init(nodes: [node.id], distance: distance))
            }
        }
        // A process that may use one node only has no choice.
        return steps.count == 1 && steps[0].nodes.count == 1 ? [] : steps
    }

    /// The processors of the nearest nodes that have some for this process.
    private static func processors(
        _ ranked: [(node: NUMANode, distance: Int?)],
        _ topology: NUMATopology,
        allowed: Fact<[Int]>
    ) -> Fact<[Int]> {
        var found: [Int] = []
        var distance: Int?
        for (node, far) in ranked {
            if !found.isEmpty, far != distance { break }
            let usable = (node.cpus.value ?? []).filter { allowed.value?.contains($0) ?? true }
            if !usable.isEmpty { distance = far }
            found += usable
        }
        guard !found.isEmpty else { return .absent("no node shows a processor for this process") }
        if let allowed = allowed.value, allowed.count == found.count {
            return .absent("this process has only processors there")
        }
        return .known(found.sorted())
    }
}
