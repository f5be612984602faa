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
    /// The values of what was kept, and of what moved with it.
    private var held: [Held] = []
    /// The same of the trial that is on; nothing while it is off.
    private var on: [Held] = []
    /// Whether the store may have a journal of this run.
    private var hasBegun = false
    /// What was left alone.
    public private(set) var outcome = TuningOutcome()
    /// What was done, before anything else, about what a crash had left behind.
    public let recovery: TuningOutcome

    /// What an attribute has by this run's doing: nobody else may change it meanwhile.
    fileprivate struct Held {
        let owner: TuningJournal.Owner
        let name: String
        let attribute: String
        /// nil where the attribute is not there for now: a scheduler's own, while another is on.
        let value: String?
    }

    /// Begins a run: what a crash left behind is undone first.
    ///
    /// - Parameters:
    ///   - applier: what writes.
    ///   - path: what the plans are for.
    public init(_ applier: TuningApplier, path: String) throws(TuningError) {
        self.applier = applier
        var journal = try applier.load()
        try journal.checkRoom(for: path)
        var found = TuningOutcome()
        try applier.settle(&journal, force: false, &found)
        // What is somebody else's is told once, whoever comes upon it.
        outcome.left = found.left
        found.left = []
        recovery = found
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
        try demandHeld(beside: nil)
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
        try save(journal)
        return trial
    }

    /// Writes the new values, each read back.
    public mutating func turnOn(_ trial: Trial) throws(TuningError) {
        try demandHeld(beside: trial)
        try demand(trial.held { entry, _ in entry.before })
        var written: [TuningApplier.Write] = []
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
            written.append(write)
            // What moved with it has the value that the kernel gave it.
            on = trial.held { entry, group in
                let own = written.first {
                    $0.attribute == entry.attribute && $0.owner == group.owner
                }
                return own?.step.to ?? applier.value(entry.attribute, of: group.owner, group.name)
            }
        }
    }

    /// Writes the old values, until all are there.
    public mutating func turnOff(_ trial: Trial) throws(TuningError) {
        try demandHeld(beside: trial)
        try demand(on)
        do throws(TuningError) {
            try applier.putBack(trial.groups)
        } catch {
            throw end(error, force: true)
        }
        on = []
    }

    /// Keeps a trial that is on.
    public mutating func keep(_ trial: Trial) {
        kept += trial.steps
        held.removeAll { trial.hasAttribute($0.attribute, of: $0.owner) }
        held += on
        on = []
    }

    /// Forgets a trial that is off.
    public mutating func drop(_ trial: Trial) throws(TuningError) {
        journal.pending = trial.pending
        tried.removeLast(tried.count - trial.triedBefore)
        try save(journal)
    }

    /// Makes what was kept what is applied.
    ///
    /// - Parameters:
    ///   - path: what the plans were for.
    ///   - profile: the plans' profile; where nothing was asked for before, all but its rules is
    ///     asked for at the machine's next start.
    ///   - kept: the rules that are asked for then, beside those of an earlier apply or proof.
    ///   - dropped: those that are not asked for any more.
    public mutating func finish(
        path: String,
        profile: TuningProfile,
        kept: [String],
        dropped: [String]
    ) throws(TuningError) -> TuningOutcome {
        outcome.steps += self.kept
        var whole = journal
        do throws(TuningError) {
            try applier.observe(&whole)
            whole.complete()
            if let request = try request(path, profile, kept: kept, dropped: dropped) {
                whole.note(request)
            }
        } catch {
            throw end(error, force: false)
        }
        // Once more, after the last look at them: what was noted is what this run made.
        try demandHeld(beside: nil)
        // The store may have it by now, also if that fails; what is undone is what is pending here.
        if whole != journal { try save(whole) }
        return outcome
    }

    /// What is asked for at the machine's next start; nil for nothing new.
    private func request(
        _ path: String,
        _ profile: TuningProfile,
        kept: [String],
        dropped: [String]
    ) throws(TuningError) -> TuningJournal.Request? {
        let earlier = journal.requests.first { $0.path == path }
        if earlier == nil, kept.isEmpty { return nil }
        let base: TuningProfile
        if let earlier {
            base = try applier.profile(of: earlier.profile)
        } else {
            base = profile.without(rules: profile.rules)
        }
        let rest = base.without(rules: dropped)
        let rules = (earlier?.rules ?? []).filter { !dropped.contains($0) }
        let added = kept.filter { !rules.contains($0) && !rest.rules.contains($0) }
        return .init(path: path, profile: rest.text(), rules: rules + added)
    }

    /// Undoes the whole run.
    ///
    /// - Returns: the error with what became of the values.
    public func abandon(_ reason: String) -> TuningError {
        end(TuningError(reason), force: false)
    }

    private func end(_ error: TuningError, force: Bool) -> TuningError {
        if !hasBegun { return TuningError("\(error); everything is as it was before") }
        let pending = force ? journal.pending : expected()
        return applier.abandon(error, tried, pending, previous, force: force)
    }

    /// What is pending, each with the value that it has now unless somebody else has changed it.
    private func expected() -> [TuningJournal.Group] {
        var groups = journal.pending
        for group in groups.indices {
            let owner = groups[group].owner
            for index in groups[group].entries.indices {
                let entry = groups[group].entries[index]
                let known = (on + held).first {
                    $0.owner == owner && $0.attribute == entry.attribute
                }
                groups[group].entries[index].after = known.map(\.value) ?? entry.before
            }
        }
        return groups
    }

    private mutating func save(_ journal: TuningJournal) throws(TuningError) {
        hasBegun = true
        do throws(TuningError) {
            try applier.save(journal)
        } catch {
            throw end(error, force: false)
        }
    }

    private mutating func note(_ write: TuningApplier.Write) {
        let isKnown = tried.contains {
            $0.owner == write.owner && $0.attribute == write.attribute
        }
        if !isKnown { tried.append(write) }
    }

    /// Makes sure that what was kept is as this run left it.
    ///
    /// - Parameter trial: what is on and off now, and looked at by itself.
    private func demandHeld(beside trial: Trial?) throws(TuningError) {
        try demand(held.filter { trial?.hasAttribute($0.attribute, of: $0.owner) != true })
    }

    /// Makes sure that attributes have the values that this run gave them; else it ends.
    private func demand(_ all: [Held]) throws(TuningError) {
        for one in all {
            guard applier.isStill(one.owner, one.name) else {
                throw abandon("\(one.name) is gone, or another disk has its name")
            }
            let found = applier.value(one.attribute, of: one.owner, one.name)
            if found == one.value { continue }
            throw abandon(
                "somebody made \(one.name) \(one.attribute) \(found ?? "unreadable") during the "
                    + "measurement, it was \(one.value ?? "unreadable")"
            )
        }
    }
}

extension TuningRun.Trial {
    /// Its attributes, each with a value.
    fileprivate func held(
        _ value: (TuningJournal.Entry, TuningJournal.Group) -> String?
    ) -> [TuningRun.Held] {
        groups.flatMap { group in
            group.entries.map { entry in
                .init(
                    owner: group.owner,
                    name: group.name,
                    attribute: entry.attribute,
                    value: value(entry, group)
                )
            }
        }
    }

    /// Whether it writes or moves an attribute.
    fileprivate func hasAttribute(_ attribute: String, of owner: TuningJournal.Owner) -> Bool {
        groups.contains { group in
            group.owner == owner && group.entries.contains { $0.attribute == attribute }
        }
    }
}
