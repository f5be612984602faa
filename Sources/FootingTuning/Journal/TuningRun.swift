/// Changes that are made and unmade many times before it is decided which of them stay.
///
/// All of it is one pending entry of the journal, durable before anything of it is written: after
/// a crash at any step the next apply, or a rollback, undoes the whole run, whatever was on then.
/// Whoever has a run has the journal's lock.
public struct TuningRun {
    private let applier: TuningApplier
    private var journal: TuningJournal
    /// What was kept, in order.
    private var kept: [TuningOutcome.Step] = []
    /// What was left alone, and what a crash had left behind.
    public private(set) var outcome = TuningOutcome()

    /// Begins a run: what a crash left behind is undone first.
    ///
    /// - Parameters:
    ///   - applier: what writes.
    ///   - path: what the plans are for.
    public init(_ applier: TuningApplier, path: String) throws(TuningError) {
        self.applier = applier
        journal = try applier.load()
        try journal.checkRoom(for: path)
        try applier.settle(&journal, force: false, &outcome)
    }

    /// Changes that are on or off together.
    public struct Trial {
        let writes: [TuningApplier.Write]
        /// Every attribute that is written, or moves with what is written, with its values.
        let groups: [TuningJournal.Group]
        /// What the journal had before: to be had again if the trial is dropped.
        let pending: [TuningJournal.Group]

        /// What it writes.
        public var steps: [TuningOutcome.Step] { writes.map(\.step) }
    }

    /// Notes changes in the journal, durably, and writes nothing else.
    ///
    /// - Returns: nil if all of them are there already, or belong to somebody else.
    public mutating func begin(_ changes: [TuningChange]) throws(TuningError) -> Trial? {
        // What an earlier trial of this run has changed is as much ours as what was applied before.
        var known = journal
        known.complete()
        let writes = applier.choose(changes, known, force: false, &outcome)
        if writes.isEmpty { return nil }
        let trial = Trial(
            writes: writes,
            groups: applier.groups(writes),
            pending: journal.pending
        )
        for group in trial.groups { journal.addPending(group) }
        do throws(TuningError) {
            try applier.save(journal)
        } catch {
            throw end(error, force: true)
        }
        return trial
    }

    /// Writes the new values, each read back.
    public func turnOn(_ trial: Trial) throws(TuningError) {
        do throws(TuningError) {
            try demand(trial) { $0.before }
        } catch {
            throw end(error, force: false)
        }
        do throws(TuningError) {
            for write in trial.writes { try applier.change(write) }
        } catch {
            throw end(error, force: true)
        }
    }

    /// Writes the old values, until all are there.
    public func turnOff(_ trial: Trial) throws(TuningError) {
        do throws(TuningError) {
            // What only moves with others is whatever the kernel made of it.
            try demand(trial) { $0.wanted }
        } catch {
            throw end(error, force: false)
        }
        do throws(TuningError) {
            try applier.putBack(trial.groups)
        } catch {
            throw end(error, force: true)
        }
    }

    /// Keeps a trial that is on.
    public mutating func keep(_ trial: Trial) {
        kept += trial.steps
    }

    /// Forgets a trial that is off.
    public mutating func drop(_ trial: Trial) throws(TuningError) {
        journal.pending = trial.pending
        do throws(TuningError) {
            try applier.save(journal)
        } catch {
            throw end(error, force: true)
        }
    }

    /// Makes what was kept what is applied.
    ///
    /// - Parameters:
    ///   - path: what the plans were for.
    ///   - profile: what is asked for again at the machine's next start.
    ///   - rules: and which rules besides.
    public mutating func finish(
        path: String,
        profile: TuningProfile,
        rules: [String]
    ) throws(TuningError) -> TuningOutcome {
        outcome.steps += kept
        if journal.pending.isEmpty { return outcome }
        // Rules of an earlier apply stay what they were.
        let earlier = journal.requests.first { $0.path == path }?.rules ?? []
        let all = earlier + rules.filter { !earlier.contains($0) }
        do throws(TuningError) {
            try applier.observe(&journal)
            journal.complete()
            journal.note(.init(path: path, profile: profile.text(), rules: all))
            try applier.save(journal)
        } catch {
            throw end(error, force: true)
        }
        return outcome
    }

    /// Undoes the whole run.
    ///
    /// - Returns: the error with what became of the values.
    public func abandon(_ reason: String) -> TuningError {
        end(TuningError(reason), force: false)
    }

    private func end(_ error: TuningError, force: Bool) -> TuningError {
        applier.abandon(error, force: force)
    }

    /// Whether every attribute has a value that this run gave it.
    private func demand(
        _ trial: Trial,
        _ value: (TuningJournal.Entry) -> String?
    ) throws(TuningError) {
        for group in trial.groups {
            for entry in group.entries {
                guard let wanted = value(entry) else { continue }
                let found = applier.value(entry.attribute, of: group.disk, group.name)
                if found == wanted { continue }
                let what = "\(group.name) \(entry.attribute)"
                throw TuningError(
                    "somebody made \(what) \(found ?? "unreadable") during the measurement, "
                        + "it was \(wanted)"
                )
            }
        }
    }
}
