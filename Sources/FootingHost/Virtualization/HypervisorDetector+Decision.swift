extension HypervisorDetector {
    /// Asks the sources in the order above until one decides; nil if none of them is there.
    mutating func decide(_ matches: [DMIVendor.Match]) -> Claim? {
        if let finding = PlatformHypervisor.userMode(processorText: processorText) {
            return take(finding)
        }
        xen = XenFacts(root)
        if let xen {
            evidence += xen.evidence
            return Claim(
                kind: .xen,
                isVirtualMachine: xen.mode != .dom0,
                evidence: xen.deciding
            )
        }
        if let claim = privilegedClaim() { return claim }
        let vendor = matches.first
        let isFirst = vendor.map { $0.vendor.outranksSignature || $0.vendor.trust == .cloud }
        if let vendor, isFirst == true, let claim = judge(vendor) { return claim }
        if let claim = signatureClaim(vendor?.vendor) { return claim }
        if let vendor, isFirst == false, let claim = judge(vendor) { return claim }
        if let finding = tree?.hypervisor(root) { return accelerated(take(finding)) }
        mainframe = Mainframe(root)
        if let mainframe { return take((mainframe.kind, mainframe.evidence)) }
        if let finding = PlatformHypervisor.partition(
            root,
            processorModel,
            processorText: processorText
        ) {
            return accelerated(take(finding))
        }
        if let finding = VirtualPCI.find(pci) { return take(finding) }
        return heldBack(matches)
    }

    private mutating func take(_ finding: PlatformHypervisor.Finding) -> Claim {
        evidence.append(finding.evidence)
        return Claim(
            kind: finding.kind,
            isVirtualMachine: finding.kind != .none,
            evidence: finding.evidence
        )
    }

    /// QEMU off x86 with KVM's clock is KVM, and on x86 with Hyper-V's interface.
    private mutating func accelerated(_ claim: Claim) -> Claim {
        guard claim.kind == .qemu else { return claim }
        let clock = processor.hypervisorBit == nil ? PlatformHypervisor.sharedClock(root) : nil
        guard let sign = clock ?? microsoftInterface else { return claim }
        product = product ?? "qemu"
        evidence.append(sign)
        return Claim(kind: .kvm, isVirtualMachine: true, evidence: sign)
    }

    /// Hyper-V's interface, which QEMU offers only on KVM, whoever signs for it.
    private var microsoftInterface: Evidence? {
        let signatures = processor.signatures
        let unknown = processor.offersHyperV ? signatures.first { $0.kind == nil } : nil
        return (signatures.first { $0.kind == .hyperv } ?? unknown).map {
            let says = "Hyper-V's interface, which QEMU offers only on KVM"
            return Evidence(source: $0.source, value: $0.text, says: says)
        }
    }

    /// The processor's name on x86.
    private var processorModel: String? { processor.model ?? processorText?.field("model name") }

    /// Whether the processor says that a hypervisor is there; nil if nothing tells.
    var hypervisorBit: Bool? {
        if let bit = processor.hypervisorBit { return bit }
        // x86 kernels show leaf 1's bit as a flag; other architectures have no such line.
        return processorText?.field("flags").map {
            pieces($0, separator: " ").contains("hypervisor")
        }
    }

    /// What the processor says, as evidence, whatever follows from it.
    mutating func noteProcessor() {
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
        if let bit = bitEvidence { evidence.append(bit) }
    }

    /// Leaf 1's bit, or the flag that the kernel shows of it.
    var bitEvidence: Evidence? {
        hypervisorBit.map { bit in
            Evidence(
                source: processor.hypervisorBit == nil ? "proc/cpuinfo" : "cpuid 0x1",
                value: bit ? "hypervisor bit set" : "hypervisor bit clear",
                says: bit ? "a hypervisor is there" : "no hypervisor announces itself"
            )
        }
    }

    /// A system that a hypervisor lets manage the machine: the host, not a virtual machine.
    private mutating func privilegedClaim() -> Claim? {
        let line: (kind: HypervisorKind, evidence: Evidence)
        if processor.isHyperVRoot {
            let says = "the root partition of Hyper-V: the host"
            let value = "CreatePartitions, CpuManagement"
            line = (.hyperv, Evidence(source: "cpuid 0x40000003", value: value, says: says))
        } else if processor.isACRNService {
            let says = "ACRN's service machine, which owns the devices: the host"
            let value = "privileged virtual machine"
            line = (.acrn, Evidence(source: "cpuid 0x40000001", value: value, says: says))
        } else {
            return nil
        }
        evidence.append(line.evidence)
        return Claim(kind: line.kind, isVirtualMachine: false, evidence: line.evidence)
    }

    /// What a maker's name in DMI means on this machine; nil if it means nothing.
    private mutating func judge(_ match: DMIVendor.Match) -> Claim? {
        let vendor = match.vendor
        func seen(_ says: String) -> Evidence {
            Evidence(source: dmi.source(match.field), value: match.value, says: says)
        }
        let bit = hypervisorBit
        switch vendor.trust {
        case .virtualOnly: break
        case .alsoPhysical:
            // A maker of physical machines too: without a hypervisor's word this is one of them.
            let told = bit ?? dmi.virtualMachineBit(root)
            guard told == true else {
                let rest =
                    told == nil
                    ? "nothing tells whether a hypervisor is there"
                    : "no hypervisor announces itself"
                evidence.append(seen("a maker of physical machines too, and \(rest)"))
                return nil
            }
            // Others show their host's DMI: only VirtualBox's own interfaces leave it its name.
            if vendor.outranksSignature, let other = foreignSignature {
                evidence.append(seen("a maker of physical machines too, and \(other) signs"))
                return nil
            }
        case .cloud:
            let told = bit ?? dmi.virtualMachineBit(root)
            if told.map({ !$0 }) ?? Self.isMetalName(dmi[.productName] ?? "") {
                let metal = seen("a cloud's instance without a hypervisor")
                evidence.append(metal)
                return Claim(kind: .none, isVirtualMachine: false, evidence: metal)
            }
        }
        let kind = kind(of: vendor, bit: bit)
        if kind != .xen || vendor.trust != .cloud { product = product ?? vendor.product }
        let says = "a virtual machine of \(kind)"
        let word = seen(bit == false ? "\(says), although the hypervisor bit is clear" : says)
        evidence.append(word)
        return accelerated(Claim(kind: kind, isVirtualMachine: true, evidence: word))
    }

    /// Who signs that is neither VirtualBox nor one whose interface it offers.
    private var foreignSignature: HypervisorKind? {
        let own: Set<HypervisorKind> = [.virtualbox, .kvm, .hyperv]
        return processor.signatures.lazy.compactMap(\.kind).first { !own.contains($0) }
    }

    /// The hypervisor behind a maker's name.
    private func kind(of vendor: DMIVendor, bit: Bool?) -> HypervisorKind {
        // The clouds' and QEMU's DMI say nothing of how instructions are executed; CPUID does.
        let signed = processor.signatures.compactMap(\.kind).first { $0 != .hyperv }
        if vendor.trust == .cloud, let signed { return signed }
        // QEMU offers Hyper-V's interface only on KVM.
        let isSigned = processor.signatures.contains { $0.kind == .hyperv }
        if vendor.kind == .qemu, isSigned || processor.offersHyperV { return .kvm }
        // QEMU's first firmware was that of Bochs, whose own processors have other names.
        if vendor.kind == "bochs", PlatformHypervisor.isEmulators(processorModel ?? "") {
            return .qemu
        }
        // Virtual PC has the same texts as Hyper-V, which always sets the bit on x86.
        if vendor.kind == .hyperv, bit == false { return .virtualpc }
        return vendor.kind
    }

    /// EC2 names its instances without a hypervisor `m5.metal`, `c5.metal-48xl`.
    private static func isMetalName(_ name: String) -> Bool {
        guard let dot = name.utf8.lastIndex(of: UInt8(ascii: ".")) else { return false }
        let size = name[dot...]
        return size == ".metal" || size.hasPrefix(".metal-")
    }

    private mutating func signatureClaim(_ vendor: DMIVendor?) -> Claim? {
        let first = processor.signatures.first { $0.kind.map { $0 != .hyperv } ?? false }
        guard let first, let kind = first.kind else {
            guard let emulator = processor.emulator, emulator != .other else { return nil }
            let value = processor.vendor ?? ""
            let says = "a processor that only an emulator has"
            return take((emulator, Evidence(source: "cpuid 0x0", value: value, says: says)))
        }
        if kind == .kvm || vendor?.kind == kind { product = vendor?.product }
        let says = "the signature of \(kind)"
        return Claim(
            kind: kind,
            isVirtualMachine: true,
            evidence: Evidence(source: first.source, value: first.text, says: says)
        )
    }

    /// Hyper-V if its was the only signature, an unknown hypervisor if there is a bit and no name,
    /// no hypervisor if something could have told of one.
    private mutating func heldBack(_ matches: [DMIVendor.Match]) -> Claim? {
        if let signature = processor.signatures.first(where: { $0.kind == .hyperv }) {
            return Claim(
                kind: .hyperv,
                isVirtualMachine: true,
                evidence: Evidence(
                    source: signature.source,
                    value: signature.text,
                    says: "the signature of hyperv, and nobody else's"
                )
            )
        }
        let bit = hypervisorBit
        // A Xen PV guest executes the processor's own CPUID, without a bit, and has the bus.
        if let finding = PlatformHypervisor.bus(root) { return take(finding) }
        if bit != false,
            let finding = PlatformHypervisor.clock(root)
                ?? PlatformHypervisor.traces(root, hasCPUID: processor.hypervisorBit != nil)
        {
            return take(finding)
        }
        if let bit, let word = bitEvidence {
            return Claim(kind: bit ? .other : .none, isVirtualMachine: bit, evidence: word)
        }
        if dmi.virtualMachineBit(root) == true {
            let says = "the firmware says that this is a virtual machine, and nothing says whose"
            return take((.other, Evidence(source: "SMBIOS type 0", value: "bit 4", says: says)))
        }
        guard let source = tellingSource(matches) else { return nil }
        let says = "would name a hypervisor, and does not"
        return Claim(
            kind: .none,
            isVirtualMachine: false,
            evidence: Evidence(source: source, value: "", says: says)
        )
    }

    /// What would have named a hypervisor, were there one; nil if nothing there can tell.
    private func tellingSource(_ matches: [DMIVendor.Match]) -> String? {
        if let folder = dmi.folder, makerTells(matches) { return folder }
        if isPartitionable { return nil }
        if let tree, tree.model != nil || !tree.compatible.isEmpty { return tree.folder }
        return processorTextTells ? "proc/cpuinfo" : nil
    }

    /// Whether this is a platform that firmware divides: POWER's pSeries and SPARC's sun4v look
    /// the same in a partition, a guest and as the whole machine.
    ///
    /// A device tree names a pSeries by its type, as `IBM,8286-42A`; IBM's boards have other names.
    private var isPartitionable: Bool {
        if processorText?.field("platform") == "pSeries" { return true }
        if processorText?.field("type") == "sun4v" { return true }
        return (tree?.compatible ?? []).contains { text in
            let digit = text.dropping(prefix: "IBM,")?.utf8.first
            return text == "sun4v" || digit.map { (48..<58).contains($0) } == true
        }
    }

    /// Whether DMI names a machine that only hardware can be.
    ///
    /// A maker of both leaves it open unless the processor or the firmware says which.
    private func makerTells(_ matches: [DMIVendor.Match]) -> Bool {
        // Makers of boards leave the rest to those who build systems of them.
        let named: [DMI.Field] = [.productName, .systemVendor, .boardVendor]
        guard named.contains(where: { dmi[$0] != nil }) else { return false }
        if hypervisorBit != nil || dmi.virtualMachineBit(root) != nil { return true }
        // A recording without the system's fields may be that of a virtual machine on any board.
        let system: [DMI.Field] = [.productName, .systemVendor]
        guard
            system.contains(where: { dmi[$0] != nil })
                || system.allSatisfy({ dmi.isBlank($0, root) })
        else { return false }
        // A cloud's name alone does not tell its virtual machines from its physical ones.
        if CloudVendor.table.contains(where: { $0.fits(dmi, isVirtualMachine: true) }) {
            return false
        }
        return !matches.contains { $0.vendor.trust == .alsoPhysical }
    }

    /// Whether `/proc/cpuinfo` would name a hypervisor on this architecture, were there one.
    ///
    /// On POWER and SPARC it names the machine. On x86 the flags do, and without them nothing does;
    /// on Arm and RISC-V it tells of the processor only, virtual or not.
    private var processorTextTells: Bool {
        guard let processorText else { return false }
        // Only POWER's text has the first line, and only SPARC's such a second one; a recording
        // may not tell the architecture.
        if processorText.field("platform") != nil { return true }
        if processorText.field("type")?.hasPrefix("sun4") == true { return true }
        let machine = root.systemName().value?.machine ?? ""
        return machine.hasPrefix("ppc") || machine.hasPrefix("sparc")
    }
}
