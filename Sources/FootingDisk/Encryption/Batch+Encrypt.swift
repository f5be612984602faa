import FootingAcceleration
import FootingSystem

// What an encrypted disk is given of a commit.
//
// A commit is encrypted when it is written, as its place is known then, and so is what the commit
// before it has become. Readers find the plain blocks in the same memory meanwhile: the ciphertext
// lies behind them, and stays until the commit is written, however often that is tried.
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

    /// Encrypts the commit, unless it is done already.
    ///
    /// - Parameter previous: the checksum of the commit before.
    /// - Returns: the checksum of this one.
    func encrypt(_ cipher: VolumeCipher, after previous: UInt32) throws(DiskError) -> UInt32 {
        if let sealedChecksum { return sealedChecksum }
        guard var header else { preconditionFailure("a commit that is not sealed") }
        header.previousChecksum = previous
        do throws(AccelerationError) {
            try encryptPayload(header, cipher)
            let checksum = try encryptHeader(header, cipher)
            sealedChecksum = checksum
            return checksum
        } catch {
            throw DiskError(.noMemory, "encrypt commit", offset: offset, error.description)
        }
    }

    private func encryptPayload(
        _ header: CommitHeader,
        _ cipher: VolumeCipher
    ) throws(AccelerationError) {
        let payload = Self.sealedOffset + 4096
        let firstUnit = UInt64(header.page + 1) * Geometry.unitsPerBlock
        seals = []
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
        // Only whoever writes commits changes it.
        var checksum = state.withLock { $0.sealedChecksum }
        for batch in batches { checksum = try batch.encrypt(cipher, after: checksum) }
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
