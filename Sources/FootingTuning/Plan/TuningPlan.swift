public import FootingDeployment
internal import FootingHost
public import FootingSystem

/// What is worth changing on one path, why, and what is better left alone.
public struct TuningPlan: Sendable {
    /// The schema of ``json``.
    public static let schema = "footing.plan/1"

    /// The path that was asked for, as it was resolved.
    public let path: String
    /// The profile that chose the rules.
    public let profile: TuningProfile
    /// Devices from the file system's own down to the disks.
    public let chain: [String]
    /// What `footing apply` would do.
    public let changes: [TuningChange]
    /// What nobody asked for: worth a measurement at most.
    public let candidates: [TuningChange]
    /// What a person has to do: words for the next start, mounts, files still to be made.
    public let manual: [TuningChange]
    /// Why other things stay as they are.
    public let notes: [String]
    /// What is decided for a disk in a file.
    public let hosted: HostedOptimizer
    private let layers: String

    /// Plans for the path that was looked at.
    ///
    /// Nothing is written, and nothing is read that needs rights.
    ///
    /// - Parameters:
    ///   - detection: of the same machine, with a path.
    ///   - root: the machine.
    ///   - profile: what chooses the rules.
    ///   - named: rules that are followed although the profile does not ask for them.
    public init(
        _ detection: Detection,
        root: HostRoot,
        profile: TuningProfile,
        named: [String] = []
    ) {
        let ground = PlanGround(detection, root)
        self.profile = profile
        path = detection.report.path?.path ?? ""
        chain = detection.report.path?.chain ?? []
        let wanted = Set(profile.rules + named)
        var all: [TuningChange] = []
        for rule in TuningRule.all {
            let isChosen = wanted.contains(rule.name)
            for proposal in rule.propose(ground) {
                // Of two rules that want the same thing, the one that somebody asked for counts.
                if let index = all.firstIndex(where: { $0.target == proposal.target }) {
                    guard isChosen, !all[index].isChosen else { continue }
                    all.remove(at: index)
                }
                all.append(TuningChange(rule.name, isChosen: isChosen, proposal))
            }
        }
        changes = all.filter { $0.isChosen && $0.target.isRunTime }
        candidates = all.filter { !$0.isChosen && $0.target.isRunTime }
        manual = all.filter { !$0.target.isRunTime }
        notes = TuningRule.notes(ground)
        hosted = ground.hosted.with(profile)
        layers = Self.layers(ground)
    }

    /// Every rule's name, for those that name one.
    public static var ruleNames: [String] { TuningRule.all.map(\.name) }

    /// Why 'footing apply' changes nothing at all here; nil if it may.
    public var refusal: String? { hosted.refusal.map { "'\(path)': \($0)" } }

    /// `ext4 on vda1, vda (virtio-blk)`.
    private static func layers(_ ground: PlanGround) -> String {
        guard let path = ground.path else { return "" }
        let devices = path.chain.map { name -> String in
            guard let device = ground.devices.first(where: { $0.name == name }) else { return name }
            return "\(name) (\(device.device.interface))"
        }
        let type = path.type.value.map { devices.isEmpty ? $0 : "\($0) on " } ?? ""
        return type + devices.joined(separator: ", ")
    }

    /// The document `footing.plan/1`.
    public var json: JSONValue {
        [
            "schema": .string(Self.schema), "path": .string(path),
            "profile": .string(profile.name), "chain": .array(chain.map { .string($0) }),
            "changes": .array(changes.map(\.json)),
            "candidates": .array(candidates.map(\.json)),
            "manual": .array(manual.map(\.json)), "notes": .array(notes.map { .string($0) }),
            "hosted": .array(hosted.decisions.map(\.json)),
            "refusal": refusal.map { .string($0) } ?? .null,
        ]
    }
}

// MARK: - Text

extension TuningPlan {
    /// The plan for people.
    public func text() -> String {
        var text = "path     \(path)\(layers.isEmpty ? "" : ": \(layers)")\n"
        text += "profile  \(profile.name)\n\n"
        if let refusal { text += "'footing apply' would refuse: \(refusal).\n\n" }
        if changes.isEmpty {
            text += "Nothing to apply.\n"
        } else {
            text += "'footing apply' would change:\n" + changes.map { Self.full($0) }.joined()
        }
        let boot = manual.filter { $0.risk == .needsReboot }
        let chosen = manual.filter(\.isChosen)
        if !chosen.isEmpty {
            text += "\nFor you to change, if you want to:\n"
            text += chosen.map { Self.full($0) }.joined()
        }
        let words = boot.filter(\.isChosen).map { "\($0.target.text)=\($0.proposed)" }
        if !words.isEmpty {
            text += "  on the kernel's command line: \(words.joined(separator: " "))\n"
        }
        if !candidates.isEmpty {
            text += "\nLeft alone: nothing shows that these help here. 'footing prove' measures"
            text += " which do, 'footing apply --rules NAME' takes your word for it:\n"
            text += candidates.map { Self.short($0) }.joined()
        }
        let yours = manual.filter { !$0.isChosen }
        if !yours.isEmpty {
            text += "\nLeft alone as well, and never written by 'footing':\n"
            text += yours.map { Self.short($0) }.joined()
        }
        if !hosted.decisions.isEmpty {
            text += "\nThe file under the disk:\n"
            for decision in hosted.decisions {
                text += "  \(decision.mechanism): \(decision.isOn ? "yes" : "no"), "
                text += "\(decision.reason)\n"
            }
        }
        if !notes.isEmpty { text += "\n" + notes.map { "\($0)\n" }.joined() }
        return text
    }

    private static func values(_ change: TuningChange) -> String {
        "\(change.target.text): \(change.present ?? "not set") -> \(change.proposed)"
    }

    private static func full(_ change: TuningChange) -> String {
        var text = "  \(values(change))\n"
        text += "    rule    \(change.rule)\n    why     \(change.reason)\n"
        for item in change.evidence {
            let value = item.value.isEmpty ? "" : " \"\(item.value)\""
            text += "            \(item.source)\(value): \(item.says)\n"
        }
        text += "    source  \(change.source)\n    effect  \(change.effect)\n"
        text += "    risk    \(change.risk.rawValue)\n    undo    \(change.undo)\n"
        return text
    }

    private static func short(_ change: TuningChange) -> String {
        let risk = change.risk == .none ? "" : " (\(change.risk.rawValue))"
        return "  \(change.rule): \(values(change))\(risk)\n"
    }
}

extension TuningChange {
    init(_ rule: String, isChosen: Bool, _ proposal: TuningRule.Proposal) {
        self.rule = rule
        self.isChosen = isChosen
        target = proposal.target
        present = proposal.present
        proposed = proposal.proposed
        reason = proposal.reason
        evidence = proposal.evidence
        source = proposal.source
        effect = proposal.effect
        risk = proposal.risk
        undo = proposal.undo
    }
}
