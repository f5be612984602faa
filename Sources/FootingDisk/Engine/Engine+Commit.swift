import FootingSystem
import Synchronization

// Making things durable: seal, write, sync.
extension Engine {
    /// Calls back when everything acknowledged before this call is durable, or cannot be.
    ///
    /// - Parameter mayCommit: whether the calling thread has nothing better to do than to commit by
    ///   itself, which is faster than to wake another thread for it.
    func flush(
        mayCommit: Bool = false,
        _ completion: @escaping @Sendable (DiskError?) -> Void
    ) {
        var commitsHere = false
        let (isDone, failure) = state.withLock { state -> (Bool, DiskError?) in
            if let failure = state.failure { return (true, failure) }
            if state.isClosed { return (true, DiskError(.closed, "flush", "the disk was closed")) }
            let open = state.user.open.map { hasNothing($0) ? 0 : $0.serial } ?? 0
            let target = max(open, state.user.sealedSerial)
            if target <= state.user.durableSerial { return (true, nil) }
            state.flushWaiters.append(
                EngineState.FlushWaiter(serial: target, completion: completion)
            )
            // On a slow device more writes come while it works: the committer gathers them. And
            // where processors are short, two threads get on faster than one. Few flushes at a
            // time can wait for each other less.
            let isFast =
                state.commitNanoseconds / (state.lastFlushCount > 1 ? 1 : 2)
                <= options.gatherThresholdNanoseconds
            commitsHere = mayCommit && !state.isCommitting && state.sealed.isEmpty && isFast
            return (false, nil)
        }
        if isDone { return completion(failure) }
        if drive == .threads {
            // Who waits was told of an error; without space it is the committer's to try again.
            if commitsHere, (try? commitStep()) == true { return }
            state.wakeAll(on: Condition.committer)
            return
        }
        do throws(DiskError) {
            while hasFlushWaiters {
                if try !commitStep() { break }
            }
        } catch {
            // The waiter was told.
        }
    }

    private func hasNothing(_ batch: Batch) -> Bool {
        batch.isEmpty || (options.leavesOutOfFeatures == .trim && batch.payloadCount == 0)
    }

    private var hasFlushWaiters: Bool { state.withLock { !$0.flushWaiters.isEmpty } }

    /// Writes the next commits, if there are any to write, and syncs if someone waits for it.
    ///
    /// One thread at a time does so.
    ///
    /// - Returns: whether there was anything to do; false also while another thread does it.
    /// - Throws: what ended the engine, or kind `noSpace` or `noMemory`, after which it can be
    ///   called again.
    func commitStep() throws(DiskError) -> Bool {
        // A single thread may come here again from who was told of a flush.
        if drive == .callers {
            let isWithin = state.withLock { $0.beginCommitting() }
            defer { state.withLock { $0.isCommitting = isWithin } }
            return try commitNext()
        }
        let isMine = state.withLock { state in
            // Whoever looks without finding anything does not keep a flush from its own thread.
            if state.isCommitting || !mayHaveCommitWork(state) { return false }
            state.isCommitting = true
            return true
        }
        guard isMine else { return false }
        defer {
            let hasMore = state.withLock { state in
                state.isCommitting = false
                return hasCommitWork(state)
            }
            if hasMore { state.wakeAll(on: Condition.committer) }
        }
        return try commitNext()
    }

    private func mayHaveCommitWork(_ state: borrowing EngineState) -> Bool {
        if state.failure != nil { return false }
        if !state.sealed.isEmpty || !state.flushWaiters.isEmpty { return true }
        if state.unsyncedBytes > 0 { return true }
        guard let open = state.user.open, !open.isEmpty else { return false }
        return clock.nanoseconds &- open.openedNanoseconds >= options.unflushedNanosecondsMax
    }

    private func commitNext() throws(DiskError) -> Bool {
        let start = clock.nanoseconds
        let (batches, isDurable) = state.withLock { state -> ([Batch], Bool) in
            if state.failure != nil { return ([], false) }
            if state.sealed.isEmpty { sealWhatIsAwaited(start, &state) }
            let batches = neighbours(state)
            return (batches, isEndOfFlush(batches, state))
        }
        if !batches.isEmpty {
            do throws(DiskError) {
                try write(batches, isDurable: isDurable)
            } catch {
                throw commitFailure(error)
            }
            for batch in batches { refreshCache(from: batch) }
            let due = try state.withLock {
                (state) throws(DiskError) -> [EngineState.FlushWaiter] in
                for batch in batches { finishWrite(batch, &state) }
                guard isDurable else { return [] }
                // What failed for another thread meanwhile may concern these commits.
                if let failure = state.failure { throw failure }
                state.unsyncedBytes = 0
                state.statistics.synchronizations += 1
                return finishFlush(SyncTarget(state), since: start, &state)
            }
            if drive == .threads { state.wakeAll(on: Condition.progress) }
            for waiter in due { waiter.completion(nil) }
        }
        let didSync = try synchronizeIfAwaited(since: start)
        return !batches.isEmpty || didSync
    }

