internal import FootingSystem

/// What was changed, and what it was before: enough to undo it after any crash.
struct TuningJournal: Equatable {
    static let schema = "footing.tuning-journal/1"

    /// An attribute of a group.
    struct Entry: Equatable {
        /// Its name, of ``QueueAttribute``, ``MachineAttribute`` or ``FileAttribute``, or of a
        /// scheduler's own: `iosched/read_expire`.
        let attribute: String
        /// What it was before anything was written.
        var before: String
        /// What it is to be; nil for one that only changes with others.
        var wanted: String?
        /// What it was once everything was written; nil until then.
        var after: String?
    }

    /// What attributes belong to.
    enum Owner: Equatable {
        /// The kernel's own.
        case machine
        /// A disk's queue.
        case disk(DeviceIdentity)
        /// A container's file, which keeps them when the machine starts again.
        case file(FileIdentity)
    }

    /// The attributes of one disk's queue, of one file, or of the machine.
    struct Group: Equatable {
        let owner: Owner
        /// What the kernel called it; a file's path.
        let name: String
        var entries: [Entry]

        /// Whether what was written outlives the machine's next start.
        var isLasting: Bool {
            if case .file = owner { return true }
            return false
        }
    }

    /// What was asked for, so that it can be asked for again after the machine's next start.
    struct Request: Equatable {
        let path: String
        /// The profile as a file.
        let profile: String
        let rules: [String]
    }

    /// The start of the machine during which all this was written: of that only what files have
    /// outlives it.
    var boot: String
    var requests: [Request] = []
    /// What was written and is complete.
    var applied: [Group] = []
    /// What is being written; what is there of it after a crash is undone.
    var pending: [Group] = []
    /// What somebody else has changed since, and a rollback leaves alone.
    var kept: [Group] = []
    /// Whether all of ``applied`` is being undone.
    var isRollingBack = false

    /// More paths than anybody has disks on; a journal stays small enough to be read.
    static let requestsMaximum = 256

    /// Whether nothing is left to undo or to do again.
    var isEmpty: Bool {
        applied.isEmpty && pending.isEmpty && kept.isEmpty && requests.isEmpty
    }

    /// What is left of it when the machine has started again.
    func afterStart(_ boot: String) -> TuningJournal {
        var journal = TuningJournal(boot: boot, requests: requests)
        journal.applied = applied.filter(\.isLasting)
        journal.pending = pending.filter(\.isLasting)
        journal.kept = kept.filter(\.isLasting)
        journal.isRollingBack = isRollingBack && !journal.applied.isEmpty
        return journal
    }

    /// Refuses a path beyond those that a journal can have.
    func checkRoom(for path: String) throws(TuningError) {
        let isKnown = requests.contains { $0.path == path }
        guard isKnown || requests.count < Self.requestsMaximum else {
            throw TuningError(
                "\(requests.count) paths are applied already; 'footing rollback' first"
            )
        }
    }

    /// Notes what was asked for, instead of what was asked for on the same path before.
    mutating func note(_ request: Request) {
        if let index = requests.firstIndex(where: { $0.path == request.path }) {
            requests[index] = request
        } else {
            requests.append(request)
        }
    }

    /// Keeps what somebody else has changed, unless it is known from before.
    mutating func keep(_ foreign: [Group]) {
        for group in foreign {
            let known = applied.first { $0.isSame(as: group) }?.entries.map(\.attribute) ?? []
            let entries = group.entries.filter { !known.contains($0.attribute) }
            if !entries.isEmpty {
                kept.append(Group(owner: group.owner, name: group.name, entries: entries))
            }
        }
    }

    // MARK: - Groups

    /// Adds what is to be written as well; the oldest value is the one to go back to.
    mutating func addPending(_ group: Group) {
        guard let index = pending.firstIndex(where: { $0.isSame(as: group) }) else {
            pending.append(group)
            return
        }
        for entry in group.entries {
            pending[index].set(entry.attribute, before: entry.before, wanted: entry.wanted)
        }
    }

    /// Adds what is complete to what was complete before: the oldest value is the one to go back
    /// to, the newest the one that must be found there.
    mutating func complete() {
        for group in pending {
            let group = takingOver(group)
            guard let index = applied.firstIndex(where: { $0.isSame(as: group) }) else {
                applied.append(group)
                continue
            }
            for entry in group.entries {
                let entries = applied[index].entries
                if let at = entries.firstIndex(where: { $0.attribute == entry.attribute }) {
                    applied[index].entries[at].after = entry.after
                    applied[index].entries[at].wanted = entry.wanted ?? entries[at].wanted
                } else {
                    applied[index].entries.append(entry)
                }
            }
        }
        pending = []
    }

    /// A group with the oldest values of what was kept of it, which is kept no longer.
    private mutating func takingOver(_ group: Group) -> Group {
        var group = group
        for index in kept.indices where kept[index].isSame(as: group) {
            for entry in group.entries.indices {
                let attribute = group.entries[entry].attribute
                guard let old = kept[index].entries.first(where: { $0.attribute == attribute })
                else { continue }
                group.entries[entry].before = old.before
                kept[index].entries.removeAll { $0.attribute == attribute }
            }
        }
        kept.removeAll { $0.entries.isEmpty }
        return group
    }
}

extension TuningJournal.Group {
    /// Whether both are about the same thing.
    func isSame(as other: TuningJournal.Group) -> Bool {
        owner == other.owner && (owner != .machine || name == other.name)
    }
}

// MARK: - JSON

