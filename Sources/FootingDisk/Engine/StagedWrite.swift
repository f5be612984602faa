import FootingSystem

/// A large write whose bytes are still arriving: they go straight to where the log takes them from.
///
/// The owner fills the bytes in order, says how far it has come, and commits. Each block is summed
/// when it is complete, so that receiving and summing overlap and nothing is copied. Where the disk
/// compresses, each block moves up to the end of the one before at the same time. What one commit
/// of an encrypted disk has no room for moves on to the next one's memory, while it is in the
/// processor's cache. Until the commit nobody waits for it: it has no place in the log yet, and a
/// client that stops half-way holds up nobody.
///
/// One thread at a time uses it.
public final class StagedWrite {
    private let engine: Engine
    /// Where the bytes arrive, and where the first blocks stay; the next blocks' behind it.
    private var batches: [Batch]
    private let first: UInt64
    private let blockCount: Int
    /// Blocks that each batch has in the end, but the last, which may have fewer.
    private let blocksPerBatch: Int
    /// Blocks that are in their place in a commit, and where the next one's begins.
    private var placedCount = 0
    private var end = 4096
    private var encoder: BlockEncoder

    /// - Parameter batches: as many as the write needs, or one, from which it is copied in the end.
    init(_ engine: Engine, _ batches: [Batch], first: UInt64, blockCount: Int) {
        self.engine = engine
        self.batches = batches
        self.first = first
        self.blockCount = blockCount
        blocksPerBatch = (blockCount + batches.count - 1) / batches.count
        encoder = BlockEncoder(engine.coder, engine.compression.withLock { $0 })
    }

    deinit {
        if !batches.isEmpty { engine.giveBack(batches) }
    }

    /// How many bytes it takes.
    public var count: Int { blockCount * 4096 }

    /// Where the bytes go.
    ///
    /// Valid until ``commit()``; what was filled already may change.
    public var bytes: UnsafeMutableRawBufferPointer {
        unsafe arrival.buffer.slice(4096..<4096 + count)
    }

    private var arrival: Batch {
        guard let batch = batches.first else { preconditionFailure("used after its commit") }
        return batch
    }

    /// Tells how many bytes from the beginning are in place, and will not change any more.
    public func didFill(_ filledCount: Int) {
        precondition(filledCount <= count, "more than the write has")
        // Memory to encode in is not on the stack: once for many blocks, and only where it is used.
        let scratchBytes = encoder.encodes ? BlockCoder.encodedBytesMax : 0
        unsafe withUnsafeTemporaryAllocation(byteCount: scratchBytes, alignment: 16) { scratch in
            while (placedCount + 1) * 4096 <= filledCount { unsafe place(scratch) }
        }
    }

    /// Puts the next block behind the ones before, encoded if it shrinks.
    private func place(_ scratch: UnsafeMutableRawBufferPointer) {
        let start = (1 + placedCount) * 4096
        let (number, slot) = placedCount.quotientAndRemainder(dividingBy: blocksPerBatch)
        if slot == 0 { end = 4096 }
        let target = batches[number]
        let block = unsafe UnsafeRawBufferPointer(arrival.buffer.slice(start..<start + 4096))
        let form: BlockForm
        if let encoded = unsafe encoder.encode(block, into: scratch) {
            form = encoded
            let stored = unsafe UnsafeRawBufferPointer(rebasing: scratch[..<form.byteCount])
            unsafe target.buffer.copy(from: stored, at: end)
        } else {
            form = unsafe engine.plainForm(block)
            if number > 0 || end != start { unsafe target.buffer.copy(from: block, at: end) }
        }
        Descriptor.store(Descriptor(first + UInt64(placedCount), form), slot, in: target.buffer)
        end += form.byteCount
        placedCount += 1
    }

