public import FootingSystem

/// What `footing prove` tried, measured and kept: the document `footing.proof/1`.
public struct ProofReport: Sendable {
    /// The schema of ``json``.
    public static let schema = "footing.proof/1"

    /// What came of one group.
    public struct Trial: Sendable, Equatable {
        /// Its rules.
        public let rules: [String]
        /// The name of the figure that decided.
        public let figure: String
        /// What was on and off.
        public let steps: [TuningOutcome.Step]
        /// Everything that was measured.
        public let series: [FigureSeries]
        /// What follows.
        public let decision: ProofDecision

        /// The series that decided.
        public var own: FigureSeries? { series.first { $0.figure.name == figure } }
    }

    /// The path that was asked for.
    public let path: String
    /// The profile whose rules were tried, beside the candidates.
    public let profile: String
    /// Pairs for each trial; twice as many for one that seemed to harm something after these.
    public let rounds: Int
    /// How long all of it took.
    public let elapsedNanoseconds: UInt64
    /// When it ended.
    public let unixSeconds: UInt64
    /// In the order in which they were tried.
    public let trials: [Trial]
    /// What was not tried.
    public let skipped: [ProofPlan.Skipped]
    /// What an interrupted apply, proof or rollback had left, and was undone or finished first.
    public let recovery: TuningOutcome
    /// What was kept, and what was left alone.
    public let outcome: TuningOutcome

    /// The document.
    public var json: JSONValue {
        [
            "schema": .string(Self.schema), "path": .string(path), "profile": .string(profile),
            "rounds": .integer(Int64(rounds)), "nanoseconds": JSONValue(elapsedNanoseconds),
            "unixSeconds": JSONValue(unixSeconds), "trials": .array(trials.map(\.json)),
            "skipped": .array(skipped.map(\.json)), "recovery": recovery.json,
            "outcome": outcome.json,
        ]
    }
}

extension ProofReport.Trial {
    fileprivate var json: JSONValue {
        let harmed: [String] = if case .harms(let names) = decision { names } else { [] }
        return [
            "rules": .array(rules.map { .string($0) }), "figure": .string(figure),
            "decision": .string(decision.name), "harmed": .array(harmed.map { .string($0) }),
            "changes": .array(
                steps.map {
                    [
                        "target": .string($0.target), "from": .string($0.from),
                        "to": .string($0.to),
                    ]
                }
            ),
            "figures": .array(series.map(\.json)),
        ]
    }
}

extension FigureSeries {
    fileprivate var json: JSONValue {
        [
            "name": .string(figure.name), "unit": .string(figure.unit.rawValue),
            "better": figure.isHigherBetter ? "higher" : "lower",
            "without": .array(without.map { .number($0) }),
            "with": .array(with.map { .number($0) }), "gain": .number(gain),
            "noise": .number(noise), "threshold": .number(threshold),
            "isBetter": .bool(isBetter), "isWorse": .bool(isWorse),
        ]
    }
}

extension ProofPlan.Skipped {
    /// A member of a document.
    public var json: JSONValue { ["rule": .string(rule), "reason": .string(reason)] }
}

extension ProofPlan.Group {
    /// A member of a document.
    public var json: JSONValue {
        [
            "rules": .array(rules.map { .string($0) }), "figure": .string(figure),
            "changes": .array(
                changes.map {
                    [
                        "target": .string($0.target), "from": .string($0.from),
                        "to": .string($0.to),
                    ]
                }
            ),
        ]
    }
}
