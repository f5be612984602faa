public import FootingSystem

/// Makes changes and undoes them, with a journal that is durable before the first write.
///
/// Whoever calls it has the journal's lock. Every write is read back; what fails is undone with
/// all that was written before it. A crash at any step leaves a journal from which the next call
/// restores what was there: sysfs and sysctl forget everything when the machine starts, so a
/// journal of an earlier start has nothing to restore.
public struct TuningApplier: Sendable {
    let root: HostRoot
    let access: any TuningAccess
    let store: any JournalStore

    /// One that works on a machine.
    ///
    /// - Parameters:
    ///   - root: the machine, where disks are found by their identities.
    ///   - access: its attributes.
    ///   - store: where the journal is.
    public init(root: HostRoot, access: any TuningAccess, store: any JournalStore) {
        self.root = root
        self.access = access
        self.store = store
    }

    /// Which start of the machine this is (`/proc/sys/kernel/random/boot_id`).
    private var boot: String {
        (try? root.attribute("proc/sys/kernel/random/boot_id")) ?? "unknown"
    }

    /// What was applied and not rolled back since: the path, the profile as a file, and rules that
    /// were named besides.
    public func requests() throws(TuningError) -> [(path: String, profile: String, rules: [String])]
    {
        try load().requests.map { ($0.path, $0.profile, $0.rules) }
    }

    /// The profile of one of ``requests()``.
    public func profile(of text: String) throws(TuningError) -> TuningProfile {
        do throws(ProfileError) {
            return try ProfileParser.parse(Array(text.utf8))
        } catch {
            throw TuningError.damaged("a profile: \(error)")
        }
    }

    // MARK: - Apply

    /// Makes changes, all or none.
    ///
    /// - Parameters:
    ///   - path: what the plan is for, as it is to be asked for again.
    ///   - rules: those that were named beside the plan's profile.
    ///   - force: also changes what somebody else has changed since an earlier apply.
    ///   - isTrial: tells what would be written, and writes nothing.
    ///   - makePlan: looks at the machine, once what a crash left behind is undone.
    public func apply(
        path: String,
        rules: [String],
        force: Bool,
        isTrial: Bool = false,
        _ makePlan: () throws(TuningError) -> TuningPlan
    ) throws(TuningError) -> (plan: TuningPlan, outcome: TuningOutcome) {
        var outcome = TuningOutcome()
        var journal = try load()
        if !isTrial { try settle(&journal, force: force, &outcome) }
        let plan = try makePlan()
        let chosen = choose(plan.changes, journal, force: force, &outcome)
        if !isTrial {
            let request = TuningJournal.Request(
                path: path,
                profile: plan.profile.text(),
                rules: rules
            )
            try make(chosen, request, &journal)
        }
        outcome.steps += chosen.map(\.step)
        return (plan, outcome)
    }

    private func make(
        _ chosen: [Write],
        _ request: TuningJournal.Request,
        _ journal: inout TuningJournal
    ) throws(TuningError) {
        guard !chosen.isEmpty else {
            // What was asked for before is asked for in other words now.
            if journal.requests.contains(where: { $0.path == request.path && $0 != request }) {
                journal.note(request)
                try save(journal)
            }
            return
        }
        try journal.checkRoom(for: request.path)
        let previous = journal
        journal.pending = groups(chosen)
        do throws(TuningError) {
            try save(journal)
        } catch {
            throw TuningError("\(error); nothing was changed")
        }
        let pending = journal.pending
        var tried: [Write] = []
        do throws(TuningError) {
            for write in chosen {
                try requireUntouched(write, journal)
                tried.append(write)
                try change(write)
            }
            try observe(&journal)
            journal.complete()
            journal.note(request)
            try save(journal)
        } catch {
            throw abandon(error, tried, pending, previous)
        }
    }

    /// A value to write.
    struct Write {
        let owner: TuningJournal.Owner
        let name: String
        let attribute: String
        let step: TuningOutcome.Step
    }

