import FootingSystem

/// A large write whose bytes are still arriving: they go straight to where the log takes them from.
///
/// The owner fills the bytes in order, says how far it has come, and commits. Each block is summed
/// when it is complete, so that receiving and summing overlap and nothing is copied. Where the disk
/// compresses, each block moves up to the end of the one before at the same time. Until the commit
/// nobody waits for it: it has no place in the log yet, and a client that stops half-way holds up
/// nobody.
///
/// One thread at a time uses it.
public final class StagedWrite {
    private let engine: Engine
    private var batch: Batch?
    private let first: UInt64
    private let blockCount: Int
    /// Blocks that are in their place in the commit, and where the next one's begins.
    private var placedCount = 0
    private var end = 4096
    private var encoder: BlockEncoder

    init(_ engine: Engine, _ batch: Batch, first: UInt64, blockCount: Int) {
        self.engine = engine
        self.batch = batch
        self.first = first
        self.blockCount = blockCount
        encoder = BlockEncoder(engine.coder, engine.compression.withLock { $0 })
    }

    deinit {
        if let batch { engine.giveBack(batch) }
    }

    /// How many bytes it takes.
    public var count: Int { blockCount * 4096 }

    /// Where the bytes go.
    ///
    /// Valid until ``commit()``; what was filled already may change.
    public var bytes: UnsafeMutableRawBufferPointer {
        guard let batch else { preconditionFailure("used after its commit") }
        return unsafe batch.buffer.slice(4096..<4096 + count)
    }

    /// Tells how many bytes from the beginning are in place, and will not change any more.
    public func didFill(_ filledCount: Int) {
        guard let batch else { preconditionFailure("used after its commit") }
        precondition(filledCount <= count, "more than the write has")
        while (placedCount + 1) * 4096 <= filledCount { place(batch) }
    }

    /// Puts the next block behind the ones before, encoded if it shrinks.
    private func place(_ batch: Batch) {
        let start = (1 + placedCount) * 4096
        let block = unsafe UnsafeRawBufferPointer(batch.buffer.slice(start..<start + 4096))
        let form = unsafe withUnsafeTemporaryAllocation(
            byteCount: BlockCoder.encodedBytesMax,
            alignment: 16
        ) { scratch -> BlockForm in
            if let form = unsafe encoder.encode(block, into: scratch) {
                let stored = unsafe UnsafeRawBufferPointer(rebasing: scratch[..<form.byteCount])
                unsafe batch.buffer.copy(from: stored, at: end)
                return form
            }
            let form = unsafe engine.plainForm(block)
            if end != start { unsafe batch.buffer.copy(from: block, at: end) }
            return form
        }
        let descriptor = Descriptor(first + UInt64(placedCount), form)
        Descriptor.store(descriptor, placedCount, in: batch.buffer)
        end += form.byteCount
        placedCount += 1
    }

    /// Makes the write take effect, as ``Disk/write(at:_:)`` does.
    public func commit() throws(DiskError) {
        precondition(placedCount == blockCount, "committed before all of it was there")
        guard let batch else { preconditionFailure("committed twice") }
        defer { engine.callSealer() }
        if blockCount > engine.geometry.descriptorsPerCommit {
            // More than a commit takes: gathered here, where there is memory already.
            try copy(batch)
            engine.giveBack(batch)
            self.batch = nil
            return
        }
        let admission = try engine.admit(blocks: blockCount) { state in
            guard engine.adopt(batch, first, blockCount, &state) else { return false }
            state.stagedBatchCount -= 1
            batch.forEachForm { state.statistics.count($0) }
            return true
        }
        if admission != .done {
            // The segment ends too soon for it: as any other write, then, in two commits.
            try copy(batch)
            engine.giveBack(batch)
        }
        self.batch = nil
    }

    private func copy(_ batch: Batch) throws(DiskError) {
        try unsafe withUnsafeTemporaryAllocation(of: EncodedBlock.self, capacity: blockCount) {
            (blocks) throws(DiskError) in
            var start = 4096
            for index in 0..<blockCount {
                guard let form = Descriptor.load(index, from: batch.buffer)?.form else {
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
        let batch = state.withLock { state -> Batch? in
            waitForStage(&state)
            guard state.user.free.count > EngineLimits.unstagedBatchCount else { return nil }
            state.hasReturnedMemory = false
            state.stagedBatchCount += 1
            return state.user.free.removeLast()
        }
        return batch.map {
            StagedWrite(self, $0, first: offset / 4096, blockCount: blocks)
        }
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
    func giveBack(_ batch: Batch) {
        state.withLock { state in
            state.stagedBatchCount -= 1
            state.recycle(batch)
        }
        if drive == .threads { state.wakeAll(on: Condition.progress) }
    }
}
