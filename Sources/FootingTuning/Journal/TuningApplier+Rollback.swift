internal import FootingSystem
internal import Glibc

extension TuningApplier {
    /// Undoes everything that was applied.
    ///
    /// What somebody else has changed since is left alone and stays in the journal; the values of a
    /// disk that is gone went with it.
    ///
    /// - Parameters:
    ///   - force: also undoes what somebody else has changed.
    ///   - isTrial: tells what would be written, and writes nothing.
    public func rollback(force: Bool, isTrial: Bool = false) throws(TuningError) -> TuningOutcome {
        var outcome = TuningOutcome()
        var journal = try load()
        if isTrial {
            let isInterrupted = journal.isRollingBack || !journal.pending.isEmpty
            journal.complete()
            let judged = try wishes(
                journal.applied + journal.kept,
                force: force,
                isInterrupted: isInterrupted,
                &outcome
            )
            outcome.steps = judged.do.compactMap { step($0) }
            return outcome
        }
        try settle(&journal, force: force, &outcome)
        guard !journal.isEmpty else {
            // An empty journal may still lie there, of an earlier start of the machine.
            try save(journal)
            return outcome
        }
        let judged = try wishes(
            journal.applied + journal.kept,
            force: force,
            isInterrupted: false,
            &outcome
        )
        journal.applied = judged.groups
        journal.kept = judged.foreign
        journal.requests = []
        journal.isRollingBack = !journal.applied.isEmpty
        try save(journal)
        try undo(&journal, judged.do, &outcome)
        return outcome
    }

    /// A value that is to be there again.
    struct Wish {
        let target: String
        let path: String
        let attribute: String
        let value: String

        let owner: TuningJournal.Owner
        let name: String

        init(_ group: TuningJournal.Group, _ name: String, _ entry: TuningJournal.Entry) {
            attribute = entry.attribute
            value = entry.before
            owner = group.owner
            self.name = name
            target =
                switch owner {
                case .machine: "vm.\(attribute)"
                case .disk: "\(name) queue/\(attribute)"
                case .file: "\(name) \(attribute)"
                }
            path = TuningApplier.path(attribute, of: owner, name)
        }
    }

    /// Brings what a crash interrupted to an end: an apply or proof is undone, a rollback goes on.
    func settle(
        _ journal: inout TuningJournal,
        force: Bool,
        _ outcome: inout TuningOutcome
    ) throws(TuningError) {
        if !journal.pending.isEmpty {
            let judged = try wishes(journal.pending, force: force, isInterrupted: true, &outcome)
            try restore(judged.do, &outcome)
            journal.pending = []
            journal.keep(judged.foreign)
            try save(journal)
            outcome.notes.append("an interrupted apply or proof was undone")
        }
        if journal.isRollingBack {
            let judged = try wishes(journal.applied, force: force, isInterrupted: true, &outcome)
            journal.kept += judged.foreign
            try undo(&journal, judged.do, &outcome)
            outcome.notes.append("an interrupted rollback was finished")
        }
    }

    private func undo(
        _ journal: inout TuningJournal,
        _ wishes: [Wish],
        _ outcome: inout TuningOutcome
    ) throws(TuningError) {
        try restore(wishes, &outcome)
        journal.applied = journal.kept
        journal.kept = []
        journal.isRollingBack = false
        try save(journal)
    }

    /// What became of what was written: what is to be undone, and what is left alone.
    struct Judgement {
        var `do`: [Wish] = []
        var groups: [TuningJournal.Group] = []
        var foreign: [TuningJournal.Group] = []
    }

    /// Sorts what was written into what is still ours and what is somebody else's.
    ///
    /// - Parameters:
    ///   - forgets: whether what is not to be found is forgotten; nil for what `force` says.
    ///   - isInterrupted: whether a crash may have left side effects that nobody noted.
    func wishes(
        _ groups: [TuningJournal.Group],
        force: Bool,
        forgets: Bool? = nil,
        isInterrupted: Bool,
        _ outcome: inout TuningOutcome
    ) throws(TuningError) -> Judgement {
        var judgement = Judgement()
        for group in groups {
            guard let name = present(group, forgets: forgets ?? force, &judgement, &outcome)
            else { continue }
            var mine: [Own] = []
            var theirs: [TuningJournal.Entry] = []
            for entry in group.entries {
                let wish = Wish(group, name, entry)
                let present: String?
                switch state(wish) {
                case .there(let value): present = value
                case .closed: present = nil
                // It comes back with its scheduler.
                case .gone where SideEffects.isOfScheduler(entry.attribute): present = nil
                case .gone:
                    outcome.leave(wish.target, "it is gone")
                    continue
                case .failed(let error): throw TuningError("cannot read \(wish.path): \(error)")
                }
                let expected = entry.after ?? entry.wanted
                let isOurs =
                    force || present == nil || present == entry.before || present == expected
                    || (isInterrupted && SideEffects.canMove(entry.attribute, in: group))
                if isOurs {
                    mine.append(Own(entry: entry, wish: wish, isThere: present == entry.before))
                } else {
                    let before = expected ?? entry.before
                    outcome.leaveForeign(wish.target, present ?? "", instead: before)
                    theirs.append(entry)
                }
            }
            leaveBeside(&mine, &theirs, &outcome)
            judgement.do += mine.map(\.wish)
            judgement.add(group, name, mine.map(\.entry), theirs)
        }
        return judgement
    }

    /// Something that is still ours.
    private struct Own {
        let entry: TuningJournal.Entry
        let wish: Wish
        /// Whether it is as it was before already.
        let isThere: Bool
    }