    /// What of a plan is to be written: not what somebody else has changed, or what is gone.
    func choose(
        _ changes: [TuningChange],
        _ journal: TuningJournal,
        force: Bool,
        _ outcome: inout TuningOutcome
    ) -> [Write] {
        var writes: [Write] = []
        for change in changes {
            guard let (owner, name, attribute) = address(change.target, journal, &outcome) else {
                continue
            }
            guard let present = value(attribute, of: owner, name) else {
                outcome.leave(change.target.text, "it is gone")
                continue
            }
            if present == change.proposed { continue }
            let theirs = foreign(owner, name, journal)
            if !force, let expected = theirs[attribute] {
                outcome.leaveForeign(change.target.text, present, instead: expected)
                continue
            }
            if !force, SideEffects.disturbs(attribute, theirs.keys) {
                outcome.leaveBeside(change.target.text)
                continue
            }
            writes.append(
                Write(
                    owner: owner,
                    name: name,
                    attribute: attribute,
                    step: TuningOutcome.Step(
                        target: change.target.text,
                        from: present,
                        to: change.proposed
                    )
                )
            )
        }
        return writes
    }

    /// Whose a change's attribute is; nil if it is not written, or it cannot be told whose it is.
    private func address(
        _ target: TuningChange.Target,
        _ journal: TuningJournal,
        _ outcome: inout TuningOutcome
    ) -> (TuningJournal.Owner, name: String, attribute: String)? {
        switch target {
        case .queue(let device, let attribute):
            let identity = identity(of: device, journal)
            guard DeviceIdentity.find(identity, root) == device else {
                outcome.leave(target.text, "it cannot be told from another disk")
                return nil
            }
            return (.disk(identity), device, attribute.rawValue)
        case .machine(let attribute): return (.machine, "machine", attribute.rawValue)
        case .container(let file, let attribute):
            return (.file(file), file.path, attribute.rawValue)
        case .boot, .mount, .file: return nil
        }
    }

    /// What somebody else has changed since an earlier apply: what was there then, by attribute.
    private func foreign(
        _ owner: TuningJournal.Owner,
        _ name: String,
        _ journal: TuningJournal
    ) -> [String: String] {
        var foreign: [String: String] = [:]
        for entry in (journal.applied + journal.kept).filter({ $0.owner == owner })
            .flatMap(\.entries)
        {
            guard let expected = entry.after ?? entry.wanted else { continue }
            if value(entry.attribute, of: owner, name) != expected {
                foreign[entry.attribute] = expected
            }
        }
        return foreign
    }

    /// Who a disk is: as the journal knows it, if it does, wherever it hangs by now.
    private func identity(of device: String, _ journal: TuningJournal) -> DeviceIdentity {
        let known = (journal.applied + journal.kept).lazy.compactMap { group in
            if case .disk(let identity) = group.owner { return identity }
            return nil
        }
        return known.first { DeviceIdentity.find($0, root) == device }
            ?? DeviceIdentity.telling(device, root)
    }

    /// What is to be written and what changes with it, each with its present value.
    func groups(_ writes: [Write]) -> [TuningJournal.Group] {
        var groups: [TuningJournal.Group] = []
        for write in writes {
            let index = groups.firstIndex { $0.owner == write.owner } ?? groups.count
            if index == groups.count {
                groups.append(.init(owner: write.owner, name: write.name, entries: []))
            }
            groups[index].set(write.attribute, before: write.step.from, wanted: write.step.to)
            for other in moved(by: write) {
                guard let present = value(other, of: write.owner, write.name) else { continue }
                groups[index].set(other, before: present, wanted: nil)
            }
        }
        return groups
    }

    /// What changes with a write, as far as it can be seen now.
    private func moved(by write: Write) -> [String] {
        SideEffects.of(write.attribute) {
            let folder = Self.path(SideEffects.schedulerFolder, of: write.owner, write.name)
            return (try? root.names(folder)) ?? []
        }
    }

