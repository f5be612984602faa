public import FootingSystem

/// Merges every source into one answer about virtualization.
///
/// The sources contradict each other on real machines; what was not believed is a ``Conflict``. The
/// order, and why:
/// 1. User Mode Linux: it executes the host's CPUID.
/// 2. `/sys/hypervisor` and xenfs: the kernel talks to this hypervisor, while a Xen PV guest under
///    another hypervisor still sees the outer one's CPUID.
/// 3. CPUID, where it gives the privileges of a host (Hyper-V's root partition, ACRN's service
///    machine): these have the physical machine's DMI.
/// 4. DMI of those makers that offer another's CPUID interface, and of clouds whose instances exist
///    without a hypervisor.
/// 5. CPUID, if leaf 1 has the hypervisor bit. Hyper-V's signature and an unknown one are held
///    back: KVM, VMware and VirtualBox offer Hyper-V's interface.
/// 6. The other DMI makers.
/// 7. Device tree, `/proc/sysinfo`, POWER, SPARC and Itanium files: one architecture each.
/// 8. PCI devices, buses and clocks that only one hypervisor has: second-hand, as they tell what is
///    emulated or what the kernel found.
/// 9. What was held back; then SMBIOS' bit for virtual machines.
public struct HypervisorDetector {
    /// An answer that one source gives.
    struct Claim {
        var kind: HypervisorKind
        var isVirtualMachine: Bool
        var evidence: Evidence
    }

    let root: HostRoot
    let processor: CPUIDFacts
    let dmi: DMI
    let processorText: String?
    let tree: DeviceTree?
    let pci: [PCIDevice]
    var evidence: [Evidence] = []
    var conflicts: [Conflict] = []
    var product: String?
    var xen: XenFacts?
    var mainframe: Mainframe?
    private var layers: [VirtualizationLayer] = []

    /// Looks at one machine on its own; ``HardwareProbe`` shares what it reads with the others.
    public static func detect(root: HostRoot) -> HypervisorInfo {
        detect(root: root, cpuid: root.cpuidSource())
    }

    /// Looks at one machine with a CPUID source that stands for the root's own.
    public static func detect(root: HostRoot, cpuid: any CPUIDSource) -> HypervisorInfo {
        let processor = CPUIDFacts(cpuid)
        var detector = HypervisorDetector(
            root: root,
            processor: processor,
            dmi: DMI(root),
            processorText: PlatformHypervisor.processorText(root, processor),
            tree: DeviceTree(root),
            pci: PCIDevice.all(root)
        )
        return detector.detect()
    }

    init(
        root: HostRoot,
        processor: CPUIDFacts,
        dmi: DMI,
        processorText: String?,
        tree: DeviceTree?,
        pci: [PCIDevice]
    ) {
        self.root = root
        self.processor = processor
        self.dmi = dmi
        self.processorText = processorText
        self.tree = tree
        self.pci = pci
    }

    mutating func detect() -> HypervisorInfo {
        let container = ContainerDetector(root)
        if container.name != "none" {
            let source = container.evidence.first?.source ?? ""
            layers.append(.init(kind: .container, name: container.name, source: source))
        }
        noteProcessor()
        let matches = DMIVendor.matches(dmi)
        let claim = decide(matches)
        if let claim, claim.isVirtualMachine {
            layers.append(
                .init(
                    kind: .virtualMachine,
                    name: claim.kind.rawValue,
                    source: claim.evidence.source
                )
            )
        }
        noteOtherLayers(claim)
        if product == nil, claim?.kind == .kvm, dmi.folder == nil,
            let found = PlatformHypervisor.firmwareProduct(root)
        {
            product = found.product
            evidence.append(found.evidence)
        }
        let isHost = noteHostSide(claim)
        if let claim { noteConflicts(claim, matches) }
        conflicts += container.conflicts
        return info(claim, container, isHost: isHost)
    }

