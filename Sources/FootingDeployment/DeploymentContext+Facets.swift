internal import FootingHost

extension DeploymentContext {
    /// Everything that holds beside the kind, by name.
    static func facets(_ report: HostReport) -> [Facet] {
        let all = pathFacets(report) + virtualizationFacets(report) + hardwareFacets(report)
        return all.sorted { $0.name < $1.name }
    }

    private static func facet(
        _ name: String,
        _ source: String,
        _ value: String,
        _ says: String
    ) -> Facet {
        Facet(name: name, evidence: Evidence(source: source, value: value, says: says))
    }

    private static func pathFacets(_ report: HostReport) -> [Facet] {
        guard let path = report.path, let type = path.type.value else { return [] }
        let source = "proc/self/mountinfo"
        let name: String? =
            switch path.kind {
            case .journaling: "file-disk-on-journaling-fs"
            case .copyOnWrite: "file-disk-on-copy-on-write-fs"
            case .volatile: "file-disk-in-memory"
            case .network: "file-disk-on-network-fs"
            case .other: nil
            }
        return name.map { [facet($0, source, type, "the file system under \(path.path)")] } ?? []
    }

    private static func virtualizationFacets(_ report: HostReport) -> [Facet] {
        let info = report.hardware.virtualization
        var facets: [Facet] = []
        if info.container != "none" {
            let source = info.layers.first?.source ?? ""
            facets.append(
                facet("container", source, info.container, "processes apart on a shared kernel")
            )
        }
        if let provider = report.hardware.cloud.provider.value, provider != "none" {
            let source = report.hardware.cloud.evidence.first?.source ?? "DMI"
            facets.append(facet("cloud", source, provider, "a cloud's machine"))
        }
        if let host = info.layers.first(where: { $0.kind == .host }) {
            let isGuest = info.isVirtualMachine.value == true
            facets.append(
                facet(
                    isGuest ? "nested-virtualization" : "hypervisor-host",
                    host.source,
                    host.name,
                    "can run virtual machines"
                )
            )
        }
        if info.isVirtualMachine.value == true {
            let item = info.layers.first { $0.kind == .virtualMachine }
            facets.append(
                facet(
                    "virtual-machine",
                    item?.source ?? "virtualization",
                    item?.name ?? "",
                    "hardware that can be moved, copied and paused"
                )
            )
        }
        if info.isTrustDomain {
            facets.append(facet("confidential", "cpuid 0x21", "tdx", "memory the host cannot read"))
        }
        return facets
    }

    private static func hardwareFacets(_ report: HostReport) -> [Facet] {
        var facets: [Facet] = []
        if let balloon = report.memory.balloon.value {
            facets.append(
                facet("balloon", balloon.source, balloon.kind, "memory can be asked back")
            )
        }
        if report.numa.nodes.count > 1 {
            let count = String(report.numa.nodes.count)
            facets.append(
                facet("numa", "sys/devices/system/node", count, "memory is nearer or farther")
            )
        }
        if let limit = report.memory.limitBytes.value {
            let says = "a control group limits memory"
            facets.append(facet("memory-limit", "proc/self/cgroup", String(limit), says))
        }
        if let disk = report.hardware.block.first(where: { $0.interface == "mmc" }) {
            facets.append(
                facet("flash-card", "sys/block/\(disk.name)", disk.name, "eMMC or SD: wears")
            )
        }
        if let disk = report.hardware.block.first(where: { $0.isFree.value == true }) {
            let says = "an NVMe namespace that nothing uses, without a known signature"
            facets.append(facet("free-nvme", "sys/block/\(disk.name)", disk.name, says))
        }
        if let device = report.hardware.paravirtual.first {
            let source = "\(device.bus) \(device.name)"
            let says = "devices by agreement with a hypervisor or a cloud"
            facets.append(facet("paravirtual-devices", source, device.kind, says))
        }
        if let disk = report.hardware.block.first(where: \.isParavirtual) {
            facets.append(
                facet(
                    "paravirtual-disk",
                    "sys/block/\(disk.name)",
                    disk.interface,
                    "a disk by agreement with the hypervisor"
                )
            )
        }
        if let total = report.memory.totalBytes.value, total <= 1 << 30 {
            facets.append(facet("small-memory", "proc/meminfo", String(total), "1 GiB or less"))
        }
        return facets
    }
}
