package import FootingDisk
package import FootingSystem

/// A disk in memory that loses, tears and reorders what was not synced, and fails as it is told.
///
/// Reads see every write at once, as through a page cache; a crash goes back to what was durable
/// and an arbitrary part of the rest.
package final class SimulatedStore: BlockStore {
    struct Write {
        let offset: UInt64
        let bytes: [UInt8]
    }

    struct State: ~Copyable {
        var sizeBytes: UInt64
        /// What is left of a size that was not synced.
        var durableSizeBytes: UInt64
        var current = SparseImage()
        var durable = SparseImage()
        /// Written since the last sync, oldest first.
        var pending: [Write] = []
        /// Nothing is synced any more until the next start: see ``BlockStore/synchronize()``.
        var hasSyncFailed = false
        /// How many of them a sync covers that has not happened yet: only with sabotage.
        var deferredCount = 0
        var random: SeededRandom
        var faults = Faults()
        var sabotage = Sabotage.none
        var counts = FaultCounts()
        /// Writes and syncs so far, and the number of the one that finds the power gone.
        var callCount = 0
        /// Bytes of all writes that succeeded.
        var writtenBytes: UInt64 = 0
        var crashAtCall = Int.max
        /// Superblocks until the power goes; 0: it does not for that.
        var superblocksToCrash = 0
        var isDown = false
        var spaceUnits: Set<UInt64> = []
        /// From there on nothing is written for which no space was asked, and how often it was.
        var reservedStart = UInt64.max
        var unreservedCount = 0
        var discardBytesMost = 0
        var trace: UInt64 = 0xcbf2_9ce4_8422_2325

        init(sizeBytes: UInt64, random: SeededRandom) {
            self.sizeBytes = sizeBytes
            durableSizeBytes = sizeBytes
            self.random = random
        }
    }

    let state: Locked<State>
    /// What happens in the midst of a call.
    struct Hook: Sendable {
        var body: (@Sendable () -> Void)?
    }

    /// Called before every write and sync, outside of all locks: what a client does meanwhile.
    ///
    /// In a structure: Swift wraps a bare function once more with each access, until the stack is
    /// too small to release it.
    let hook = Locked(Hook())

    /// What it is called in errors.
    package let path = "simulated disk"
    /// Bytes there are.
    package var sizeBytes: UInt64 { state.withLock { $0.sizeBytes } }

    /// An empty disk whose misfortunes follow from a seed.
    package init(sizeBytes: UInt64, seed: UInt64) {
        state = Locked(State(sizeBytes: sizeBytes, random: SeededRandom(seed: seed)))
    }

    /// Sets what is called before every write and sync.
    package func setHook(_ body: (@Sendable () -> Void)?) {
        hook.withLock { $0.body = body }
    }

    private func runHook() {
        if let body = hook.withLock({ $0 }).body { body() }
    }
}

// MARK: - BlockStore

extension SimulatedStore {
    /// Reads what was written last.
    package func read(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) {
        let count = buffer.count
        try state.withLock { (state) throws(Errno) in
            precondition(offset + UInt64(count) <= state.sizeBytes, "a read beyond the end")
            state.settle(next: nil)
            if state.isDown { throw .inputOutput }
            let wanted = offset..<offset + UInt64(count)
            if let bad = state.faults.unreadable, bad.overlaps(wanted) { throw .inputOutput }
            if state.strikes(state.faults.readErrorOneIn) {
                state.counts.readErrors += 1
                throw .inputOutput
            }
            unsafe state.current.read(at: offset, into: buffer)
        }
    }

    /// Reads in any order, each with its own misfortune.
    package func readDirectly(_ reads: inout [DirectRead]) {
        var order = Array(reads.indices)
        state.withLock { order.shuffle(using: &$0.random) }
        for index in order {
            reads[index].perform { (offset, buffer) throws(Errno) in
                unsafe try read(at: offset, into: buffer)
            }
        }
    }

    /// Reads that end in any order, at the last moment.
    package func makeReadQueue() -> (any DirectReadQueue)? { SimulatedReadQueue(self) }

