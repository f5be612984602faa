public import FootingHost

/// What kind of place this is, what holds at the same time, and why.
public struct DeploymentContext: Sendable {
    /// The kinds of place, in the order they are decided.
    public enum Kind: String, Sendable, CaseIterable {
        /// A machine of a public cloud, virtual or not.
        case hyperscaleCloud = "hyperscale-cloud"
        /// No hypervisor, and an NVMe namespace that nothing uses.
        case bareMetalNVMe = "bare-metal-nvme"
        /// A board with little memory and flash.
        case edge
        /// A virtual machine with paravirtual devices or a balloon.
        case hypervisor
        /// A virtual machine without them.
        case hostedVM = "hosted-vm"
        /// The hardware itself.
        case bareMetal = "bare-metal"
    }

    /// Something that holds whatever the kind is.
    public struct Facet: Sendable {
        /// Its name, as `container`.
        public let name: String
        /// Why it holds.
        public let evidence: Evidence
    }

    /// The kind of place.
    public let kind: Kind
    /// Why it is that kind, and why it is none of those decided before.
    public let evidence: [Evidence]
    /// What else holds, by name.
    public let facets: [Facet]

    /// Whether a facet holds.
    public func has(_ facet: String) -> Bool {
        facets.contains { $0.name == facet }
    }

    /// Decides the kind of place from a report: the first kind that holds.
    public static func decide(_ report: HostReport) -> DeploymentContext {
        var evidence: [Evidence] = []
        var kind = Kind.bareMetal
        // The order of the cases is the order of decision; the last one needs no reason.
        for candidate in Kind.allCases {
            guard let answer = holds(candidate, report) else { break }
            evidence.append(answer.evidence)
            if answer.holds {
                kind = candidate
                break
            }
        }
        return DeploymentContext(kind: kind, evidence: evidence, facets: facets(report))
    }

    private static func holds(
        _ kind: Kind,
        _ report: HostReport
    ) -> (holds: Bool, evidence: Evidence)? {
        switch kind {
        case .hyperscaleCloud: cloud(report)
        case .bareMetalNVMe: freeNamespace(report)
        case .edge: edge(report)
        case .hypervisor: paravirtual(report)
        case .hostedVM: virtual(report)
        case .bareMetal: nil
        }
    }

    /// Software that private clouds run too: it names no provider on its own.
    private static let privateCloudSoftware = [
        "openstack", "cloudstack", "smartos", "zstack", "opennebula", "lxd",
    ]

    private static func cloud(_ report: HostReport) -> (holds: Bool, evidence: Evidence) {
        let cloud = report.hardware.cloud
        let provider = cloud.provider.value ?? ""
        let isPrivate = privateCloudSoftware.contains(provider) && cloud.brand.value == nil
        let holds = !provider.isEmpty && provider != "none" && !isPrivate
        let says =
            holds
            ? "a machine of a public cloud"
            : isPrivate ? "software of private clouds too" : "no public cloud was found"
        return (
            holds,
            Evidence(source: cloud.evidence.first?.source ?? "DMI", value: provider, says: says)
        )
    }

    private static func freeNamespace(_ report: HostReport) -> (holds: Bool, evidence: Evidence) {
        let isVirtual = report.hardware.virtualization.isVirtualMachine.value
        let free = report.hardware.block.first { $0.isFree.value == true }
        guard isVirtual == false, let free else {
            let says =
                isVirtual == true
                ? "a virtual machine is not bare metal" : "no NVMe namespace is known to be free"
            return (false, Evidence(source: "sys/block", value: free?.name ?? "", says: says))
        }
        let says =
            "no mount, partition, holder or swap uses it by sysfs and proc/self/mountinfo; "
            + "no known signature is on it"
        return (true, Evidence(source: "sys/block/\(free.name)", value: free.name, says: says))
    }