    /// Makes sure that what is to be written is still what the journal says.
    ///
    /// While that was made durable, another disk may have got the name, or somebody may have
    /// written another value.
    func requireUntouched(
        _ write: Write,
        _ journal: TuningJournal
    ) throws(TuningError) {
        let what = "\(write.step.target): \(write.step.to) is not written"
        guard isStill(write.owner, write.name) else {
            throw TuningError("\(what): it is gone, or another disk has its name")
        }
        let present = value(write.attribute, of: write.owner, write.name)
        let canMove = journal.pending.contains {
            $0.owner == write.owner && SideEffects.canMove(write.attribute, in: $0)
        }
        guard present == write.step.from || canMove else {
            throw TuningError("\(what): \(present ?? "nothing") is there since a moment ago")
        }
    }

    func change(_ write: Write) throws(TuningError) {
        let what = "\(write.step.target): \(write.step.to)"
        do throws(Errno) {
            try set(write.attribute, of: write.owner, write.name, write.step.to)
        } catch {
            throw TuningError("\(what) cannot be written: \(error)")
        }
        let found = value(write.attribute, of: write.owner, write.name)
        guard found == write.step.to else {
            throw TuningError("\(what) was written, but \(found ?? "nothing") is there")
        }
    }

    /// Notes what is there once everything is written.
    func observe(_ journal: inout TuningJournal) throws(TuningError) {
        for group in journal.pending.indices {
            for entry in journal.pending[group].entries.indices {
                let pending = journal.pending[group]
                let attribute = pending.entries[entry].attribute
                let found = value(attribute, of: pending.owner, pending.name)
                if found == nil, pending.entries[entry].wanted != nil {
                    throw TuningError("\(pending.name): \(attribute) is gone")
                }
                journal.pending[group].entries[entry].after = found
            }
        }
    }

    /// Undoes what was written of an apply or a proof that failed, and nothing that it did not come
    /// to.
    ///
    /// What is undone does not depend on which journal the store has by now: also with the last one
    /// there, a rollback finds everything as it was.
    ///
    /// - Parameters:
    ///   - tried: what was written, or may have been.
    ///   - pending: what it was before, by the journal; and after, as far as that is known.
    ///   - previous: the journal that is to be there again.
    ///   - force: also undoes what is neither as it was nor as it was written. Where this process
    ///     alone wrote, that is what the kernel made of a value.
    func abandon(
        _ error: TuningError,
        _ tried: [Write],
        _ pending: [TuningJournal.Group],
        _ previous: TuningJournal,
        force: Bool = true
    ) -> TuningError {
        var written = pending
        for index in written.indices {
            let attributes = tried.filter { $0.owner == written[index].owner }.map(\.attribute)
            written[index].entries.removeAll { entry in
                !attributes.contains {
                    $0 == entry.attribute || SideEffects.moves($0, entry.attribute)
                }
            }
        }
        written.removeAll { $0.entries.isEmpty }
        var previous = previous
        var outcome = TuningOutcome()
        do throws(TuningError) {
            // What cannot be found now is not forgotten: nobody has said so.
            let judged = try wishes(
                written,
                force: force,
                forgets: false,
                isInterrupted: false,
                &outcome
            )
            try restore(judged.do, &outcome)
            previous.keep(judged.foreign)
        } catch let second {
            return TuningError(
                "\(error); and not everything could be undone: \(second). "
                    + "'footing rollback' tries again"
            )
        }
        let stays = outcome.left.filter(\.isForeign).map(\.target).joined(separator: ", ")
        let rest = stays.isEmpty ? "everything" : "\(stays) left alone, everything else"
        do throws(TuningError) {
            try save(previous)
            return TuningError("\(error); \(rest) is as it was before")
        } catch let second {
            return TuningError("\(error); \(rest) is as it was before, but \(second)")
        }
    }

    // MARK: - The journal

    func load() throws(TuningError) -> TuningJournal {
        let bytes: [UInt8]?
        do throws(Errno) {
            bytes = try store.read()
        } catch {
            throw TuningError("cannot read the journal: \(error)")
        }
        guard let bytes else { return TuningJournal(boot: boot) }
        var journal = try TuningJournal(bytes)
        if journal.boot != boot { journal = journal.afterStart(boot) }
        return journal
    }