    /// Leaves alone, with what is somebody else's, what cannot be written without changing that.
    private func leaveBeside(
        _ mine: inout [Own],
        _ theirs: inout [TuningJournal.Entry],
        _ outcome: inout TuningOutcome
    ) {
        // What would move somebody else's value as it is written stays as well.
        let others = theirs.map(\.attribute)
        var stays = mine.filter {
            !$0.isThere && SideEffects.disturbs($0.entry.attribute, others)
        }
        for own in stays { outcome.leaveBeside(own.wish.target) }
        // What went with a scheduler that stays away is written once that is back: under
        // somebody else's it is another's value, or none.
        let names = others + stays.map(\.entry.attribute)
        if names.contains(QueueAttribute.scheduler.rawValue) {
            let tied = mine.filter { own in
                SideEffects.isTiedToScheduler(own.entry.attribute)
                    && !names.contains(own.entry.attribute)
            }
            let isChosen = others.contains(QueueAttribute.scheduler.rawValue)
            for own in tied
            where !own.isThere && !SideEffects.isOfScheduler(own.entry.attribute) {
                outcome.leaveTied(own.wish.target, isChosen: isChosen)
            }
            stays += tied
        }
        // Each once: a journal that holds anything twice is refused.
        theirs += stays.map(\.entry)
        mine.removeAll { own in stays.contains { $0.entry.attribute == own.entry.attribute } }
    }

    /// The name of what a group belongs to; nil where it is not to be found, which is told.
    private func present(
        _ group: TuningJournal.Group,
        forgets: Bool,
        _ judgement: inout Judgement,
        _ outcome: inout TuningOutcome
    ) -> String? {
        switch group.owner {
        case .machine: return group.name
        case .disk(let disk):
            switch DeviceIdentity.look(for: disk, root) {
            case .here(let name): return name
            case .gone: outcome.leave(group.name, "the disk is gone, and its values with it")
            case .unclear:
                outcome.leaveUnclear(group.name, "several disks say that they are this one")
                judgement.foreign.append(group)
            }
        case .file(let file):
            do throws(Errno) {
                _ = try access.read(.dataJournal, of: file)
                return file.path
            } catch {
                // Unlike a disk's, its attributes did not go with it.
                let reason = "the disk is not there (\(error)); what it was is kept in mind"
                if forgets {
                    outcome.leave(group.name, "the disk is not there, and forgotten")
                } else {
                    outcome.leaveUnclear(group.name, reason)
                    judgement.foreign.append(group)
                }
            }
        }
        return nil
    }

    /// Gives the attributes of groups the values that they had before, whatever they have now.
    func putBack(_ groups: [TuningJournal.Group]) throws(TuningError) {
        var outcome = TuningOutcome()
        let wishes = groups.flatMap { group in
            group.entries.map { Wish(group, group.name, $0) }
        }
        try restore(wishes, &outcome)
    }

    /// Writes values until all are there: one may move another, and one may refuse what it was and
    /// take it back when its twin is written, as `dirty_bytes` refuses 0.
    func restore(
        _ wishes: [Wish],
        _ outcome: inout TuningOutcome
    ) throws(TuningError) {
        var failures: [String] = []
        let steps = wishes.compactMap { step($0) }
        for _ in 0..<4 {
            failures = []
            for wish in wishes where !isMet(wish) {
                // Another disk may have got the name: it is left alone, and this one is gone.
                guard isStill(wish.owner, wish.name) else { continue }
                do throws(Errno) {
                    try set(wish.attribute, of: wish.owner, wish.name, wish.value)
                } catch {
                    failures.append("\(wish.target): \(wish.value) cannot be written: \(error)")
                }
            }
            let open = wishes.filter { !isMet($0) }
            if open.isEmpty {
                outcome.steps += steps
                return
            }
            if failures.isEmpty {
                failures = open.map { "\($0.target) does not become \($0.value)" }
            }
        }
        throw TuningError(failures.joined(separator: "; "))
    }

    /// What can be seen of an attribute.
    private enum State {
        case there(String)
        /// It is there, and has no value for now (`wbt_lat_usec` without throttling).
        case closed
        case gone
        case failed(Errno)
    }

    private func state(_ wish: Wish) -> State {
        guard isStill(wish.owner, wish.name) else { return .gone }
        do throws(Errno) {
            return .there(try text(wish.attribute, of: wish.owner, wish.name))
        } catch {
            switch error {
            case .invalidArgument: return .closed
            case .noSuchFile, .notDirectory, .noDevice, Errno(rawValue: ENODEV): return .gone
            default: return .failed(error)
            }
        }
    }

    /// Whether a value is there again, or can no longer be.
    private func isMet(_ wish: Wish) -> Bool {
        switch state(wish) {
        case .there(let value): value == wish.value
        case .closed, .gone: true
        case .failed: false
        }
    }

    /// What a wish changes; nil if nothing.
    private func step(_ wish: Wish) -> TuningOutcome.Step? {
        guard case .there(let present) = state(wish), present != wish.value else { return nil }
        return .init(target: wish.target, from: present, to: wish.value)
    }
}

extension TuningApplier.Judgement {
    /// Notes of a group what is ours and what is not.
    fileprivate mutating func add(
        _ group: TuningJournal.Group,
        _ name: String,
        _ mine: [TuningJournal.Entry],
        _ theirs: [TuningJournal.Entry]
    ) {
        let owner = group.owner
        if !mine.isEmpty { groups.append(.init(owner: owner, name: name, entries: mine)) }
        if !theirs.isEmpty { foreign.append(.init(owner: owner, name: name, entries: theirs)) }
    }
}
