import FootingSystem

// One budget for everything that the engine keeps in memory.
extension Engine {
    /// How long commits and changes that are too many for a new budget are waited for.
    private static let shrinkWaitNanoseconds: UInt64 = 1_000_000_000

    /// Changes the budget, and gives back what is beyond it before it returns.
    ///
    /// The caches come first, and also make room for commits and changes that cannot go at once:
    /// those on their way to the store, those that clients are filling, and changes of the map that
    /// wait for a checkpoint. What the caches cannot make up for is waited for, at most a second.
    ///
    /// - Parameter bytes: the floor counts where that is more.
    func setMemoryBudget(_ bytes: Int) { changeMemoryBudget { _ in bytes } }

    /// Divides the budget anew: the disk has become another.
    func refitMemory() { changeMemoryBudget { $0 } }

    /// - Parameter choose: what it is to be, given what it is now.
    private func changeMemoryBudget(_ choose: (Int) -> Int) {
        // One change at a time: who goes by the budget that there is sees that of the last one.
        budgetChange.withLock { _ in
            let plan = MemoryPlan(
                budgetBytes: choose(state.withLock { $0.memory.budgetBytes }),
                geometry: geometry,
                deltaCountMax: options.deltaCountMax
            )
            state.withLock { state in
                state.memory = plan
                state.isCacheSqueezed = false
                fitBatches(&state)
                // What is open goes as soon as it is written; otherwise it might stay for a second.
                if state.batchBytes > plan.batchBytes {
                    seal(.user, continues: false, &state)
                    seal(.collector, continues: false, &state)
                }
            }
            resizeCaches()
            if drive == .threads { awaitShrinking(plan) }
            let isSqueezed = resizeCaches()
            state.withLock { $0.isCacheSqueezed = isSqueezed }
        }
        if drive == .threads { HeapMemory.trim() }
        state.wakeAll(on: Condition.progress)
    }

    /// Gives the caches what commits and changes leave.
    ///
    /// - Returns: whether the blocks' has less than its share.
    @discardableResult
    func resizeCaches() -> Bool {
        let (plan, slabs) = state.withLock { state -> (MemoryPlan, Int) in
            let slabs = state.memory.cacheSlabs(
                batchBytes: state.batchBytes,
                changeBytes: state.changeBytes
            )
            return (state.memory, slabs)
        }
        reader.cache.blocks.resize(slabCount: plan.mapSlabCount)
        blocks.resize(slabCount: slabs)
        fitReadAhead()
        return slabs < plan.cacheSlabCount
    }

    /// Lets the cache have what it had to give up for others, as soon as they have shrunk.
    ///
    /// Does not wait for a change of the budget, which sees to it itself, and may be waiting for
    /// the checkpoint that the caller is about to make.
    func restoreCache() {
        guard state.withLock({ $0.isCacheSqueezed }) else { return }
        _ = budgetChange.withLockIfFree { _ in
            let isSqueezed = resizeCaches()
            state.withLock { $0.isCacheSqueezed = isSqueezed }
        }
    }

    /// Asks again for the commits for which there was no memory, some seconds after the last time.
    ///
    /// Does not wait for a change of the budget, which asks itself.
    func restoreCommits() {
        let now = clock.nanoseconds
        let isDue = state.withLock { state -> Bool in
            guard state.isShortOfMemory, state.failure == nil, !state.isClosed else { return false }
            let since = state.shortSinceNanoseconds ?? now
            state.shortSinceNanoseconds = since
            return now &- since >= EngineLimits.commitRetryNanoseconds
        }
        guard isDue else { return }
        let isDone: Void? = budgetChange.withLockIfFree { _ in
            state.withLock { state in
                fitBatches(&state)
                if state.isShortOfMemory { state.shortSinceNanoseconds = now }
            }
        }
        // Writers may wait for a free one.
        if isDone != nil { state.wakeAll(on: Condition.progress) }
    }

    /// Waits until the caches can make up for what is still too much.
    private func awaitShrinking(_ plan: MemoryPlan) {
        let deadline = clock.nanoseconds + Self.shrinkWaitNanoseconds
        state.withLock { state in
            while state.failure == nil, !state.isClosed {
                let surplus =
                    max(state.batchBytes - plan.batchBytes, 0)
                    + max(state.changeBytes - plan.changeBytes, 0)
                if surplus <= plan.cacheSlabCount * MemoryPlan.slabBytes { return }
                let now = clock.nanoseconds
                if now >= deadline { return }
                if state.changeBytes > plan.changeBytes {
                    state.checkpointRequested = true
                    callMaintenance(&state)
                }
                self.state.wakeAll(on: Condition.committer)
                self.state.wait(
                    &state,
                    on: Condition.progress,
                    nanoseconds: min(deadline - now, 10_000_000)
                )
            }
        }
    }

    /// Lets go of free commits that are too many or of the wrong kind, and makes missing ones.
    private func fitBatches(_ state: inout EngineState) {
        let user = state.user.free
        let collector = state.collector.free
        state.user.free = []
        state.collector.free = []
        state.isShortOfMemory = false
        state.shortSinceNanoseconds = nil
        for batch in user + collector { state.recycle(batch) }
        state.makeBatches()
    }

