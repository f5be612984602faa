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

    /// The same place with another profile.
    public func with(_ profile: DeploymentProfile) -> Detection {
        Detection(report: report, context: context, profile: profile)
    }

    private init(report: HostReport, context: DeploymentContext, profile: DeploymentProfile) {
        self.report = report
        self.context = context
        self.profile = profile
    }

    /// The text of the document `footing.host/1`, with a line feed at its end.
    public func text() -> String {
        report.text { report in
            report.object("environment") { report in
                report.string("kind", context.kind.rawValue)
                report.strings("facets", context.facets.map { $0.name })
                report.evidence("evidence", context.evidence + context.facets.map { $0.evidence })
            }
            report.object("profile") { report in
                report.string("name", profile.name)
                report.list("values", profile.values) { value, report in
                    report.object(as: "") { report in
                        report.string("name", value.name)
                        report.size("value", value.number)
                        report.string("reason", value.reason)
                    }
                }
            }
        }
    }

    /// The document as a tree, to be compared or taken apart; ``text()`` is much faster.
    public func json() -> JSONValue {
        do throws(JSONParseError) {
            return try JSONValue(parsing: Array(text().utf8), bytesMaximum: .max)
        } catch {
            preconditionFailure("the report is no JSON: \(error)")
        }
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