    /// Whether a flush waits for these commits and for nothing else that is not durable yet: a
    /// write that is durable when it returns will do, which is one trip to the device where it can
    /// (FUA), and one system call where it cannot.
    private func isEndOfFlush(_ batches: [Batch], _ state: borrowing EngineState) -> Bool {
        guard let last = batches.last, last.stream == .user, !last.continues,
            state.unsyncedBytes == 0, !state.isWithinWrite,
            // After ENOSPC only a sync of its own tells whether that was what failed.
            !state.isCommitBlocked,
            batches.reduce(0, { $0 + $1.sizeBytes }) <= EngineLimits.durableWriteBytesMax
        else { return false }
        // One sync for all, if what others wait for is sealed already.
        let isMoreAwaited =
            state.sealed.count > batches.count
            && state.flushWaiters.contains { $0.serial > last.serial }
        return !isMoreAwaited && state.flushWaiters.contains { $0.serial <= last.serial }
    }

    /// The first sealed commits that are one behind the other in the log: one call writes them, and
    /// a device that can takes its parts side by side.
    private func neighbours(_ state: borrowing EngineState) -> [Batch] {
        // What has no space is tried one by one: each that fits is progress.
        let limit = state.isCommitBlocked ? 1 : EngineLimits.batchesPerWrite
        let awaited = state.flushWaiters.map(\.serial).max()
        var batches: [Batch] = []
        var end: UInt64?
        for batch in state.sealed.prefix(limit) {
            guard end == nil || batch.offset == end else { break }
            batches.append(batch)
            end = batch.offset + UInt64(batch.sizeBytes)
            // Whoever waits for a flush does not wait for more than that.
            if let awaited, batch.stream == .user, batch.serial >= awaited, !batch.continues {
                break
            }
        }
        return batches
    }