    private func info(
        _ claim: Claim?,
        _ container: ContainerDetector,
        isHost: Bool
    ) -> HypervisorInfo {
        let silence = "neither CPUID, DMI, a device tree, /proc/cpuinfo nor /sys/hypervisor tells"
        let isGuest = claim?.isVirtualMachine == true
        return HypervisorInfo(
            hypervisor: claim.map { .known($0.kind) } ?? .absent(silence),
            isVirtualMachine: claim.map { .known($0.isVirtualMachine) } ?? .absent(silence),
            role: isGuest ? .guest : isHost ? .host : .none,
            product: product.map { .known($0) } ?? .absent("no source names a product"),
            version: version(claim?.kind).map { .known($0) }
                ?? .absent("this hypervisor does not tell its own"),
            xenMode: xenMode(claim),
            container: container.name,
            isTrustDomain: processor.isTrustDomain,
            layers: layers,
            evidence: container.evidence + evidence,
            conflicts: conflicts
        )
    }

    /// The decided hypervisor's version, where its platform tells one; never another's, such as
    /// that of an interface it offers.
    private func version(_ kind: HypervisorKind?) -> String? {
        guard let kind else { return nil }
        switch kind {
        case .xen:
            let fromDMI = dmi[.biosVendor] == "Xen" ? dmi[.biosVersion] : nil
            return xen?.version ?? processor.versions[.xen] ?? tree?.xenVersion(root) ?? fromDMI
        case .hyperv: return processor.versions[.hyperv]
        case .zvm: return mainframe?.version
        case .parallels: return dmi[.biosVersion]
        case .virtualbox:
            // Only root may read the texts: `vboxVer_7.0.10`.
            return dmi.makerTexts(root).lazy.compactMap { $0.dropping(prefix: "vboxVer_") }.first
        default: return nil
        }
    }

    private func xenMode(_ claim: Claim?) -> Fact<XenMode> {
        guard claim?.kind == .xen else { return .absent("not on Xen") }
        if let mode = xen?.mode { return .known(mode) }
        // A PV guest has neither DMI nor the flags of what Xen keeps to itself.
        if dmi[.productName] == "HVM domU" || dmi[.systemVendor] == "Xen" { return .known(.hvm) }
        if let flags = processorText?.field("flags") {
            return .known(pieces(flags, separator: " ").contains("pse") ? .hvm : .pv)
        }
        if processorText?.field("arch") == "IA-64" { return .known(.hvm) }
        return .absent("neither /sys/hypervisor nor DMI tells the mode")
    }
}

// MARK: - Layers

extension HypervisorDetector {
    private mutating func noteOtherLayers(_ claim: Claim?) {
        for signature in processor.signatures {
            guard let kind = signature.kind, kind != claim?.kind else { continue }
            // Under Xen another's signature is that of the hypervisor below, but for Hyper-V's,
            // which Xen itself offers to Windows.
            let isOuter = claim?.kind == .xen && kind != .hyperv
            layers.append(
                .init(
                    kind: isOuter ? .outerHypervisor : .enlightenment,
                    name: kind.rawValue,
                    source: signature.source
                )
            )
        }
        for layer in mainframe?.outer ?? [] {
            layers.append(
                .init(kind: .outerHypervisor, name: layer.kind.rawValue, source: layer.source)
            )
        }
    }

    /// Whether this system runs virtual machines itself.
    private mutating func noteHostSide(_ claim: Claim?) -> Bool {
        var isHost = claim?.isVirtualMachine == false && claim?.kind != HypervisorKind.none
        if isHost, let claim {
            layers.append(
                .init(kind: .host, name: claim.kind.rawValue, source: claim.evidence.source)
            )
        }
        for found in HostSide.find(root) {
            isHost = true
            layers.append(.init(kind: .host, name: found.name, source: found.evidence.source))
            evidence.append(found.evidence)
        }
        return isHost
    }
}
