import FootingSystem

/// What a disk must hold: the truth that an engine is compared with.
///
/// Every change has a number of its own, its version. The engine keeps changes in order, so after a
/// crash the disk is what it was after some number of them: at least those that were flushed. That
/// one number must explain every sector also proves that each change is there as a whole or not at
/// all.
package struct Oracle: Sendable {
    /// Stands for a sector that could not be read.
    package static let unknown = UInt64.max

    private struct Change {
        let ranges: [Range<Int>]
        let version: UInt64
        /// By sector, where the whole disk becomes what it was once.
        var content: [UInt64]?

        func version(_ sector: Int) -> UInt64 { content?[sector] ?? version }
    }

    /// By sector: the version after the last flush, and now.
    private var flushed: [UInt64]
    private(set) var current: [UInt64]
    private var changes: [Change] = []
    /// How many there were before these.
    private var settledCount = 0
    private var lastVersion: UInt64 = 0
    /// How many of the changes a flush confirmed, where an older state must be kept in mind because
    /// a fault may bring it back.
    private var confirmedCount = 0
    /// What each sector of a range was, or was about to be, since somebody began to read it.
    private var seen: (range: Range<Int>, versions: [Set<UInt64>])?
    /// Whether flushed changes are kept in mind.
    package var remembersFlushed = false

    /// A disk of zeros.
    package init(sectorCount: Int) {
        flushed = Array(repeating: 0, count: sectorCount)
        current = flushed
    }

    /// How many changes there are since the oldest state kept in mind.
    package var changeCount: Int { changes.count }

    /// How many changes there ever were.
    package var totalCount: Int { settledCount + changes.count }

    /// A number for the content of the next write.
    package mutating func nextVersion() -> UInt64 {
        lastVersion += 1
        return lastVersion
    }

    /// Remembers from now on what the sectors of a range are.
    package mutating func watch(_ range: Range<Int>) {
        seen = (range, range.map { [current[$0]] })
    }

    /// A change is about to be handed to the engine.
    package mutating func expect(_ ranges: [Range<Int>], version: UInt64) {
        guard let watched = seen?.range else { return }
        for range in ranges {
            for sector in range.clamped(to: watched) {
                seen?.versions[sector - watched.lowerBound].insert(version)
            }
        }
    }

    /// What a sector of the range that is remembered was since then.
    package func versions(seenAt sector: Int) -> Set<UInt64> {
        guard let seen, seen.range.contains(sector) else { return [current[sector]] }
        return seen.versions[sector - seen.range.lowerBound]
    }

    /// A change was handed to the engine; version 0 makes zeros.
    package mutating func apply(_ ranges: [Range<Int>], version: UInt64) {
        for range in ranges {
            for sector in range { current[sector] = version }
        }
        changes.append(Change(ranges: ranges, version: version))
    }

    /// The engine was told to make the disk what it was once.
    package mutating func become(_ content: [UInt64]) {
        current = content
        changes.append(Change(ranges: [0..<content.count], version: 0, content: content))
    }

    /// A flush succeeded that began when there were `total` changes in all.
    package mutating func confirm(_ total: Int) {
        // Another one may have been faster that began later.
        let count = total - settledCount
        if count <= 0 { return }
        if remembersFlushed {
            confirmedCount = max(confirmedCount, count)
            return
        }
        for change in changes[..<count] {
            for range in change.ranges {
                for sector in range { flushed[sector] = change.version(sector) }
            }
        }
        changes.removeSubrange(..<count)
        settledCount += count
    }

    /// Forgets what was kept in mind: everything up to now is in the map.
    package mutating func settle() {
        flushed = current
        settledCount += changes.count
        changes = []
        confirmedCount = 0
    }

    /// After a restart: finds how many changes survived, and takes that as the truth.
    ///
    /// - Parameters:
    ///   - observed: the version of each sector, or ``unknown``.
    ///   - allowsLoss: whether flushed changes may be missing.
    /// - Returns: how many changes survived.
    @discardableResult
    package mutating func recover(
        _ observed: [UInt64],
        allowsLoss: Bool = false
    ) throws(SimulationFailure) -> Int {
        precondition(observed.count == flushed.count)
        var state = flushed
        var wrong = 0
        for sector in state.indices where differs(observed[sector], state[sector]) { wrong += 1 }
        var fewest = wrong
        var fewestCount = 0
        var survivors: Int? = wrong == 0 && (allowsLoss || confirmedCount == 0) ? 0 : nil
        for (index, change) in changes.enumerated() {
            for range in change.ranges {
                for sector in range {
                    if differs(observed[sector], state[sector]) { wrong -= 1 }
                    state[sector] = change.version(sector)
                    if differs(observed[sector], state[sector]) { wrong += 1 }
                }
            }
            let isAllowed = allowsLoss || index + 1 >= confirmedCount
            if wrong == 0 && isAllowed { survivors = index + 1 }
            if wrong < fewest && isAllowed { (fewest, fewestCount) = (wrong, index + 1) }
        }
        guard let survivors else {
            throw SimulationFailure(
                "after recovery the disk is in no state it was ever in: the nearest, after "
                    + "\(fewestCount) of \(changes.count) changes since the last flush, differs in "
                    + "\(fewest) sectors: " + difference(observed, after: fewestCount)
            )
        }
        for change in changes[..<survivors] {
            for range in change.ranges {
                for sector in range { flushed[sector] = change.version(sector) }
            }
        }
        current = flushed
        settledCount += changes.count
        changes = []
        confirmedCount = 0
        return survivors
    }

    private func differs(_ observed: UInt64, _ expected: UInt64) -> Bool {
        observed != expected && observed != Self.unknown
    }

    private func difference(_ observed: [UInt64], after count: Int) -> String {
        var state = flushed
        for change in changes[..<count] {
            for range in change.ranges {
                for sector in range { state[sector] = change.version(sector) }
            }
        }
        let wrong = state.indices.filter { differs(observed[$0], state[$0]) }
        let list = wrong.prefix(6).map { "\($0): \(observed[$0]) for \(state[$0])" }
        return list.joined(separator: ", ")
    }
}