extension TuningJournal {
    var json: JSONValue {
        [
            "schema": .string(Self.schema), "boot": .string(boot),
            "isRollingBack": .bool(isRollingBack),
            "requests": .array(
                requests.map {
                    [
                        "path": .string($0.path), "profile": .string($0.profile),
                        "rules": .array($0.rules.map { .string($0) }),
                    ]
                }
            ),
            "applied": .array(applied.map(\.json)), "pending": .array(pending.map(\.json)),
            "kept": .array(kept.map(\.json)),
        ]
    }

    /// Reads a journal, strictly: what is written as it says is written with all rights.
    init(_ bytes: [UInt8]) throws(TuningError) {
        let value: JSONValue
        do throws(JSONParseError) {
            value = try JSONValue(parsing: bytes)
        } catch {
            throw TuningError.damaged("\(error)")
        }
        guard value.member("schema") == .string(Self.schema) else {
            throw TuningError.damaged("it is not of the form \(Self.schema)")
        }
        boot = try Self.text(value, "boot")
        guard case .bool(let isRollingBack)? = value.member("isRollingBack") else {
            throw TuningError.damaged("isRollingBack")
        }
        self.isRollingBack = isRollingBack
        for request in try Self.list(value, "requests") {
            let rules = try Self.list(request, "rules").compactMap(\.stringValue)
            requests.append(
                Request(
                    path: try Self.text(request, "path", bytesMaximum: 4096),
                    profile: try Self.text(
                        request,
                        "profile",
                        bytesMaximum: ProfileParser.bytesMaximum
                    ),
                    rules: rules
                )
            )
        }
        for group in try Self.list(value, "applied") { applied.append(try Group(group)) }
        for group in try Self.list(value, "pending") { pending.append(try Group(group)) }
        for group in try Self.list(value, "kept") { kept.append(try Group(group)) }
    }

    static func text(
        _ value: JSONValue,
        _ name: String,
        bytesMaximum: Int = 1024
    ) throws(TuningError) -> String {
        guard let text = value.member(name)?.stringValue, text.utf8.count <= bytesMaximum else {
            throw TuningError.damaged(name)
        }
        return text
    }

    static func list(_ value: JSONValue, _ name: String) throws(TuningError) -> [JSONValue] {
        guard case .array(let elements)? = value.member(name), elements.count <= 1024 else {
            throw TuningError.damaged(name)
        }
        return elements
    }
}

extension TuningJournal.Group {
    private var disk: DeviceIdentity? {
        if case .disk(let disk) = owner { return disk }
        return nil
    }

    private var file: FileIdentity? {
        if case .file(let file) = owner { return file }
        return nil
    }

    var json: JSONValue {
        [
            "disk": disk.map { ["own": .string($0.own), "place": .string($0.place)] } ?? .null,
            "file": file.map { ["path": .string($0.path), "disk": .string($0.disk)] } ?? .null,
            "name": .string(name),
            "entries": .array(
                entries.map {
                    [
                        "attribute": .string($0.attribute), "before": .string($0.before),
                        "wanted": $0.wanted.map { .string($0) } ?? .null,
                        "after": $0.after.map { .string($0) } ?? .null,
                    ]
                }
            ),
        ]
    }

    init(_ value: JSONValue) throws(TuningError) {
        owner = try Self.owner(value)
        name = try TuningJournal.text(value, "name", bytesMaximum: 4096)
        entries = []
        for element in try TuningJournal.list(value, "entries") {
            let attribute = try TuningJournal.text(element, "attribute")
            // Only what the program itself may write: never a path.
            let isKnown =
                switch owner {
                case .machine: MachineAttribute(rawValue: attribute) != nil
                case .disk:
                    QueueAttribute(rawValue: attribute) != nil
                        || (SideEffects.isOfScheduler(attribute)
                            && element.member("wanted") == .null)
                case .file: FileAttribute(rawValue: attribute) != nil
                }
            // Twice the same would be two values to go back to.
            let isNew = !entries.contains { $0.attribute == attribute }
            guard isKnown, isNew else { throw TuningError.damaged("attribute") }
            entries.append(
                TuningJournal.Entry(
                    attribute: attribute,
                    before: try Self.attributeText(element, "before"),
                    wanted: try Self.optionalText(element, "wanted"),
                    after: try Self.optionalText(element, "after")
                )
            )
        }
    }

    /// A disk, a file, or neither: then it is the machine.
    ///
    /// Journals of before know no files.
    private static func owner(_ value: JSONValue) throws(TuningError) -> TuningJournal.Owner {
        switch (value.member("disk"), value.member("file") ?? .null) {
        case (nil, _): throw TuningError.damaged("disk")
        case (.null?, .null): return .machine
        case (.null?, let file):
            return .file(
                FileIdentity(
                    path: try TuningJournal.text(file, "path", bytesMaximum: 4096),
                    disk: try TuningJournal.text(file, "disk")
                )
            )
        case (.some(let disk), .null):
            return .disk(
                DeviceIdentity(
                    own: try TuningJournal.text(disk, "own"),
                    place: try TuningJournal.text(disk, "place", bytesMaximum: 4096)
                )
            )
        case (.some, _): throw TuningError.damaged("disk and file")
        }
    }

    private static func optionalText(
        _ value: JSONValue,
        _ name: String
    ) throws(TuningError) -> String? {
        value.member(name) == .null ? nil : try attributeText(value, name)
    }

    /// An attribute's value: one line of printable characters.
    private static func attributeText(
        _ value: JSONValue,
        _ name: String
    ) throws(TuningError) -> String {
        let text = try TuningJournal.text(value, name, bytesMaximum: 128)
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x20...0x7e).contains($0) }) else {
            throw TuningError.damaged(name)
        }
        return text
    }
}
