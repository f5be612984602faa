import FootingSystem

// Giving back to the host what was trimmed, where much else lies in the same segments.
extension Engine {
    /// Segments fuller than this are left alone: to win a byte takes three written at most.
    static let returnFullest = SegmentFill(used: 3, of: 4)

    /// Begins a compaction that nobody asked for, if what the disk holds has become less.
    ///
    /// It goes on only while clients leave the disk alone, leaves alone what is nearly full, and
    /// wins no more than the disk holds less: other outdated blocks are room that the log needs.
    ///
    /// - Returns: nil if there is nothing to be done.
    func returnTask(_ state: inout EngineState) -> MaintenanceTask? {
        guard !state.compaction.status.isRunning, !state.hasPendingSnapshot else { return nil }
        let bytesMin = options.upkeep.trimmedBytesMin
        if state.trimmedBytes >= bytesMin {
            state.trimmedBytes = 0
            // Only a checkpoint tells what they left; while clients write a little now and then,
            // none comes by itself.
            if state.trimLSN > state.superblock.lsn { return .checkpoint }
        }
        let wonUnitsMax = state.shrinkage.units
        let part = state.shrinkage.liveUnits / 32
        guard wonUnitsMax >= max(bytesMin / Geometry.unitSizeBytes, part) else { return nil }
        // Looked at once: what is left in fuller segments stays until there is more of it.
        state.shrinkage.forget()
        guard returnableSegmentCount(state) >= options.upkeep.returnedSegmentCountMin else {
            return nil
        }
        if !state.compaction.isUnasked { state.askedCompaction = state.compaction.status }
        state.compaction = Compaction()
        state.compaction.isUnasked = true
        state.compaction.status.isRunning = true
        state.compaction.hasBegun = true
        state.compaction.sequenceEnd = state.nextSequence
        state.compaction.wonUnitsMax = wonUnitsMax
        return compactionTask(&state)
    }

    /// Segments that would be free if what is live in emptier ones were put together.
    private func returnableSegmentCount(_ state: borrowing EngineState) -> Int {
        let capacity = UInt64(geometry.payloadPerSegment) * Geometry.unitsPerBlock
        var deadUnits: UInt64 = 0
        for (index, entry) in state.segments.enumerated() where entry.state == .data {
            let live = UInt64(entry.liveUnits)
            if Self.returnFullest.exceeds(live, capacity), canBeEmptied(index, state) {
                deadUnits += capacity - live
            }
        }
        return Int(deadUnits / max(capacity, 1))
    }
}

/// How much of what a disk no longer holds lies in segments that are still in use.
///
/// What is trimmed as whole segments goes back without being asked for, and what is overwritten
/// leaves room that the log needs; neither counts.
struct Shrinkage: Sendable {
    /// What a checkpoint has changed.
    struct Change: Sendable {
        /// Units by which all segments together hold more, or less.
        private(set) var units = 0
        /// Units by which those hold less that still hold something.
        private(set) var lessUnits: UInt64 = 0

        /// Counts a segment.
        mutating func count(from before: UInt32, to after: UInt32) {
            units += Int(after) - Int(before)
            if after > 0, after < before { lessUnits += UInt64(before - after) }
        }
    }

    /// What the tree of the last checkpoint refers to.
    private(set) var liveUnits: UInt64
    /// How much less that is than it was.
    private(set) var units: UInt64 = 0

    /// Nothing yet, at an opening.
    init(of segments: [SegmentEntry] = []) {
        liveUnits = segments.reduce(0) { $0 + UInt64($1.liveUnits) }
    }

    /// Takes in what a checkpoint has changed.
    mutating func note(_ change: Change) {
        let more = UInt64(max(change.units, 0))
        let less = UInt64(max(-change.units, 0))
        liveUnits = liveUnits + more - min(less, liveUnits + more)
        units = units - min(units, more) + min(less, change.lessUnits)
    }

    /// Begins anew with what there is.
    mutating func forget() { units = 0 }
}

/// How full a segment is, as a fraction.
struct SegmentFill: Sendable {
    let used: Int
    let of: Int

    /// Whether so much of so much is less than this.
    func exceeds(_ part: UInt64, _ whole: UInt64) -> Bool {
        part * UInt64(of) < whole * UInt64(used)
    }
}
