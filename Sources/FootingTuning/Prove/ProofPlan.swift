/// What `footing prove` would try: rules with a figure that could show what they are for.
public struct ProofPlan: Sendable {
    /// Changes that are tried together.
    public struct Group: Sendable, Equatable {
        /// The rules that ask for them.
        public let rules: [String]
        /// The name of the figure that decides.
        public let figure: String
        /// What would be written, as far as can be seen before anything else is changed.
        public let changes: [Change]
    }

    /// One value.
    public struct Change: Sendable, Equatable {
        /// What it is.
        public let target: String
        /// What is there.
        public let from: String
        /// What would be.
        public let to: String
    }

    /// What is not tried, and why.
    public struct Skipped: Sendable, Equatable {
        /// The rule.
        public let rule: String
        /// Why.
        public let reason: String
    }

    /// What is tried, in this order: what is kept stays while the next is tried.
    public let groups: [Group]
    /// What is not.
    public let skipped: [Skipped]

    /// What somebody asked for.
    public struct Wishes: Sendable {
        /// The only rules to try; nil for all that concern the disk alone.
        public var rules: [String]?
        /// What decides instead of each rule's own figure.
        public var figure: ProofFigure?
        /// Whether all rules are one group.
        public var isTogether = false

        /// None.
        public init() {}
    }

    /// Sorts a plan's changes and candidates.
    public init(_ plan: TuningPlan, _ wishes: Wishes) {
        var groups: [Group] = []
        var skipped: [Skipped] = []
        for change in plan.changes + plan.candidates {
            let rule = change.rule
            if let rules = wishes.rules, !rules.contains(rule) { continue }
            if case .machine = change.target, wishes.rules == nil {
                let reason = "it concerns the whole machine; --rules \(rule) tries it all the same"
                skipped.append(Skipped(rule: rule, reason: reason))
                continue
            }
            if case .container = change.target {
                let reason = "it concerns the disk's own file, and another one is measured"
                skipped.append(Skipped(rule: rule, reason: reason))
                continue
            }
            guard let figure = wishes.figure ?? ProofFigure.purpose(of: rule) else {
                let reason = "nothing that is measured here shows what it is for"
                skipped.append(Skipped(rule: rule, reason: reason))
                continue
            }
            let own = Change(
                target: change.target.text,
                from: change.present ?? "not set",
                to: change.proposed
            )
            if let index = groups.firstIndex(where: { $0.rules.contains(rule) }) {
                groups[index] = groups[index].adding([], [own])
            } else if wishes.isTogether, let first = groups.first {
                groups[0] = first.adding([rule], [own])
            } else {
                groups.append(Group(rules: [rule], figure: figure.rawValue, changes: [own]))
            }
        }
        for change in plan.manual where wishes.rules?.contains(change.rule) ?? true {
            let reason = "\(change.risk == .none ? "it is for a new file" : change.risk.rawValue)"
            skipped.append(Skipped(rule: change.rule, reason: reason))
        }
        let seen = Set(groups.flatMap(\.rules) + skipped.map(\.rule))
        for rule in wishes.rules ?? [] where !seen.contains(rule) {
            skipped.append(Skipped(rule: rule, reason: "it asks for nothing here"))
        }
        self.groups = groups
        // A rule for several disks is named once.
        self.skipped = skipped.enumerated().filter { index, one in
            skipped.firstIndex(of: one) == index
        }.map(\.element)
    }

    /// How often everything is measured for a number of groups.
    public static func measurements(groups: Int, rounds: Int) -> Int { groups * (2 * rounds + 1) }
}

extension ProofPlan.Group {
    fileprivate func adding(_ rules: [String], _ changes: [ProofPlan.Change]) -> Self {
        .init(rules: self.rules + rules, figure: figure, changes: self.changes + changes)
    }
}