    private static func edge(_ report: HostReport) -> (holds: Bool, evidence: Evidence) {
        let hardware = report.hardware
        let compatible = hardware.machine.compatible
        if hardware.virtualization.isVirtualMachine.value != true {
            for text in compatible {
                guard EdgeBoards.makers.contains(where: { text.hasPrefix("\($0),") }) else {
                    continue
                }
                let board = hardware.machine.product.value ?? text
                return (
                    true,
                    Evidence(source: "proc/device-tree/compatible", value: text, says: board)
                )
            }
            let disks = hardware.block.filter { !$0.driverChain.isEmpty }
            if !disks.isEmpty, disks.allSatisfy({ $0.interface == "mmc" }) {
                return (
                    true,
                    Evidence(
                        source: "sys/block/\(disks[0].name)",
                        value: disks[0].interface,
                        says: "flash cards are the only disks"
                    )
                )
            }
        }
        let says =
            hardware.virtualization.isVirtualMachine.value == true
            ? "a virtual machine is no board" : "no edge board, and not only flash cards"
        return (
            false,
            Evidence(source: "proc/device-tree", value: compatible.first ?? "", says: says)
        )
    }

    private static func paravirtual(_ report: HostReport) -> (holds: Bool, evidence: Evidence) {
        let hardware = report.hardware
        guard hardware.virtualization.isVirtualMachine.value == true else {
            return (false, virtual(report).evidence)
        }
        if let device = hardware.paravirtual.first {
            return (
                true,
                Evidence(
                    source: "\(device.bus) \(device.name)",
                    value: device.kind,
                    says: "a virtual machine with paravirtual devices"
                )
            )
        }
        if let disk = hardware.block.first(where: \.isParavirtual) {
            return (
                true,
                Evidence(
                    source: "sys/block/\(disk.name)",
                    value: disk.interface,
                    says: "a virtual machine with a paravirtual disk"
                )
            )
        }
        if let balloon = report.memory.balloon.value {
            return (
                true,
                Evidence(
                    source: balloon.source,
                    value: balloon.kind,
                    says: "a virtual machine with a balloon"
                )
            )
        }
        let says = "a virtual machine without paravirtual devices or a balloon"
        return (false, Evidence(source: "sys/bus", value: "", says: says))
    }

    private static func virtual(_ report: HostReport) -> (holds: Bool, evidence: Evidence) {
        let info = report.hardware.virtualization
        let isVirtual = info.isVirtualMachine.value == true
        let name = info.hypervisor.value?.rawValue ?? ""
        let source = info.evidence.last?.source ?? "nothing"
        let says: String =
            switch info.isVirtualMachine {
            case .known(true): "runs on virtual hardware"
            case .known(false): "does not run on virtual hardware"
            case .absent(let reason): reason
            }
        return (isVirtual, Evidence(source: source, value: name, says: says))
    }
}

/// Makers of boards, by the prefix that the device tree gives their names: one line for each.
enum EdgeBoards {
    static let makers = [
        "raspberrypi",
        "rockchip",
        "allwinner",
        "amlogic",
        "nvidia",
        "ti",
        "fsl",
        "nxp",
        "beagle",
        "hardkernel",
        "radxa",
        "pine64",
        "friendlyarm",
        "khadas",
        "libretech",
        "toradex",
        "solidrun",
        "technexion",
        "variscite",
        "phytec",
        "kontron",
        "advantech",
        "siemens",
        "starfive",
        "sifive",
        "xlnx",
        "marvell",
        "mediatek",
        "brcm",
        "st",
        "renesas",
        "altr",
        "bananapi",
        "xunlong",
        "96boards",
        "thundercomm",
        // Makers of processors for boards alone: theirs is the last of a board's names.
        "actions",
        "adi",
        "amcc",
        "aspeed",
        "atmel",
        "canaan",
        "cirrus",
        "ingenic",
        "lantiq",
        "microchip",
        "mscc",
        "nuvoton",
        "qca",
        "ralink",
        "realtek",
        "socionext",
        "spacemit",
        "st-ericsson",
    ]
}
