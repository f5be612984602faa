public import FootingHost
public import FootingSystem

/// Facts, context and profile of one machine: what `footing detect` shows.
public struct Detection: Sendable {
    /// The facts.
    public let report: HostReport
    /// What kind of place it is.
    public let context: DeploymentContext
    /// What the disk engine does there.
    public let profile: DeploymentProfile

    /// Gathers the facts and decides.
    ///
    /// - Parameters:
    ///   - root: the machine.
    ///   - path: where a disk is, or is to be made.
    ///   - metadata: whether a cloud's metadata server may be asked; by default not one packet is
    ///     sent.
    public init(root: HostRoot, path: String? = nil, metadata: MetadataPolicy = .forbidden) {
        self.init(HostReport.gather(root: root, path: path, metadata: metadata))
    }

    /// Decides from a report.
    public init(_ report: HostReport) {
        self.report = report
        context = DeploymentContext.decide(report)
        profile = DeploymentProfile.choose(context: context, report: report)
    }

    /// The document `footing.host/1`.
    public func json() -> JSONValue {
        var members = report.members()
        members["environment"] = [
            "kind": .string(context.kind.rawValue),
            "facets": .array(context.facets.map { .string($0.name) }),
            "evidence": .array((context.evidence + context.facets.map(\.evidence)).map(\.json)),
        ]
        members["profile"] = [
            "name": .string(profile.name),
            "values": .array(
                profile.values.map {
                    [
                        "name": .string($0.name), "value": JSONValue($0.number),
                        "reason": .string($0.reason),
                    ]
                }
            ),
        ]
        return .object(members)
    }

    /// What a person asks for first, on one screen.
    public func summary() -> String {
        let facets = context.facets.map(\.name).joined(separator: ", ")
        let kind = "The kind of place: \(context.kind.rawValue)"
        return report.summary(conclusion: [kind + (facets.isEmpty ? "." : " (\(facets)).")])
    }

    /// Every fact, conclusion and value with what it rests on.
    public func explanation() -> String {
        var text = summary() + "\nDecision\n"
        for item in context.evidence {
            text += "  \(item.source)\(Self.quoted(item.value)): \(item.says)\n"
        }
        text += "  therefore: \(context.kind.rawValue)\n"
        for facet in context.facets {
            let item = facet.evidence
            text += "  \(facet.name): \(item.source)\(Self.quoted(item.value)): \(item.says)\n"
        }
        return text + "\nProfile\n" + profile.text() + "\n" + report.evidenceText()
    }

    private static func quoted(_ value: String) -> String {
        value.isEmpty ? "" : " \"\(value)\""
    }
}
