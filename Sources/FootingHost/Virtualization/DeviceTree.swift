internal import FootingSystem

/// The flattened device tree, on machines that have one (`/proc/device-tree`).
struct DeviceTree: Sendable {
    let folder: String
    /// The board's name, as in `Raspberry Pi 4 Model B Rev 1.4`.
    let model: String?
    /// What the board is compatible with, the most special first.
    let compatible: [String]
    private let topLevel: [String]

    private static let folders = ["proc/device-tree", "sys/firmware/devicetree/base"]

    /// Nil if there is none.
    init?(_ root: HostRoot) {
        // Most machines have none at all, x86 among them; the link is asked before its target.
        // A recorded tree may hold either, or a link whose target was left behind.
        let found = Self.folders.lazy.filter { root.exists($0) }
            .compactMap { path in
                (try? root.names(path)).map { (path: path, names: $0) }
            }.first { !$0.names.isEmpty }
        guard let found else { return nil }
        folder = found.path
        topLevel = found.names
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
        for text in compatible {
            guard let line = Self.boards.first(where: { text.hasPrefix($0.prefix) }) else {
                continue
            }
            let source = "\(folder)/compatible"
            return (line.kind, Evidence(source: source, value: text, says: line.says))
        }
        return nil
    }

    /// Xen writes its version into its node: `xen,xen-4.17`.
    func xenVersion(_ root: HostRoot) -> String? {
        Self.strings("\(folder)/hypervisor/compatible", root).lazy
            .compactMap { $0.dropping(prefix: "xen,xen-") }.first
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
    ///
    /// The node is written by the hypervisor itself, so it stands before the boards, which only
    /// tell what is emulated.
    private static let nodes: [(text: String, kind: HypervisorKind)] = [
        ("linux,kvm", .kvm),
        ("xen", .xen),
        ("vmware", .vmware),
        ("microsoft,hyperv", .hyperv),
        ("qnx", "qnx"),
        ("gunyah", "gunyah"),
        ("jailhouse", "jailhouse"),
        ("acrn", .acrn),
    ]

    /// Boards that exist only in software, or that are known to be bare, by the beginning of what
    /// they are compatible with.
    ///
    /// A board is asked after its most special name, so a PowerNV machine that QEMU emulates
    /// (`qemu,powernv9`, then `ibm,powernv`) is QEMU's.
    private static let boards: [(prefix: String, kind: HypervisorKind, says: String)] = [
        ("qemu,", .qemu, "a board of QEMU's; whether KVM accelerates it is not told"),
        ("riscv-virtio", .qemu, "QEMU's RISC-V board; whether KVM accelerates it is not told"),
        (
            "linux,dummy-loongson3", .qemu,
            "QEMU's LoongArch board; whether KVM is there is not told"
        ),
        ("linux,sbsa-ref", .qemu, "QEMU's board for servers on Arm"),
        ("xen,xenvm", .xen, "a board that Xen makes up"),
        ("jailhouse,cell", "jailhouse", "a cell of Jailhouse"),
        ("linux,dummy-virt", .other, "a board that kvmtool, Firecracker, crosvm and others share"),
        ("ibm,powernv", .none, "POWER hardware without a hypervisor"),
    ]
}
