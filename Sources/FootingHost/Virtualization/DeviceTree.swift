internal import FootingSystem

/// The flattened device tree, on machines that have one (`/proc/device-tree`).
struct DeviceTree: Sendable {
    let folder: String
    /// The board's name, as in `Raspberry Pi 4 Model B Rev 1.4`.
    let model: String?
    /// What the board is compatible with, the most special first.
    let compatible: [String]
    private let topLevel: [String]

    /// Nil if there is none.
    init?(_ root: HostRoot) {
        // Most machines have none at all, x86 among them; the link is asked before its target.
        let folders = ["proc/device-tree", "sys/firmware/devicetree/base"]
        guard let folder = folders.first(where: { root.exists($0) }),
            let names = try? root.names(folder), !names.isEmpty
        else { return nil }
        self.folder = folder
        topLevel = names
        model = root.fact("\(folder)/model").value
        compatible = Self.strings("\(folder)/compatible", root)
    }

    private static func strings(_ path: String, _ root: HostRoot) -> [String] {
        root.fact(path).value.map { strings(in: $0) } ?? []
    }

    /// A property's texts, each of which ends with a NUL.
    static func strings(in property: String) -> [String] {
        pieces(property, separator: "\0")
    }

    /// What the tree says of a hypervisor; nil if it says nothing.
    func hypervisor(_ root: HostRoot) -> (kind: HypervisorKind, evidence: Evidence)? {
        let node = Self.strings("\(folder)/hypervisor/compatible", root)
        if !node.isEmpty {
            let line = Self.nodes.first { entry in node.contains { $0.holds(entry.text) } }
            return (
                line?.kind ?? .other,
                Evidence(
                    source: "\(folder)/hypervisor/compatible",
                    value: node.joined(separator: " "),
                    says: "the hypervisor describes itself"
                )
            )
        }
        if let partition = logicalPartition(root) { return partition }
        if topLevel.contains(where: { $0.hasPrefix("fw-cfg") }) {
            return (
                .qemu,
                Evidence(
                    source: folder,
                    value: "fw-cfg",
                    says: "QEMU's configuration device; whether KVM accelerates it is not told"
                )
            )
        }
        let line = Self.boards.first { compatible.contains($0.text) }
        return line.map {
            (
                $0.kind,
                Evidence(source: "\(folder)/compatible", value: $0.text, says: $0.says)
            )
        }
    }

    /// PowerVM names a partition; one that is called `full` is the whole machine.
    private func logicalPartition(
        _ root: HostRoot
    ) -> (kind: HypervisorKind, evidence: Evidence)? {
        guard topLevel.contains("ibm,partition-name"), topLevel.contains("hmc-managed?"),
            !root.exists("\(folder)/chosen/qemu,graphic-width")
        else { return nil }
        let name = root.fact("\(folder)/ibm,partition-name").value ?? ""
        return (
            name == "full" ? .none : .powervm,
            Evidence(
                source: "\(folder)/ibm,partition-name",
                value: name,
                says: name == "full"
                    ? "one partition has the whole machine" : "a PowerVM partition"
            )
        )
    }

    /// Contents of `hypervisor/compatible`; anything else is a hypervisor of unknown make.
    private static let nodes: [(text: String, kind: HypervisorKind)] = [
        ("linux,kvm", .kvm),
        ("xen", .xen),
        ("vmware", .vmware),
    ]

    /// Boards that exist only in software, or that are known to be bare.
    private static let boards: [(text: String, kind: HypervisorKind, says: String)] = [
        ("qemu,pseries", .qemu, "QEMU's POWER board; whether KVM accelerates it is not told"),
        ("linux,dummy-virt", .other, "a board that kvmtool, Firecracker, crosvm and others share"),
        ("ibm,powernv", .none, "POWER hardware without a hypervisor"),
    ]
}