    /// Writes to what is volatile until the next sync.
    package func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        let count = bytes.count
        precondition(offset % 4096 == 0 && count % 4096 == 0, "a misaligned write")
        precondition(Int(bitPattern: bytes.baseAddress) % 4096 == 0, "misaligned memory")
        precondition(offset + UInt64(count) <= sizeBytes, "a write beyond the end")
        runHook()
        let copy = unsafe [UInt8](bytes)
        try state.withLock { (state) throws(Errno) in
            state.settle(next: offset)
            try state.countCall()
            state.noteSpace(offset, bytes.count)
            state.note(1, offset, unsafe Checksum.crc32c(bytes))
            let isBad = state.faults.writeErrorOffset == offset
            if isBad || state.strikes(state.faults.writeErrorOneIn) {
                state.counts.writeErrors += 1
                throw .inputOutput
            }
            if state.strikes(state.faults.writeSpaceErrorOneIn) {
                state.counts.spaceErrors += 1
                throw .noSpace
            }
            if let end = state.faults.writeSpaceEnd, offset + UInt64(count) > end {
                state.counts.spaceErrors += 1
                throw .noSpace
            }
            var target = offset
            if state.strikes(state.faults.misdirectedWriteOneIn) {
                state.counts.misdirectedWrites += 1
                let pages = Int((state.sizeBytes - UInt64(count)) / 4096)
                target = UInt64(state.random.below(pages + 1)) * 4096
            }
            state.accept(Write(offset: target, bytes: copy))
            state.writtenBytes += UInt64(count)
        }
    }

    /// Writes and makes durable, these bytes alone.
    package func writeDurably(
        at offset: UInt64,
        _ buffers: [UnsafeRawBufferPointer]
    ) throws(Errno) {
        runHook()
        var bytes: [UInt8] = []
        for index in unsafe buffers.indices { unsafe bytes.append(contentsOf: buffers[index]) }
        let write = Write(offset: offset, bytes: bytes)
        precondition(offset % 4096 == 0 && bytes.count % 4096 == 0, "a misaligned write")
        precondition(offset + UInt64(bytes.count) <= sizeBytes, "a write beyond the end")
        try state.withLock { (state) throws(Errno) in
            state.settle(next: offset)
            try state.countCall()
            state.noteSpace(offset, bytes.count)
            state.note(3, offset, unsafe bytes.withUnsafeBytes { unsafe Checksum.crc32c($0) })
            if state.hasSyncFailed { throw .inputOutput }
            if state.strikes(state.faults.writeSpaceErrorOneIn)
                || state.faults.writeSpaceEnd.map({ offset + UInt64(bytes.count) > $0 }) ?? false
            {
                state.counts.spaceErrors += 1
                throw .noSpace
            }
            let fails = state.strikes(state.faults.writeErrorOneIn)
            if fails || state.strikes(state.faults.syncErrorOneIn) {
                state.hasSyncFailed = true
                state.counts.writeErrors += 1
                state.accept(write)
                state.survive(.random)
                throw .inputOutput
            }
            var target = write
            if state.strikes(state.faults.misdirectedWriteOneIn) {
                state.counts.misdirectedWrites += 1
                let pages = Int((state.sizeBytes - UInt64(bytes.count)) / 4096)
                target = Write(
                    offset: UInt64(state.random.below(pages + 1)) * 4096,
                    bytes: bytes
                )
            }
            state.accept(target)
            state.writtenBytes += UInt64(bytes.count)
            // A missing sync of a flush shows here, too.
            if state.sabotage != .syncOfFlush { state.makeLastDurable() }
        }
    }

    /// Makes durable what was written, unless it fails and loses a part.
    package func synchronize() throws(Errno) {
        runHook()
        try state.withLock { (state) throws(Errno) in
            state.settle(next: nil)
            try state.countCall()
            state.note(2, UInt64(state.pending.count), 0)
            if state.hasSyncFailed { throw .inputOutput }
            if state.strikes(state.faults.syncErrorOneIn) {
                state.hasSyncFailed = true
                state.counts.writeErrors += 1
                state.survive(.random)
                throw .inputOutput
            }
            state.deferredCount = state.pending.count
            state.durableSizeBytes = state.sizeBytes
            if state.sabotage == .none { state.settle(next: nil) }
        }
    }

    /// Makes it longer, which a crash may undo until the next sync.
    package func grow(toBytes size: UInt64) throws(Errno) {
        try state.withLock { (state) throws(Errno) in
            if state.isDown { throw .inputOutput }
            state.sizeBytes = max(state.sizeBytes, size)
        }
    }

    /// Counts space in units of 64 KiB.
    package func allocate(_ range: Range<UInt64>) throws(Errno) {
        try state.withLock { (state) throws(Errno) in
            if state.isDown { throw .inputOutput }
            let units = (range.lowerBound >> 16)..<((range.upperBound + 0xffff) >> 16)
            let missing = units.filter { !state.spaceUnits.contains($0) }
            if let limit = state.faults.spaceBytesMax,
                UInt64(state.spaceUnits.count + missing.count) << 16 > limit
            {
                state.counts.spaceErrors += 1
                throw .noSpace
            }
            state.spaceUnits.formUnion(missing)
        }
    }

    /// Harder than a file: what was in the range is gone, so that nothing may need it.
    package func prepare(_ range: Range<UInt64>) throws(Errno) -> UInt64 {
        runHook()
        try state.withLock { (state) throws(Errno) in
            state.settle(next: range.lowerBound)
            try state.countCall()
            state.noteSpace(range.lowerBound, range.count)
            state.note(4, range.lowerBound, UInt32(range.count))
            if state.strikes(state.faults.writeSpaceErrorOneIn) {
                state.counts.spaceErrors += 1
                throw .noSpace
            }
            state.accept(
                Write(offset: range.lowerBound, bytes: Array(repeating: 0, count: range.count))
            )
            state.writtenBytes += UInt64(range.count)
        }
        return UInt64(range.count)
    }

    /// Gives space back; the content is anything afterwards.
    package func discard(_ range: Range<UInt64>) throws(Errno) {
        state.withLock { state in
            state.discardBytesMost = max(state.discardBytesMost, range.count)
            for unit in (range.lowerBound >> 16)..<((range.upperBound + 0xffff) >> 16) {
                state.spaceUnits.remove(unit)
            }
            guard !state.isDown, state.random.oneIn(2), range.count <= 1 << 20 else { return }
            let fill = UInt8(truncatingIfNeeded: state.random.next())
            let value = state.random.oneIn(2) ? 0 : fill
            state.accept(
                Write(
                    offset: range.lowerBound,
                    bytes: Array(repeating: value, count: range.count)
                )
            )
        }
    }
}
