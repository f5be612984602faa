import FootingAcceleration
import FootingSystem

// What an encrypted disk is given of a commit.
//
// A commit's blocks are encrypted once it is sealed, as its place is known then, and its header
// when it is written, as what the commit before it has become is known then. Readers find the plain
// blocks in the same memory meanwhile: the ciphertext lies behind them, and stays until the commit
// is written, however often that is tried.
extension Batch {
    /// Where the ciphertext begins: an encrypted disk's commits are less than half as large.
    private static let sealedOffset =
        (1 + (Geometry.blockSizeBytes - CommitHeader.tagOffset) / Geometry.sealedEntrySizeBytes)
        * 4096

    /// What goes to the store.
    var storedBytes: UnsafeRawBufferPointer {
        let start = header == nil ? 0 : Self.sealedOffset
        return unsafe UnsafeRawBufferPointer(buffer.slice(start..<start + sizeBytes))
    }

    /// Encrypts the header of a commit whose payload is encrypted, unless it is done already.
    ///
    /// - Parameter previous: the checksum of the commit before.
    /// - Returns: the checksum of this one.
    func encryptHeader(
        _ cipher: VolumeCipher,
        after previous: UInt32
    ) throws(DiskError) -> UInt32 {
        if let sealedChecksum { return sealedChecksum }
        guard var header else { preconditionFailure("a commit that is not sealed") }
        header.previousChecksum = previous
        do throws(AccelerationError) {
            let checksum = try encryptHeader(header, cipher)
            sealedChecksum = checksum
            return checksum
        } catch {
            throw DiskError(.noMemory, "encrypt commit", offset: offset, error.description)
        }
    }

    /// Encrypts the blocks of a commit: its place, and so what they are encrypted with, is known
    /// and does not change.
    func encryptPayload(_ cipher: VolumeCipher) throws(AccelerationError) {
        guard let header else { preconditionFailure("a commit that is not sealed") }
        let payload = Self.sealedOffset + 4096
        let firstUnit = UInt64(header.page + 1) * Geometry.unitsPerBlock
        seals.removeAll(keepingCapacity: true)
        seals.reserveCapacity(blockCount)
        for slot in 0..<blockCount {
            let (index, unit) = place(slot)
            let start = payload + unit * Int(Geometry.unitSizeBytes)
            guard let descriptor = Descriptor.load(index, from: buffer) else {
                preconditionFailure("no descriptor")
            }
            let count = descriptor.units * Int(Geometry.unitSizeBytes)
            guard descriptor.kind == .data else {
                // What was superseded is nobody's business.
                buffer.clear(start..<start + count)
                seals.append((0, .none))
                continue
            }
            let tag = try unsafe cipher.seal(
                descriptor.block,
                UnsafeRawBufferPointer(bytes(unit, count: count)),
                into: buffer.slice(start..<start + count),
                sequence: header.sequence,
                unit: firstUnit + UInt64(unit)
            )
            seals.append((buffer.checksum(start..<start + count), tag))
        }
        let end = payload + unitCount * Int(Geometry.unitSizeBytes)
        buffer.clear(end..<Self.sealedOffset + sizeBytes)
    }

    private func encryptHeader(
        _ header: CommitHeader,
        _ cipher: VolumeCipher
    ) throws(AccelerationError) -> UInt32 {
        let page = AlignedBuffer(count: 4096)
        for index in 0..<descriptorCount {
            guard let descriptor = Descriptor.load(index, from: buffer) else {
                preconditionFailure("no descriptor")
            }
            Descriptor.store(descriptor, index, in: page, .sealedCommit)
        }
        for slot in 0..<blockCount {
            let index = place(slot).descriptor
            guard let descriptor = Descriptor.load(index, from: buffer),
                let form = descriptor.form
            else { continue }
            let sealed = form.sealed(seals[slot].checksum)
            Descriptor.store(
                Descriptor(descriptor.block, sealed, tag: seals[slot].tag),
                index,
                in: page,
                .sealedCommit
            )
        }
        header.store(in: page, volume: cipher.keys.identifier.low, .sealedCommit)
        let checksum = try cipher.seal(header: header, in: page)
        unsafe buffer.copy(
            from: UnsafeRawBufferPointer(page.slice(0..<4096)),
            at: Self.sealedOffset
        )
        return checksum
    }
}