    /// The account.
    var memory: DiskMemory {
        let cacheBytes = blocks.usedBytes
        let mapBytes = reader.cache.blocks.usedBytes
        return state.withLock { state in
            let plan = state.memory
            let idleBytes = (state.user.free + state.collector.free)
                .reduce(0) { $0 + MemoryPlan.batchBytes(isHuge: $1.isHuge) }
            let returned = state.hasReturnedMemory ? idleBytes : 0
            return DiskMemory(
                budgetBytes: plan.budgetBytes,
                floorBytes: plan.floorBytes,
                blockCache: .init(
                    limitBytes: plan.cacheSlabCount * MemoryPlan.slabBytes,
                    usedBytes: cacheBytes
                ),
                mapCache: .init(
                    limitBytes: plan.mapSlabCount * MemoryPlan.slabBytes,
                    usedBytes: mapBytes
                ),
                commits: .init(
                    limitBytes: plan.batchBytes,
                    usedBytes: state.batchBytes - returned
                ),
                changes: .init(limitBytes: plan.changeBytes, usedBytes: state.changeBytes),
                tables: .init(
                    limitBytes: plan.tableBytes,
                    usedBytes: state.segments.count * MemoryPlan.restingBytesPerSegment
                ),
                work: .init(
                    limitBytes: MemoryPlan.workBytes,
                    usedBytes: state.hasReturnedMemory ? 0 : MemoryPlan.workBytes
                )
            )
        }
    }
}

extension EngineState {
    /// Bytes of all commits in memory, wherever they are.
    var batchBytes: Int {
        hugeBatchCount * MemoryPlan.batchBytes(isHuge: true)
            + (userBatchCount + collectorBatchCount - hugeBatchCount)
            * MemoryPlan.batchBytes(isHuge: false)
    }

    /// Bytes of changes of the map.
    var changeBytes: Int {
        frozen.reduce(active.deltas.byteCount) { $0 + $1.overlay.deltas.byteCount }
    }

    /// Commits of clients that there should be.
    ///
    /// Those that are being filled elsewhere come back only when there is room for another write:
    /// beside them there must always be as many as writes get along with.
    private var userBatchCountWanted: Int {
        max(memory.userBatchCount, stagedBatchCount + MemoryPlan.userBatchCountMin)
    }

    /// Takes a commit back, or lets it go if there are too many, or another of the right kind takes
    /// its place.
    mutating func recycle(_ batch: Batch) {
        let isUser = batch.stream == .user
        let count = isUser ? userBatchCount : collectorBatchCount
        let wanted = isUser ? userBatchCountWanted : EngineLimits.collectorBatchCount
        if count > wanted {
            if isUser { userBatchCount -= 1 } else { collectorBatchCount -= 1 }
            if batch.isHuge { hugeBatchCount -= 1 }
            return
        }
        var kept = batch
        if batch.isHuge != memory.hasHugeBatches, let other = makeBatch(batch.stream) {
            hugeBatchCount += (other.isHuge ? 1 : 0) - (batch.isHuge ? 1 : 0)
            kept = other
        }
        if isUser { user.free.append(kept) } else { collector.free.append(kept) }
    }

    /// Makes the commits that are missing, as far as there is memory; untouched, they cost nothing.
    mutating func makeBatches() {
        while collectorBatchCount < EngineLimits.collectorBatchCount,
            let batch = makeBatch(.collector)
        {
            collector.free.append(batch)
            collectorBatchCount += 1
            if batch.isHuge { hugeBatchCount += 1 }
        }
        while userBatchCount < userBatchCountWanted, let batch = makeBatch(.user) {
            user.free.append(batch)
            userBatchCount += 1
            if batch.isHuge { hugeBatchCount += 1 }
        }
    }

    /// A commit of the planned kind; nil if there is no memory for it.
    ///
    /// Not asked for again for some seconds, unless the budget changes: those at hand will do.
    private mutating func makeBatch(_ stream: CommitHeader.Stream) -> Batch? {
        if isShortOfMemory { return nil }
        do throws(Errno) {
            return try Batch(stream: stream, isHuge: memory.hasHugeBatches, buffers: buffers)
        } catch {
            isShortOfMemory = true
            statistics.refusedCommits += 1
            return nil
        }
    }

    /// - Throws: kind `noMemory` if there are fewer commits than the engine gets along with.
    func requireBatches() throws(DiskError) {
        let isEnough =
            userBatchCount >= MemoryPlan.userBatchCountMin
            && collectorBatchCount >= EngineLimits.collectorBatchCount
        if isEnough { return }
        throw DiskError(
            .noMemory,
            "open",
            "the kernel refuses the memory for \(MemoryPlan.userBatchCountMin) commits of "
                + "\(MemoryPlan.batchBytes(isHuge: memory.hasHugeBatches) >> 10) KiB; "
                + "give it more, or ask for a smaller budget"
        )
    }
}
