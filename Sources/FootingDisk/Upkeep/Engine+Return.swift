import FootingSystem

// Giving back to the host what was trimmed, where much else lies in the same segments.
extension Engine {
    /// Segments fuller than this are left alone: to win a byte takes three written at most.
    static let returnFullest = SegmentFill(used: 3, of: 4)

    /// Begins a compaction that nobody asked for, if enough was trimmed since the last one.
    ///
    /// It goes on only while clients leave the disk alone, and leaves alone what is nearly full.
    ///
    /// - Returns: whether one is to begin.
    func startReturn(_ state: inout EngineState) -> Bool {
        guard state.trimmedBytes >= options.upkeep.trimmedBytesMin,
            !state.compaction.status.isRunning, !state.hasPendingSnapshot
        else { return false }
        // Looked at once: what the trims left in fuller segments stays until more are trimmed.
        state.trimmedBytes = 0
        guard returnableSegmentCount(state) >= options.upkeep.returnedSegmentCountMin else {
            return false
        }
        if !state.compaction.isUnasked { state.askedCompaction = state.compaction.status }
        state.compaction = Compaction()
        state.compaction.isUnasked = true
        state.compaction.status.isRunning = true
        state.compaction.sequenceEnd = state.nextSequence
        return true
    }

    /// Segments that would be free if what is live in emptier ones were put together.
    private func returnableSegmentCount(_ state: borrowing EngineState) -> Int {
        let capacity = UInt64(geometry.payloadPerSegment) * Geometry.unitsPerBlock
        var deadUnits: UInt64 = 0
        for (index, entry) in state.segments.enumerated() where entry.state == .data {
            let live = UInt64(entry.liveUnits)
            if !isPinned(index, state), Self.returnFullest.exceeds(live, capacity) {
                deadUnits += capacity - live
            }
        }
        // Those that are free already count as well: they were won without any work.
        let surplus = max(state.ready.count - segmentsWanted(state), 0)
        return Int(deadUnits / max(capacity, 1)) + surplus
    }
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