    func save(_ journal: TuningJournal) throws(TuningError) {
        let bytes = journal.json.bytes()
        // One that could not be read again would keep everything as it is for good.
        guard (try? TuningJournal(bytes)) == journal else {
            throw TuningError("the journal would have more than it can hold; roll back first")
        }
        do throws(Errno) {
            if journal.isEmpty {
                try store.remove()
            } else {
                try store.prepare(bytes)
                try store.replace()
            }
            try store.synchronize()
        } catch {
            throw TuningError("cannot write the journal: \(error)")
        }
    }

    // MARK: - Attributes

    static func path(_ attribute: String, of owner: TuningJournal.Owner, _ name: String) -> String {
        switch owner {
        case .machine: "proc/sys/vm/\(attribute)"
        case .disk: "sys/block/\(name)/queue/\(attribute)"
        case .file(let file): "\(file.path) \(attribute)"
        }
    }

    /// The text of an attribute.
    func text(
        _ attribute: String,
        of owner: TuningJournal.Owner,
        _ name: String
    ) throws(Errno) -> String {
        guard case .file(let file) = owner else {
            let text = try access.read(Self.path(attribute, of: owner, name))
            return QueueAttribute(rawValue: attribute)?.value(text) ?? text
        }
        guard let attribute = FileAttribute(rawValue: attribute) else { throw .invalidArgument }
        return try access.read(attribute, of: file)
    }

    func set(
        _ attribute: String,
        of owner: TuningJournal.Owner,
        _ name: String,
        _ value: String
    ) throws(Errno) {
        guard case .file(let file) = owner else {
            return try access.write(Self.path(attribute, of: owner, name), value)
        }
        guard let attribute = FileAttribute(rawValue: attribute) else { throw .invalidArgument }
        try access.write(attribute, of: file, value)
    }

    /// The value of an attribute; nil where it is gone, or holds what no journal can.
    func value(_ attribute: String, of owner: TuningJournal.Owner, _ name: String) -> String? {
        guard let value = try? text(attribute, of: owner, name) else { return nil }
        let isPlain = value.utf8.allSatisfy { (0x20...0x7e).contains($0) }
        return isPlain && (1...128).contains(value.utf8.count) ? value : nil
    }

    /// Whether a name still means the same disk.
    func isStill(_ owner: TuningJournal.Owner, _ name: String) -> Bool {
        guard case .disk(let identity) = owner else { return true }
        return identity.isShown(by: name, root)
    }
}

extension TuningJournal.Group {
    /// Notes an attribute; of one that is noted already, only what it is to be is new.
    mutating func set(_ attribute: String, before: String, wanted: String?) {
        if let index = entries.firstIndex(where: { $0.attribute == attribute }) {
            entries[index].wanted = wanted ?? entries[index].wanted
        } else {
            entries.append(.init(attribute: attribute, before: before, wanted: wanted))
        }
    }
}

extension TuningOutcome {
    mutating func leave(_ target: String, _ reason: String) {
        left.append(Left(target: target, reason: reason, isForeign: false))
    }

    mutating func leaveForeign(_ target: String, _ present: String, instead: String) {
        let reason = "somebody made it \(present), it was \(instead) when it was applied"
        // A recovery and what follows it may come upon the same.
        if left.contains(where: { $0.target == target && $0.isForeign }) { return }
        left.append(Left(target: target, reason: reason, isForeign: true))
    }

    mutating func leaveBeside(_ target: String) {
        let reason = "to write it would change beside it what somebody has made different"
        if left.contains(where: { $0.target == target && $0.isForeign }) { return }
        left.append(Left(target: target, reason: reason, isForeign: true))
    }

    /// Leaves what went with a scheduler that is not written.
    ///
    /// - Parameter isChosen: whether somebody else has chosen the one that is there.
    mutating func leaveTied(_ target: String, isChosen: Bool) {
        let reason =
            isChosen
            ? "it was another scheduler's, and somebody has chosen this one"
            : "it was another scheduler's, which is not written beside what somebody has made "
                + "different"
        if left.contains(where: { $0.target == target && $0.isForeign }) { return }
        left.append(Left(target: target, reason: reason, isForeign: true))
    }

    mutating func leaveUnclear(_ target: String, _ reason: String) {
        if left.contains(where: { $0.target == target && $0.isForeign }) { return }
        left.append(Left(target: target, reason: reason, isForeign: true))
    }
}
