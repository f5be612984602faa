extension HypervisorDetector {
    /// Hypervisors whose devices, and so whose DMI and PCI, QEMU or Bochs provide.
    private static let emulatedByQEMU: Set<HypervisorKind> = [
        .qemu, "bochs", .kvm, .xen, "haxm", "nvmm", .hyperv, "apple", .other,
    ]

    /// Whether one source's answer is only less exact than the other's.
    private static func agree(_ seen: HypervisorKind, _ decided: HypervisorKind) -> Bool {
        if seen == decided || seen == .other || decided == .other { return true }
        return (seen == .qemu || seen == "bochs") && emulatedByQEMU.contains(decided)
    }

    /// Compares what was decided with every source that was not asked any more.
    ///
    /// Hyper-V's signature below another's is an interface and no contradiction, as are QEMU's
    /// devices under whatever executes the instructions.
    mutating func noteConflicts(_ claim: Claim, _ matches: [DMIVendor.Match]) {
        if let conflict = xen?.conflict { conflicts.append(conflict) }
        compareMakers(claim, matches)
        compareProcessor(claim)
        if let finding = VirtualPCI.find(pci) {
            compare(claim, finding, reason: "graphics and bridges can be imitated")
        }
        if let finding = tree?.hypervisor(root), finding.kind != .none {
            compare(claim, finding, reason: "\(claim.evidence.source) is asked before the tree")
        }
    }

    private mutating func compare(
        _ claim: Claim,
        _ finding: PlatformHypervisor.Finding,
        reason: String
    ) {
        guard finding.evidence != claim.evidence, !Self.agree(finding.kind, claim.kind) else {
            return
        }
        conflicts.append(
            Conflict(
                about: "hypervisor",
                believed: claim.evidence,
                rejected: finding.evidence,
                reason: reason
            )
        )
    }

    private mutating func compareMakers(_ claim: Claim, _ matches: [DMIVendor.Match]) {
        for (index, match) in matches.enumerated() where match.vendor.trust == .virtualOnly {
            let vendor = match.vendor
            // One maker fills several fields.
            let isRepeated = matches[..<index].contains {
                $0.vendor.trust == .virtualOnly && $0.vendor.kind == vendor.kind
            }
            if isRepeated { continue }
            let source = dmi.source(match.field)
            guard source != claim.evidence.source else { continue }
            // Products that are built on QEMU run without KVM as well.
            if vendor.kind == .kvm, vendor.product != nil, claim.kind == .qemu { continue }
            // One maker's product line decides between Hyper-V and Virtual PC.
            if vendor.kind == .hyperv, claim.kind == .virtualpc { continue }
            let says = "a text of \(vendor.kind)"
            compare(
                claim,
                (vendor.kind, Evidence(source: source, value: match.value, says: says)),
                reason: "DMI can be passed through or set by the user"
            )
        }
    }

    private mutating func compareProcessor(_ claim: Claim) {
        let isXen = claim.kind == .xen
        for signature in processor.signatures {
            guard let kind = signature.kind, kind != .hyperv else { continue }
            let says = "the signature of \(kind)"
            compare(
                claim,
                (kind, Evidence(source: signature.source, value: signature.text, says: says)),
                reason: isXen
                    ? "a Xen PV guest still sees the CPUID of the hypervisor below"
                    : "\(claim.kind) offers the interface of \(kind)"
            )
        }
        // A PV guest executes the processor's own CPUID, which has no such bit.
        guard claim.isVirtualMachine, !isXen, claim.kind != .uml, hypervisorBit == false,
            let bit = bitEvidence
        else { return }
        conflicts.append(
            Conflict(
                about: "virtual machine",
                believed: claim.evidence,
                rejected: bit,
                reason: "a hypervisor can hide its bit; that source exists on virtual machines only"
            )
        )
    }
}
