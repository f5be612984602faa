/// A libvirt domain made of a KubeVirt manifest.
public struct DomainConversion: Sendable {
    /// The domain's XML, indented, with a line feed at its end.
    public let xml: String
    /// Fields that were left out because that was asked for: unknown ones, and those beyond the
    /// subset.
    public let leftOut: [FieldNote]
    /// Fields that are known to have no effect on a domain, with the reason.
    public let withoutEffect: [FieldNote]
}

/// Converts KubeVirt's manifests to libvirt's domains, as KubeVirt's own launcher would.
public enum DomainConverter {
    /// Converts a VirtualMachineInstance, or the instance that a VirtualMachine would start.
    ///
    /// The defaults of KubeVirt's API server are filled in first. Every field is converted, known
    /// to have no effect, or an error that names it. The same input gives the same text.
    ///
    /// - Parameters:
    ///   - manifest: YAML or JSON with exactly one such object.
    ///   - context: what only a cluster knows, as `docs/kubevirt/convert.md` describes it.
    ///   - bestEffort: leave out what is not converted, and tell it, instead of failing.
    /// - Throws: ``ConversionError``, with the path and place of every field that is wrong.
    public static func convert(
        manifest: [UInt8],
        context: [UInt8]? = nil,
        bestEffort: Bool = false
    ) throws(ConversionError) -> DomainConversion {
        let context =
            try context.map { bytes throws(ConversionError) in
                try ConversionContext(reading: bytes)
            } ?? ConversionContext()
        let document = try object(in: manifest)
        let report = FieldReport()
        var instance = try Instance(document: document, context: context, report: report)
        let left = report.leftOver(without: .known)
        guard bestEffort || left.notConverted.isEmpty else {
            throw .notConverted(left.notConverted)
        }
        try instance.fillDefaults(context)
        let domain = try DomainBuilder(instance, context).domain()
        return DomainConversion(
            xml: try domain.document(),
            leftOut: left.notConverted,
            withoutEffect: left.withoutEffect
        )
    }

    private static func object(in manifest: [UInt8]) throws(ConversionError) -> YAMLNode {
        let documents: [YAMLNode]
        do throws(YAMLError) {
            documents = try YAMLNode.documents(in: manifest)
        } catch {
            throw .malformed(error)
        }
        guard let document = documents.first else {
            throw .objects("the manifest has no object")
        }
        guard documents.count == 1 else {
            throw .objects("the manifest has \(documents.count) objects; give one at a time")
        }
        return document
    }
}