extension Engine {
    /// Encrypts commits that are next in the log.
    func encrypt(_ batches: [Batch]) throws(DiskError) {
        guard let cipher else { return }
        // Those that nobody is at first: one after the other two threads would wait for each other.
        for batch in batches { try encryptPayload(of: batch, cipher, waits: false) }
        // Only whoever writes commits changes it.
        var checksum = state.withLock { $0.sealedChecksum }
        for batch in batches {
            try encryptPayload(of: batch, cipher, waits: true)
            checksum = try batch.encryptHeader(cipher, after: checksum)
        }
    }

    /// Encrypts the blocks of a commit, unless that is done.
    ///
    /// - Parameter waits: whether to wait for a thread that is at it; what that was refused memory
    ///   for is done here then.
    private func encryptPayload(
        of batch: Batch,
        _ cipher: VolumeCipher,
        waits: Bool
    ) throws(DiskError) {
        let isMine = state.withLock { state in
            while waits, batch.sealing == .busy {
                state.isSealingAwaited = true
                self.state.wait(&state, on: Condition.sealer)
            }
            if batch.sealing != .none { return false }
            batch.sealing = .busy
            return true
        }
        guard isMine else { return }
        do throws(AccelerationError) {
            try batch.encryptPayload(cipher)
            state.withLock { _ in batch.sealing = .done }
        } catch {
            state.withLock { _ in batch.sealing = .none }
            throw DiskError(
                .noMemory,
                "encrypt commit",
                offset: batch.offset,
                error.description
            )
        }
    }

    /// Has commits that are to be written encrypted, beside the thread that writes: for who has
    /// just brought much.
    ///
    /// A small commit is encrypted by whoever writes it: waking a thread would take longer.
    ///
    /// - Parameter blocks: how many were brought. Where no thread is there for it, as many are
    ///   encrypted at once, and no more: others may bring more all the time.
    func encryptAhead(blocks: Int) {
        guard drive == .threads, cipher != nil else { return }
        let (hasSealer, isNews) = state.withLock { state -> (Bool, Bool) in
            guard state.hasSealer else { return (false, false) }
            guard !state.isSealerWanted, state.sealed.contains(where: { $0.sealing == .none })
            else { return (true, false) }
            state.isSealerWanted = true
            return (true, true)
        }
        if isNews { state.wakeAll(on: Condition.sealer) }
        if hasSealer { return }
        var left = 1 + blocks / geometry.descriptorsPerCommit
        while left > 0, encryptNext() { left -= 1 }
    }

    /// Encrypts the blocks of the next commit, if that was asked of the thread for it and there is
    /// one.
    ///
    /// - Returns: false if there is nothing more to do until it is asked for again.
    func sealerStep() -> Bool {
        state.withLock { $0.isSealerWanted } && encryptNext()
    }

    /// Encrypts the blocks of the first sealed commit of which nobody has.
    ///
    /// - Returns: false if there is none, or no memory.
    private func encryptNext() -> Bool {
        guard let cipher else { return false }
        let next = state.withLock { state -> Batch? in
            let batch = state.sealed.first { $0.sealing == .none }
            if let batch { batch.sealing = .busy } else { state.isSealerWanted = false }
            return batch
        }
        guard let batch = next else { return false }
        // Without memory it is left to the thread that writes, which tells of it.
        let isDone = (try? batch.encryptPayload(cipher)) != nil
        let isAwaited = state.withLock { state in
            batch.sealing = isDone ? .done : .none
            if !isDone { state.isSealerWanted = false }
            defer { state.isSealingAwaited = false }
            return state.isSealingAwaited
        }
        if isAwaited { state.wakeAll(on: Condition.sealer) }
        return isDone
    }

    /// Takes in what has become of the blocks of a commit that was written.
    ///
    /// Before readers stop finding them in the commit itself.
    func noteSeals(of batch: Batch, _ state: inout EngineState) {
        guard let checksum = batch.sealedChecksum else { return }
        state.sealedChecksum = checksum
        // The changes that it is among, if they were set aside.
        let place = state.frozen.firstIndex { $0.position.lsn >= batch.lsn }
        if let place, state.frozen[place].position.lsn == batch.lsn {
            state.frozen[place].position.checksum = checksum
        }
        unsafe batch.forEachBlock { block, entry, _ in
            if let place {
                state.frozen[place].overlay.seal(block, entry)
            } else {
                state.active.seal(block, entry)
            }
        }
    }
}
