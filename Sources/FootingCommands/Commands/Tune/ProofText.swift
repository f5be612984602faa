internal import FootingTuning

/// What a proof would try, and what it found, for people.
enum ProofText {
    static func text(_ plan: ProofPlan, _ path: String, _ time: ProofTime) -> String {
        var text = "\(path): "
        if plan.groups.isEmpty {
            text += "nothing to try\n"
        } else {
            let count = ProofPlan.measurements(groups: plan.groups.count, rounds: time.rounds)
            text += "would try \(plan.groups.count) in about "
            text += "\(DurationText.text(time.total(groups: plan.groups.count))) "
            text += "(\(count) measurements), after the scratch file is written\n"
        }
        for group in plan.groups {
            text += "  \(group.rules.joined(separator: ", ")): kept for \(group.figure)\n"
            for change in group.changes {
                text += "    \(change.target): \(change.from) -> \(change.to)\n"
            }
        }
        return text + skipped(plan.skipped)
    }

    private static func skipped(_ skipped: [ProofPlan.Skipped]) -> String {
        skipped.map { "not tried  \($0.rule): \($0.reason)\n" }.joined()
    }

    static func text(_ report: ProofReport) -> String {
        var text = "\(report.path): \(tried(report)), in "
        text += "\(DurationText.text(.nanoseconds(Int64(clamping: report.elapsedNanoseconds))))\n"
        for trial in report.trials { text += "\n" + Self.text(trial) }
        if !report.skipped.isEmpty { text += "\n" + skipped(report.skipped) }
        return text + "\n" + closing(report)
    }

    /// How many rules, and how often each of them.
    static func tried(_ report: ProofReport) -> String {
        let isSome = report.trials.contains { ($0.own?.with.count ?? 0) > report.rounds }
        let more = isSome ? ", twice as many where something seemed to be harmed" : ""
        return "\(report.trials.count) tried, \(report.rounds) pairs each\(more)"
    }

    /// What became of the values: what an earlier run had left is told apart from what was kept.
    static func closing(_ report: ProofReport) -> String {
        let recovery = TuningOutcomeText.text(report.recovery, isTrial: false)
        let isKept = report.trials.contains { $0.decision == .keep }
        var text = recovery.isEmpty ? "" : "Before anything was tried:\n\(recovery)\n"
        text += TuningOutcomeText.text(report.outcome, isTrial: false)
        if isKept { return text + "'footing rollback' undoes what was kept.\n" }
        return text + "Nothing is kept; everything that was tried is as it was before.\n"
    }

    /// `kept`, `undone: no gain beyond the noise`, ...
    static func verdict(_ trial: ProofReport.Trial) -> String {
        switch trial.decision {
        case .keep: "kept"
        case .noGain where trial.own?.isWorse == true: "undone: it is worse"
        case .noGain: "undone: no gain beyond the noise"
        case .harms(let names): "undone: it harms \(names.joined(separator: ", "))"
        }
    }

    private static func text(_ trial: ProofReport.Trial) -> String {
        var text = "\(trial.rules.joined(separator: ", ")): \(verdict(trial))\n"
        for step in trial.steps { text += "  \(step.target): \(step.from) -> \(step.to)\n" }
        var table = TextTable([
            ("", .left), ("off", .right), ("on", .right), ("better by", .right),
            ("has to be", .right),
        ])
        for series in trial.series {
            let mark = series.figure.name == trial.figure ? "* " : "  "
            table.add([
                mark + series.figure.name, middle(series.without, series),
                middle(series.with, series), FigureText.gain(series.gain),
                FigureText.gain(1 + series.threshold),
            ])
        }
        return text + table.text(indentation: 2)
    }

    static func middle(_ values: [Double], _ series: FigureSeries) -> String {
        Statistics.median(values).map { FigureText.text($0, series.figure.unit) } ?? "-"
    }
}
