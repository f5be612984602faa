/// Changes that are made and unmade many times before it is decided which of them stay.
///
/// All of it is one pending entry of the journal, durable before anything of it is written: after
/// a crash at any step the next apply, or a rollback, undoes the whole run, whatever was on then.
/// Whoever has a run has the journal's lock.
public struct TuningRun {
    private let applier: TuningApplier
    private var journal: TuningJournal
    /// What was there before this run, once the remains of a crash are undone.
    private let previous: TuningJournal
    /// What was written, or may have been: nothing else is undone.
    private var tried: [TuningApplier.Write] = []
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
        var journal = try applier.load()
        try journal.checkRoom(for: path)
        try applier.settle(&journal, force: false, &outcome)
        self.journal = journal
        previous = journal
    }

    /// Changes that are on or off together.
    public struct Trial {
        let writes: [TuningApplier.Write]
        /// Every attribute that is written, or moves with what is written, with its values.
        let groups: [TuningJournal.Group]
        /// What the journal had before: to be had again if the trial is dropped.
        let pending: [TuningJournal.Group]
        /// How much the run had written before.
        let triedBefore: Int

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
            pending: journal.pending,
            triedBefore: tried.count
        )
        for group in trial.groups { journal.addPending(group) }
        do throws(TuningError) {
            try applier.save(journal)
        } catch {
            throw end(error, force: false)
        }
        return trial
    }

    /// Writes the new values, each read back.
    public mutating func turnOn(_ trial: Trial) throws(TuningError) {
        do throws(TuningError) {
            try demand(trial) { $0.before }
        } catch {
            throw end(error, force: false)
        }
        for write in trial.writes {
            do throws(TuningError) {
                try applier.requireUntouched(write, journal)
            } catch {
                throw end(error, force: false)
            }
            note(write)
            do throws(TuningError) {
                try applier.change(write)
            } catch {
                throw end(error, force: true)
            }
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
        tried.removeLast(tried.count - trial.triedBefore)
        do throws(TuningError) {
            try applier.save(journal)
        } catch {
            throw end(error, force: false)
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
        let pending = journal.pending
        do throws(TuningError) {
            try applier.observe(&journal)
            journal.complete()
            journal.note(.init(path: path, profile: profile.text(), rules: all))
            try applier.save(journal)
        } catch {
            // The store may have the whole journal by now, in which nothing is pending any more.
            journal.pending = pending
            throw end(error, force: false)
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
        if journal == previous { return TuningError("\(error); everything is as it was before") }
        return applier.abandon(error, tried, journal.pending, previous, force: force)
    }

    private mutating func note(_ write: TuningApplier.Write) {
        let isKnown = tried.contains {
            $0.owner == write.owner && $0.attribute == write.attribute
        }
        if !isKnown { tried.append(write) }
    }

    /// Makes sure that every attribute has a value that this run gave it.
    private func demand(
        _ trial: Trial,
        _ value: (TuningJournal.Entry) -> String?
    ) throws(TuningError) {
        for group in trial.groups {
            guard applier.isStill(group.owner, group.name) else {
                throw TuningError("\(group.name) is gone, or another disk has its name")
            }
            for entry in group.entries {
                guard let wanted = value(entry) else { continue }
                let found = applier.value(entry.attribute, of: group.owner, group.name)
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
