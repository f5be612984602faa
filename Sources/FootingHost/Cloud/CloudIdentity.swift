internal import FootingSystem

/// The cloud a machine belongs to, found without one packet; then perhaps what its metadata server
/// says of it.
public struct CloudIdentity: Sendable {
    /// The provider; `none` off the clouds.
    ///
    /// Absent where DMI is missing and nothing else names
    /// one, and where DMI's maker sells hardware too and nothing tells which this is.
    public private(set) var provider: Fact<String>
    /// Whose cloud it is, where the provider's software is sold under another name.
    public private(set) var brand: Fact<String>
    /// What was seen, that which decided first.
    public private(set) var evidence: [Evidence]
    /// What came of asking the metadata server; absent where it was not asked.
    public private(set) var metadata: Fact<CloudMetadata> = .absent("nobody wanted it asked")

    /// Whether DMI names the provider: only its word sends a packet without the operator's.
    private let isNamedByDMI: Bool

    init(root: HostRoot, dmi: DMI, virtualization: HypervisorInfo) {
        let lines = Self.fitting(dmi, virtualization)
        if let line = lines.first {
            provider = .known(line.provider)
            brand = line.brand.map { .known($0) } ?? .absent("sold under the provider's name")
            evidence = Self.evidence(lines, dmi)
            isNamedByDMI = true
            return
        }
        brand = .absent("no cloud was found, or no brand of it")
        var found = CloudTrace.all(root, dmi, virtualization)
        if let uuid = EC2UUID.find(root, dmi, virtualization) {
            let provider = uuid.isEC2 ? "aws" : nil
            found.insert(CloudTrace.Sign(provider: provider, evidence: uuid.evidence), at: 0)
        }
        // What decides stands first, what names no provider last.
        let deciding = found.firstIndex { $0.provider != nil }
        if let deciding { found.insert(found.remove(at: deciding), at: 0) }
        evidence = found.map { $0.evidence }
        let isSerial = evidence.first?.source.hasSuffix("/product_serial") == true
        isNamedByDMI = deciding != nil && isSerial
        if let name = found.first?.provider {
            provider = .known(name)
            return
        }
        // What hardware has too leaves it open where nothing tells whether this is hardware.
        if virtualization.isVirtualMachine.value == nil,
            let line = CloudVendor.table.first(where: { $0.fits(dmi, isVirtualMachine: true) })
        {
            let says = "\(line.provider) or its maker's hardware, and nothing tells which"
            let value = dmi[line.field] ?? ""
            evidence.insert(
                Evidence(source: dmi.source(line.field), value: value, says: says),
                at: 0
            )
            provider = .absent("\(line.field.rawValue) \"\(value)\": \(says)")
            return
        }
        // Boards with a device tree are no cloud's; clouds' machines have DMI or are virtual.
        let isBare = virtualization.isVirtualMachine.value == false
        provider =
            dmi.folder != nil || isBare
            ? .known("none") : .absent("no DMI to name a cloud")
    }

    /// The lines of every sign that is there, that which decides first.
    private static func fitting(_ dmi: DMI, _ virtualization: HypervisorInfo) -> [CloudVendor] {
        guard dmi.folder != nil else { return [] }
        let isGuest = virtualization.isVirtualMachine.value == true
        return CloudVendor.table.filter { $0.fits(dmi, isVirtualMachine: isGuest) }
    }

    /// What was seen; a sign of another provider is told as such.
    private static func evidence(_ lines: [CloudVendor], _ dmi: DMI) -> [Evidence] {
        lines.map { line in
            let isSame = line.provider == lines[0].provider
            return Evidence(
                source: dmi.source(line.field),
                value: dmi[line.field] ?? "",
                says: isSame
                    ? CloudVendor.says(line.provider)
                    : "a sign of \(line.provider) too, which the one above outweighs"
            )
        }
    }

    /// Asks the metadata server, if the policy allows it; only of the running machine.
    mutating func ask(_ policy: MetadataPolicy, isLive: Bool) {
        let name = provider.value.flatMap { $0 == "none" ? nil : $0 }
        guard isLive else {
            metadata = .absent("a recorded machine's metadata server is not asked")
            return
        }
        if policy == .forbidden {
            metadata = .absent("not one packet was allowed")
        } else if let name, isNamedByDMI {
            guard let service = MetadataService.of(name) else {
                metadata = .absent("no literal address of \(name)'s metadata server is known")
                return
            }
            metadata = .known(MetadataProbe().ask(service))
        } else if policy == .probe {
            // What other evidence names is tried first.
            let candidates = MetadataService.candidates
            let first = candidates.filter { $0.provider == name }
            metadata = .known(
                MetadataProbe().ask(first + candidates.filter { $0.provider != name })
            )
        } else {
            metadata = .absent("DMI names no cloud, so not one packet was sent")
        }
        learn()
    }

    /// A proof names the provider where DMI does not: it is stronger than any other sign.
    private mutating func learn() {
        guard let metadata = metadata.value, metadata.outcome == .proven,
            let proven = metadata.provider.value, let proof = metadata.evidence.last
        else { return }
        if !isNamedByDMI {
            provider = .known(proven)
            evidence.insert(proof, at: 0)
        } else {
            evidence.append(proof)
        }
    }
}
