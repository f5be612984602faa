internal import FootingKubeVirt

/// Manifests and contexts: libyaml, the values made of it, and the domain made of those.
///
/// What stands behind the first zero byte is the context, and for the hook the KubeVirt resource.
/// The same input must give the same domain, and leaving out what is unknown must not make a domain
/// that cannot be made otherwise.
@c(LLVMFuzzerTestOneInput)
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: data, count: size))
    let parts = bytes.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
    let context = parts.count > 1 ? Array(parts[1]) : nil
    let manifest = Array(parts.first ?? [])
    readAsHook(manifest, context)
    let loose = result(manifest, context, bestEffort: true)
    precondition(loose?.xml == result(manifest, context, bestEffort: true)?.xml, "two domains")
    if let strict = result(manifest, context, bestEffort: false) {
        precondition(strict.xml == loose?.xml, "best effort changes what is complete")
        precondition(strict.leftOut.isEmpty, "left out without being asked to")
    } else {
        precondition(loose == nil || loose?.leftOut.isEmpty == false, "nothing is left out")
    }
    return 0
}

/// What the hook and the preflight read of the same bytes.
private func readAsHook(_ manifest: [UInt8], _ resource: [UInt8]?) {
    let cluster = resource.flatMap { try? ClusterConfiguration(parsing: $0) }
    guard let machine = try? VirtualMachineFacts(parsing: manifest) else { return }
    let findings = Preflight.findings(
        for: machine,
        isAssigned: false,
        defaults: cluster ?? ClusterConfiguration()
    )
    precondition(!findings.contains { $0.text.isEmpty }, "a finding without words")
    _ = TuningRequest.read(machine.annotations)
}

private func result(
    _ manifest: [UInt8],
    _ context: [UInt8]?,
    bestEffort: Bool
) -> DomainConversion? {
    do throws(ConversionError) {
        return try DomainConverter.convert(
            manifest: manifest,
            context: context,
            bestEffort: bestEffort
        )
    } catch {
        precondition(!error.description.isEmpty, "an error without words")
        return nil
    }
}
