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
        journal.pending = groups(chosen)
        do throws(TuningError) {
            try save(journal)
        } catch {
            throw TuningError("\(error); nothing was changed")
        }
        do throws(TuningError) {
            for write in chosen { try change(write) }
            try observe(&journal)
            journal.complete()
            journal.note(request)
            try save(journal)
        } catch {
            throw abandon(error)
        }
    }

    /// A value to write.
    struct Write {
        let disk: DeviceIdentity?
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
            let disk: DeviceIdentity?
            let name: String
            let attribute: String
            switch change.target {
            case .queue(let device, let queueAttribute):
                let identity = identity(of: device, journal)
                guard DeviceIdentity.find(identity, root) == device else {
                    outcome.leave(change.target.text, "it cannot be told from another disk")
                    continue
                }
                (disk, name, attribute) = (identity, device, queueAttribute.rawValue)
            case .machine(let machineAttribute):
                (disk, name, attribute) = (nil, "machine", machineAttribute.rawValue)
            case .boot, .mount, .file: continue
            }
            guard let present = value(attribute, of: disk, name) else {
                outcome.leave(change.target.text, "it is gone")
                continue
            }
            if present == change.proposed { continue }
            let entries = (journal.applied + journal.kept).filter { $0.disk == disk }
                .flatMap(\.entries)
            let entry = entries.first { $0.attribute == attribute }
            if let entry, let expected = entry.after ?? entry.wanted, expected != present, !force {
                outcome.leaveForeign(change.target.text, present, instead: expected)
                continue
            }
            writes.append(
                Write(
                    disk: disk,
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

    /// Who a disk is: as the journal knows it, if it does, wherever it hangs by now.
    private func identity(of device: String, _ journal: TuningJournal) -> DeviceIdentity {
        let known = (journal.applied + journal.kept).lazy.compactMap(\.disk)
        return known.first { DeviceIdentity.find($0, root) == device }
            ?? DeviceIdentity(device, root)
    }

    /// What is to be written and what changes with it, each with its present value.
    func groups(_ writes: [Write]) -> [TuningJournal.Group] {
        var groups: [TuningJournal.Group] = []
        for write in writes {
            let index = groups.firstIndex { $0.disk == write.disk } ?? groups.count
            if index == groups.count {
                groups.append(.init(disk: write.disk, name: write.name, entries: []))
            }
            groups[index].set(write.attribute, before: write.step.from, wanted: write.step.to)
            for other in SideEffects.of(write.attribute) {
                guard let present = value(other, of: write.disk, write.name) else { continue }
                groups[index].set(other, before: present, wanted: nil)
            }
        }
        return groups
    }

    func change(_ write: Write) throws(TuningError) {
        let path = Self.path(write.attribute, of: write.disk, write.name)
        let what = "\(write.step.target): \(write.step.to)"
        do throws(Errno) {
            try access.write(path, write.step.to)
        } catch {
            throw TuningError("\(what) cannot be written: \(error)")
        }
        let found = value(write.attribute, of: write.disk, write.name)
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
                let found = value(attribute, of: pending.disk, pending.name)
                if found == nil, pending.entries[entry].wanted != nil {
                    throw TuningError("\(pending.name): \(attribute) is gone")
                }
                journal.pending[group].entries[entry].after = found
            }
        }
    }

    /// Undoes what was written of an apply that failed.
    ///
    /// - Parameter force: also undoes what is neither as it was nor as it was written. Where this
    ///   process alone wrote, that is what the kernel made of a value.
    func abandon(_ error: TuningError, force: Bool = true) -> TuningError {
        do throws(TuningError) {
            // What counts is what the store says: the last journal may not have reached it.
            var journal = try load()
            var outcome = TuningOutcome()
            try settle(&journal, force: force, &outcome)
            let rest = outcome.hasForeign ? "everything else" : "everything"
            return TuningError("\(error); \(rest) is as it was before")
        } catch let second {
            return TuningError(
                "\(error); and not everything could be undone: \(second). "
                    + "'footing rollback' tries again"
            )
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
        if journal.boot != boot {
            journal = TuningJournal(boot: boot, requests: journal.requests)
        }
        return journal
    }

    func save(_ journal: TuningJournal) throws(TuningError) {
        do throws(Errno) {
            if journal.isEmpty {
                try store.remove()
            } else {
                try store.prepare(journal.json.bytes())
                try store.replace()
            }
            try store.synchronize()
        } catch {
            throw TuningError("cannot write the journal: \(error)")
        }
    }

    // MARK: - Attributes

    static func path(_ attribute: String, of disk: DeviceIdentity?, _ name: String) -> String {
        disk == nil ? "proc/sys/vm/\(attribute)" : "sys/block/\(name)/queue/\(attribute)"
    }

    /// The value of an attribute; nil where it is gone, or holds what no journal can.
    func value(_ attribute: String, of disk: DeviceIdentity?, _ name: String) -> String? {
        guard let text = try? access.read(Self.path(attribute, of: disk, name)) else { return nil }
        let value = QueueAttribute(rawValue: attribute)?.value(text) ?? text
        let isPlain = value.utf8.allSatisfy { (0x20...0x7e).contains($0) }
        return isPlain && (1...128).contains(value.utf8.count) ? value : nil
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
}
