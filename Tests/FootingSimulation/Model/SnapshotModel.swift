import FootingDisk

/// What the snapshots of a disk must be.
struct SnapshotModel {
    /// What is known of one.
    enum Existence {
        /// It was confirmed: it is there.
        case certain
        /// It was not: it is there as a whole, or not at all.
        case unconfirmed
        /// Its deletion was not confirmed.
        case leaving
    }

    struct Snapshot {
        /// The version of each sector.
        let content: [UInt64]
        /// What the disk's size was: one that was on its way may be the one.
        let sizes: [UInt64]
        var existence: Existence
    }

    private(set) var all: [String: Snapshot] = [:]
    /// Those that are gone: a fault may bring one back.
    private(set) var gone: [String: Snapshot] = [:]
    /// One that a client keeps open.
    var open: (name: String, snapshot: DiskSnapshot)?
    private var lastNumber = 0
    /// How often something was confirmed.
    private(set) var madeCount = 0
    var rollbackCount = 0

    /// A name that was never used.
    mutating func newName() -> String {
        lastNumber += 1
        return "snapshot \(lastNumber)"
    }

    /// In a fixed order.
    var names: [String] { all.keys.sorted() }

    var unconfirmed: [String] { names.filter { all[$0]?.existence == .unconfirmed } }

    mutating func add(_ name: String, _ content: [UInt64], sizes: [UInt64]) {
        all[name] = Snapshot(content: content, sizes: sizes, existence: .unconfirmed)
    }

    mutating func confirm(_ names: [String]) {
        for name in names where all[name]?.existence == .unconfirmed {
            all[name]?.existence = .certain
            madeCount += 1
        }
    }

    mutating func leave(_ name: String) { all[name]?.existence = .leaving }

    mutating func remove(_ name: String) { gone[name] = all.removeValue(forKey: name) }

    /// After a restart: what is there stays, what need not be there is forgotten.
    ///
    /// - Parameter found: the names of those that are there.
    /// - Returns: what is wrong.
    mutating func recover(_ found: [String], allowsLoss: Bool) -> String? {
        open = nil
        for name in found where all[name] == nil {
            guard allowsLoss, let old = gone[name] else { return "'\(name)' should not be there" }
            all[name] = old
        }
        for name in names {
            if found.contains(name) {
                all[name]?.existence = .certain
            } else {
                if all[name]?.existence == .certain && !allowsLoss { return "'\(name)' is gone" }
                remove(name)
            }
        }
        return nil
    }
}