    /// Gives the cache the new versions of the blocks it holds, and others as far as it has memory
    /// that nobody uses.
    ///
    /// Before readers stop finding them in the commit itself. Nothing is displaced: what clients
    /// write most of them keep themselves, and do not read again soon. Nor is a sequence of blocks
    /// taken in, which the device gives back as fast as it took it.
    private func refreshCache(from batch: Batch) {
        let takesIn = batch.stream == .user && options.cachesWrites
        // One thread at a time commits; a sequence goes on in the next commit.
        var sequence = takesIn ? writtenSequence.withLock { $0 } : BlockSequence()
        defer { if takesIn { writtenSequence.withLock { $0 = sequence } } }
        unsafe batch.forEachBlock { block, entry, stored in
            sequence.note(block)
            guard let form = entry.form else { return }
            let isNews = takesIn && !sequence.isLong
            if form.encoding == .plain {
                return unsafe refresh(block, entry, stored, isNews: isNews)
            }
            guard isNews || blocks.contains(block) else { return }
            unsafe withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 16) { plain in
                if (try? unsafe coder.decode(form, stored, into: plain)) != nil {
                    let plain = UnsafeRawBufferPointer(plain)
                    unsafe refresh(block, entry, plain, isNews: isNews)
                }
            }
        }
    }

    private func refresh(
        _ block: UInt64,
        _ entry: MapEntry,
        _ bytes: UnsafeRawBufferPointer,
        isNews: Bool
    ) {
        if isNews {
            unsafe blocks.insert(block, entry, bytes, .written)
        } else {
            unsafe blocks.update(block, entry, bytes)
        }
    }

    private func write(_ batches: [Batch], isDurable: Bool) throws(DiskError) {
        try encrypt(batches)
        let offset = batches[0].offset
        let parts = unsafe batches.map { unsafe $0.storedBytes }
        do throws(Errno) {
            if isDurable {
                try unsafe store.writeDurably(at: offset, parts)
            } else {
                try unsafe store.write(at: offset, parts)
            }
        } catch {
            throw DiskError("write commit", offset: offset, cause: error)
        }
        let bytes = batches.reduce(0) { $0 + UInt64($1.sizeBytes) }
        traffic.logBytes.wrappingAdd(bytes, ordering: .relaxed)
    }

    /// Seals the open commits if a flush waits for them, or they have been open for too long.
    private func sealWhatIsAwaited(_ now: UInt64, _ state: inout EngineState) {
        guard let open = state.user.open, !open.isEmpty else { return }
        // A waiter's own commit may be written: it counts only with the end of the write it is in.
        let isAwaited = state.flushWaiters.contains { $0.serial > state.user.settledSerial }
        let age = now &- open.openedNanoseconds
        if isAwaited || age >= options.unflushedNanosecondsMax {
            state.lastFlushBlocks = open.blockCount
            seal(.user, continues: false, &state)
        }
    }

    private func finishWrite(_ batch: Batch, _ state: inout EngineState) {
        precondition(state.sealed.first === batch, "commits out of order")
        state.sealed.removeFirst()
        noteSeals(of: batch, &state)
        state.writtenLSN = batch.lsn
        state.unsyncedBytes += batch.sizeBytes
        if batch.stream == .user {
            state.user.writtenSerial = batch.serial
        } else {
            state.collector.writtenSerial = batch.serial
        }
        state.recycle(batch)
        if batch.stream == .user { state.isWithinWrite = batch.continues }
        if !state.isWithinWrite {
            state.settledLSN = batch.lsn
            state.user.settledSerial = state.user.writtenSerial
        }
        if state.isCommitBlocked { state.hostIsFull = false }
        state.isCommitBlocked = false
    }

    /// Without space or memory the commit stays queued and nothing is lost; anything else is the
    /// end.
    private func commitFailure(_ error: DiskError) -> DiskError {
        let isMemory = error.kind == .noMemory
        guard error.kind == .noSpace || isMemory else {
            fail(error)
            return error
        }
        let waiters = state.withLock { state -> [EngineState.FlushWaiter] in
            state.hostIsFull = !isMemory || state.hostIsFull
            state.hostFullNanoseconds = clock.nanoseconds
            state.isCommitBlocked = true
            state.commitRefusal = isMemory ? error : nil
            defer { state.flushWaiters = [] }
            return state.flushWaiters
        }
        state.wakeAll(on: Condition.progress)
        for waiter in waiters { waiter.completion(error) }
        return error
    }

    /// Syncs the store if a written commit is waited for, or too much is volatile.
    private func synchronizeIfAwaited(since start: UInt64) throws(DiskError) -> Bool {
        let now = clock.nanoseconds
        let target = state.withLock { state -> SyncTarget? in
            if state.failure != nil || state.unsyncedBytes == 0 { return nil }
            let written = state.user.settledSerial
            let isAwaited = state.flushWaiters.contains { $0.serial <= written }
            // One sync for all: first write what others wait for, if it is sealed already.
            let isMoreAwaited =
                !state.sealed.isEmpty && state.flushWaiters.contains { $0.serial > written }
            let isMuch = state.unsyncedBytes >= options.unflushedBytesMax
            let age = now &- state.lastWriteNanoseconds
            let isOld = state.sealed.isEmpty && age >= options.unflushedNanosecondsMax
            guard isAwaited && !isMoreAwaited || isMuch || isOld else { return nil }
            state.unsyncedBytes = 0
            return SyncTarget(state)
        }
        guard let target else { return false }
        try synchronizeStore("flush")
        let due = state.withLock { state in finishFlush(target, since: start, &state) }
        for waiter in due { waiter.completion(nil) }
        return true
    }

    /// What a sync makes durable.
    private struct SyncTarget {
        let lsn: UInt64
        let user: UInt64
        let collector: UInt64

        init(_ state: borrowing EngineState) {
            lsn = state.settledLSN
            user = state.user.settledSerial
            collector = state.collector.writtenSerial
        }
    }

    /// - Returns: who waited for it.
    private func finishFlush(
        _ target: SyncTarget,
        since start: UInt64,
        _ state: inout EngineState
    ) -> [EngineState.FlushWaiter] {
        let elapsed = clock.nanoseconds &- start
        state.durableLSN = max(state.durableLSN, target.lsn)
        state.user.durableSerial = max(state.user.durableSerial, target.user)
        state.collector.durableSerial = max(state.collector.durableSerial, target.collector)
        // A single slow one, whatever held it up, says little of the next.
        let usual = state.commitNanoseconds
        let part = usual == 0 ? elapsed : min(elapsed, usual * 4 + 50_000)
        state.commitNanoseconds = usual == 0 ? elapsed : (usual * 7 + part) / 8
        let due = state.flushWaiters.filter { $0.serial <= target.user }
        state.flushWaiters.removeAll { $0.serial <= target.user }
        state.statistics.flushGroups.add(due.count)
        if !due.isEmpty { state.lastFlushCount = due.count }
        return due
    }

    /// Syncs the store; a failure ends the engine, since the kernel may have dropped the data.
    func synchronizeStore(_ operation: String) throws(DiskError) {
        do throws(Errno) {
            try store.synchronize()
        } catch {
            let failure = DiskError(
                .inputOutput,
                operation,
                "the data may not have reached the disk, and no retry can tell",
                cause: error
            )
            fail(failure)
            throw failure
        }
        // What failed for another thread meanwhile may concern this one's data.
        let failure = state.withLock { state -> DiskError? in
            state.statistics.synchronizations += 1
            return state.failure
        }
        if let failure { throw failure }
    }
}
