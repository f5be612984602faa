public import FootingSystem

/// Merges every source into one answer about virtualization.
///
/// The sources contradict each other on real machines. The order, and why:
/// 1. User Mode Linux: it executes the host's CPUID.
/// 2. `/sys/hypervisor` and xenfs: the kernel talks to this hypervisor, while a Xen PV guest under
///    another hypervisor still sees the outer one's CPUID.
/// 3. DMI of those makers that offer another's CPUID interface, and of clouds whose instances exist
///    without a hypervisor.
/// 4. CPUID, if leaf 1 has the hypervisor bit. Hyper-V's signature and an unknown one are held
///    back: KVM, VMware and VirtualBox offer Hyper-V's interface.
/// 5. The other DMI makers.
/// 6. Device tree, `/proc/sysinfo`, POWER and SPARC files, devices that only one hypervisor has.
/// 7. What was held back.
public struct HypervisorDetector {
    /// An answer that one source gives.
    private struct Claim {
        var kind: HypervisorKind
        var isVirtualMachine: Bool
    }

    private let root: HostRoot
    private let processor: CPUIDFacts
    private let dmi: DMI
    private let processorText: String?
    private let tree: DeviceTree?
    private let pci: [PCIDevice]
    private var evidence: [Evidence] = []
    private var layers: [VirtualizationLayer] = []
    private var product: String?
    private var xen: XenFacts?

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
        let claim = decide()
        if let claim, claim.isVirtualMachine {
            layers.append(
                .init(
                    kind: .virtualMachine,
                    name: claim.kind.rawValue,
                    source: evidence.last?.source ?? ""
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
        let hosts = noteHostSide(claim)
        return info(claim, container, isHost: hosts)
    }

    private func info(
        _ claim: Claim?,
        _ container: ContainerDetector,
        isHost: Bool
    ) -> HypervisorInfo {
        let silence = "no CPUID, DMI, device tree, /proc/cpuinfo or /sys/hypervisor to tell by"
        let isGuest = claim?.isVirtualMachine == true
        let version = xen?.version ?? processor.version
        return HypervisorInfo(
            hypervisor: claim.map { .known($0.kind) } ?? .absent(silence),
            isVirtualMachine: claim.map { .known($0.isVirtualMachine) } ?? .absent(silence),
            role: isGuest ? .guest : isHost ? .host : .none,
            product: product.map { .known($0) } ?? .absent("no source names a product"),
            version: version.map { .known($0) } ?? .absent("this hypervisor does not tell its own"),
            xenMode: xenMode(claim),
            container: container.name,
            isTrustDomain: processor.isTrustDomain,
            layers: layers,
            evidence: container.evidence + evidence
        )
    }

    private func xenMode(_ claim: Claim?) -> Fact<XenMode> {
        guard claim?.kind == .xen else { return .absent("not on Xen") }
        if let mode = xen?.mode { return .known(mode) }
        if dmi[.productName] == "HVM domU" { return .known(.hvm) }
        return .absent("neither /sys/hypervisor nor DMI tells the mode")
    }
}

// MARK: - Decision

extension HypervisorDetector {
    private mutating func decide() -> Claim? {
        if let finding = PlatformHypervisor.userMode(processorText: processorText) {
            return take(finding)
        }
        xen = XenFacts(root)
        let vendor = DMIVendor.match(dmi)
        if let xen {
            evidence += xen.evidence
            return Claim(kind: .xen, isVirtualMachine: xen.mode != .dom0)
        }
        let isFirst = vendor.map { $0.vendor.outranksSignature || $0.vendor.trust == .cloud }
        if let vendor, isFirst == true, let claim = judge(vendor) { return claim }
        if let claim = signatureClaim(vendor?.vendor) { return claim }
        if let vendor, isFirst == false, let claim = judge(vendor) { return claim }
        if let finding = tree?.hypervisor(root) { return take(finding) }
        if let finding = PlatformHypervisor.mainframe(root) { return take(finding) }
        if let finding = PlatformHypervisor.partition(root, processorText: processorText) {
            return take(finding)
        }
        if let finding = PlatformHypervisor.device(pci) { return take(finding) }
        return heldBack()
    }

    private mutating func take(_ finding: PlatformHypervisor.Finding) -> Claim {
        evidence.append(finding.evidence)
        return Claim(kind: finding.kind, isVirtualMachine: finding.kind != .none)
    }

    /// Whether the processor says that a hypervisor is there; nil if nothing tells.
    private var hypervisorBit: Bool? {
        if let bit = processor.hypervisorBit { return bit }
        // x86 kernels show leaf 1's bit as a flag; other architectures have no such line.
        return processorText?.field("flags").map {
            pieces($0, separator: " ").contains("hypervisor")
        }
    }

    private mutating func noteProcessor() {
        if processor.isHyperVRoot {
            evidence.append(
                Evidence(
                    source: "cpuid 0x40000003",
                    value: "CreatePartitions, CpuManagement",
                    says: "the root partition of Hyper-V: the host"
                )
            )
        }
        for signature in processor.signatures {
            let says =
                signature.kind.map { "the signature of \($0)" }
                ?? (signature.isEmpty ? "a hypervisor that does not sign" : "an unknown signature")
            evidence.append(
                Evidence(source: signature.source, value: signature.text, says: says)
            )
        }
        if processor.isTrustDomain {
            evidence.append(
                Evidence(source: "cpuid 0x21", value: "IntelTDX", says: "an Intel TDX guest")
            )
        }
        guard let bit = hypervisorBit else { return }
        evidence.append(
            Evidence(
                source: processor.hypervisorBit == nil ? "proc/cpuinfo" : "cpuid 0x1",
                value: bit ? "hypervisor bit set" : "hypervisor bit clear",
                says: bit ? "a hypervisor is there" : "no hypervisor announces itself"
            )
        )
    }

    /// What a maker's name in DMI means on this machine; nil if it means nothing.
    private mutating func judge(
        _ match: (vendor: DMIVendor, field: DMI.Field, value: String)
    ) -> Claim? {
        let source = dmi.source(match.field)
        let vendor = match.vendor
        func note(_ says: String) {
            evidence.append(Evidence(source: source, value: match.value, says: says))
        }
        switch vendor.trust {
        case .virtualOnly: break
        case .alsoPhysical:
            // A maker of physical machines too: without a hypervisor's word this is one of them.
            guard hypervisorBit ?? DMI.virtualMachineBit(root) ?? false else {
                note("a maker of physical machines too, and no hypervisor announces itself")
                return nil
            }
        case .cloud:
            let bit = hypervisorBit ?? DMI.virtualMachineBit(root)
            let isMetal = bit.map { !$0 } ?? Self.isMetalName(dmi[.productName] ?? "")
            if isMetal {
                note("a cloud's instance without a hypervisor")
                return Claim(kind: .none, isVirtualMachine: false)
            }
        }
        // The clouds' and QEMU's DMI say nothing of how instructions are executed; CPUID does.
        let signed = processor.signatures.compactMap(\.kind).first { $0 != .hyperv }
        var kind = vendor.kind
        if vendor.trust == .cloud, let signed { kind = signed }
        if kind == .qemu, processor.signatures.contains(where: { $0.kind == .hyperv }) {
            // QEMU offers Hyper-V's interface only on KVM.
            kind = .kvm
        }
        if kind != .xen || vendor.trust != .cloud { product = product ?? vendor.product }
        note(
            hypervisorBit == false
                ? "a virtual machine of \(kind), although the hypervisor bit is clear"
                : "a virtual machine of \(kind)"
        )
        return Claim(kind: kind, isVirtualMachine: true)
    }

    /// EC2 names its instances without a hypervisor `m5.metal`, `c5.metal-48xl`.
    private static func isMetalName(_ name: String) -> Bool {
        guard let dot = name.utf8.lastIndex(of: UInt8(ascii: ".")) else { return false }
        let size = name[dot...]
        return size == ".metal" || size.hasPrefix(".metal-")
    }

    private mutating func signatureClaim(_ vendor: DMIVendor?) -> Claim? {
        if processor.isHyperVRoot { return Claim(kind: .hyperv, isVirtualMachine: false) }
        guard let kind = processor.signatures.compactMap(\.kind).first(where: { $0 != .hyperv })
        else {
            guard let emulator = processor.emulator, emulator != .other else { return nil }
            evidence.append(
                Evidence(
                    source: "cpuid 0x0",
                    value: processor.vendor ?? "",
                    says: "a processor that only an emulator has"
                )
            )
            return Claim(kind: emulator, isVirtualMachine: true)
        }
        if kind == .kvm || vendor?.kind == kind { product = vendor?.product }
        return Claim(kind: kind, isVirtualMachine: true)
    }

    /// Hyper-V if its was the only signature, an unknown hypervisor if there is a bit and no name,
    /// no hypervisor if something could have told of one.
    private func heldBack() -> Claim? {
        if processor.signatures.contains(where: { $0.kind == .hyperv }) {
            return Claim(kind: .hyperv, isVirtualMachine: true)
        }
        if let bit = hypervisorBit {
            return Claim(kind: bit ? .other : .none, isVirtualMachine: bit)
        }
        let couldTell = dmi.folder != nil || tree != nil || processorTextTells
        return couldTell ? Claim(kind: .none, isVirtualMachine: false) : nil
    }
}

extension HypervisorDetector {
    /// Whether `/proc/cpuinfo` would name a hypervisor on this architecture, were there one.
    ///
    /// On POWER and SPARC it names the machine. On x86 the flags do, and without them nothing does;
    /// on Arm and RISC-V it tells of the processor only, virtual or not.
    private var processorTextTells: Bool {
        guard processorText != nil, let machine = root.systemName().value?.machine else {
            return false
        }
        return machine.hasPrefix("ppc") || machine.hasPrefix("sparc")
    }
}

// MARK: - Layers

extension HypervisorDetector {
    private mutating func noteOtherLayers(_ claim: Claim?) {
        for signature in processor.signatures {
            guard let kind = signature.kind, kind != claim?.kind else { continue }
            let isOuter = claim?.kind == .xen
            layers.append(
                .init(
                    kind: isOuter ? .outerHypervisor : .enlightenment,
                    name: kind.rawValue,
                    source: signature.source
                )
            )
        }
    }

    /// Whether this system runs virtual machines itself.
    private mutating func noteHostSide(_ claim: Claim?) -> Bool {
        var isHost = claim?.isVirtualMachine == false && claim?.kind != HypervisorKind.none
        if isHost, let kind = claim?.kind {
            layers.append(
                .init(kind: .host, name: kind.rawValue, source: evidence.first?.source ?? "")
            )
        }
        for (path, name) in [("dev/kvm", "kvm"), ("dev/mshv", "mshv")] where root.exists(path) {
            isHost = true
            layers.append(.init(kind: .host, name: name, source: path))
            evidence.append(
                Evidence(source: path, value: "", says: "virtual machines can be run here")
            )
        }
        return isHost
    }
}