    /// Makes the write take effect, as ``Disk/write(at:_:)`` does.
    public func commit() throws(DiskError) {
        precondition(placedCount == blockCount, "committed before all of it was there")
        precondition(!batches.isEmpty, "committed twice")
        if blocksPerBatch > engine.geometry.descriptorsPerCommit {
            // More than a commit takes: gathered here, where there is memory already.
            return try commitCopy()
        }
        let admission = try engine.admit(blocks: blockCount) { state in
            guard engine.adopt(batches, first, blockCount, blocksPerBatch, &state) else {
                return false
            }
            state.stagedBatchCount -= batches.count
            state.statistics.stagedCommits += UInt64(batches.count - 1)
            for batch in batches { batch.forEachForm { state.statistics.count($0) } }
            return true
        }
        // The segment ends too soon for it: as any other write, then, in two commits.
        guard admission == .done else { return try commitCopy() }
        batches = []
        engine.encryptAhead(blocks: blockCount)
    }

    private func commitCopy() throws(DiskError) {
        try copy()
        engine.giveBack(batches)
        batches = []
        engine.encryptAhead(blocks: blockCount)
    }

    private func copy() throws(DiskError) {
        try unsafe withUnsafeTemporaryAllocation(of: EncodedBlock.self, capacity: blockCount) {
            (blocks) throws(DiskError) in
            var start = 4096
            for index in 0..<blockCount {
                let (number, slot) = index.quotientAndRemainder(dividingBy: blocksPerBatch)
                if slot == 0 { start = 4096 }
                let batch = batches[number]
                guard let form = Descriptor.load(slot, from: batch.buffer)?.form else {
                    preconditionFailure("a block that was not placed")
                }
                let stored = unsafe batch.buffer.slice(start..<start + form.byteCount)
                unsafe blocks.initializeElement(
                    at: index,
                    to: EncodedBlock(form, UnsafeRawBufferPointer(stored))
                )
                start += form.byteCount
            }
            _ = try engine.writeBlocks(
                unsafe EncodedBlocks(first: first, blocks),
                ifStill: nil
            )
        }
    }
}

extension Engine {
    /// A place for a large write's bytes; nil where the write should be made in the usual way.
    func stage(at offset: UInt64, count: Int) -> StagedWrite? {
        let blocks = count / 4096
        let geometry = geometry
        guard offset % 4096 == 0, count % 4096 == 0, blocks >= options.stagedBlockCountMin,
            blocks < atomicBlockCount,
            offset <= geometry.sizeBytes,
            UInt64(count) <= geometry.sizeBytes - offset
        else { return nil }
        let most = min(geometry.descriptorsPerCommit, options.stagedBlocksPerCommitMax)
        let wanted = (blocks + most - 1) / most
        let batches = state.withLock { state -> [Batch] in
            waitForStage(&state)
            let spare = state.user.free.count - EngineLimits.unstagedBatchCount
            guard spare > 0 else { return [] }
            let taken = spare < wanted ? 1 : wanted
            state.hasReturnedMemory = false
            state.stagedBatchCount += taken
            return (0..<taken).map { _ in state.user.free.removeLast() }
        }
        if batches.isEmpty { return nil }
        return StagedWrite(self, batches, first: offset / 4096, blockCount: blocks)
    }

    /// Waits a little for a commit to come back from the device: a write that is gathered elsewhere
    /// would have to wait for it in the end, and be copied besides.
    ///
    /// Not for long: slow clients may hold what others wait for.
    private func waitForStage(_ state: inout EngineState) {
        guard drive == .threads else { return }
        let deadline = clock.nanoseconds + EngineLimits.stageWaitNanoseconds
        while state.user.free.count <= EngineLimits.unstagedBatchCount, state.failure == nil,
            !state.isCommitBlocked
        {
            // What slow clients hold does not come back when a commit has been written.
            let returning = state.sealed.count { $0.stream == .user }
            guard state.user.free.count + returning > EngineLimits.unstagedBatchCount else {
                return
            }
            let now = clock.nanoseconds
            if now >= deadline { return }
            self.state.wait(&state, on: Condition.progress, nanoseconds: deadline - now)
        }
    }

    /// Takes back what ``stage(at:count:)`` gave away.
    func giveBack(_ batches: [Batch]) {
        state.withLock { state in
            state.stagedBatchCount -= batches.count
            for batch in batches { state.recycle(batch) }
        }
        if drive == .threads { state.wakeAll(on: Condition.progress) }
    }
}
