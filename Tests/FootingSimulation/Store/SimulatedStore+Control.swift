import FootingSystem

// What a test does to the disk from outside.
extension SimulatedStore {
    /// Sets what goes wrong from now on.
    package func setFaults(_ faults: Faults) {
        state.withLock { $0.faults = faults }
    }

    /// Sets what is left out from now on.
    package func setSabotage(_ sabotage: Sabotage) {
        state.withLock { $0.sabotage = sabotage }
    }

    /// What went wrong so far.
    package var counts: FaultCounts { state.withLock { $0.counts } }

    /// Bytes of all writes that succeeded.
    package var writtenBytes: UInt64 { state.withLock { $0.writtenBytes } }

    /// Writes and syncs so far.
    package var callCount: Int { state.withLock { $0.callCount } }

    /// A number that two equal runs have in common.
    package var trace: UInt64 { state.withLock { $0.trace } }

    /// Whether the power is gone.
    package var isDown: Bool { state.withLock { $0.isDown } }

    /// How many writes are not durable yet.
    package var pendingCount: Int { state.withLock { $0.pending.count } }

    /// Space taken in bytes.
    package var spaceBytes: UInt64 { state.withLock { UInt64($0.spaceUnits.count) << 16 } }

    /// From where on space must have been asked for before anything is written.
    package func requireSpace(from offset: UInt64) {
        state.withLock { $0.reservedStart = offset }
    }

    /// Writes for which none was.
    package var unreservedCount: Int { state.withLock { $0.unreservedCount } }

    /// Whether space was asked for all of a range, and not given back.
    package func hasSpace(_ range: Range<UInt64>) -> Bool {
        state.withLock { $0.hasSpace(range) }
    }

    /// Bytes of the longest range that was given back in one go.
    package var discardBytesMost: Int { state.withLock { $0.discardBytesMost } }

    /// Lets the power go at a write or sync to come: 1 for the next.
    package func crash(atCall count: Int) {
        state.withLock { $0.crashAtCall = $0.callCount + count }
    }

    /// Lets the power go between a superblock and the sync behind it, the narrowest place there is.
    package func crash(afterSuperblock count: Int) {
        state.withLock { $0.superblocksToCrash = count }
    }

    /// The power went, and is back: what was not synced is there in part.
    package func restart(_ survival: Survival) {
        state.withLock { state in
            state.survive(survival)
            state.surviveSize(survival)
            state.isDown = false
            state.hasSyncFailed = false
            state.crashAtCall = .max
            state.superblocksToCrash = 0
        }
    }

    /// Changes bytes behind the engine's back, durably.
    package func damage(at offset: UInt64, _ bytes: [UInt8]) {
        state.withLock { state in
            unsafe bytes.withUnsafeBytes { source in
                unsafe state.current.write(at: offset, source)
                unsafe state.durable.write(at: offset, source)
            }
        }
    }

    /// Flips a bit of a sector that is not about to be overwritten.
    package func rot(sector: UInt64, bit: Int) {
        var bytes = bytes(at: sector * 512, count: 512)
        bytes[bit / 8 % 512] ^= 1 << UInt8(bit % 8)
        damage(at: sector * 512, bytes)
    }

    /// What a read would see.
    package func bytes(at offset: UInt64, count: Int) -> [UInt8] {
        state.withLock { $0.current.bytes(at: offset, count: count) }
    }

    /// An independent disk with the same content.
    package func copy(seed: UInt64) -> SimulatedStore {
        let copy = SimulatedStore(sizeBytes: sizeBytes, seed: seed)
        let (image, units) = state.withLock { ($0.current, $0.spaceUnits) }
        copy.state.withLock { state in
            state.current = image
            state.durable = image
            state.spaceUnits = units
        }
        return copy
    }
}
