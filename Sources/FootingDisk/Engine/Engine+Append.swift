import FootingSystem

// Adding to the open commits, and sealing them. All of it under the lock.
extension Engine {
    /// Whether a write of `count` blocks fits without waiting for anything.
    ///
    /// A trim wins space: when there is none for data, it may still use a page of the segment that
    /// the log is in, or one of the segments that the collector could not use either.
    func hasRoom(
        forBlocks count: Int,
        isTrim: Bool = false,
        _ state: borrowing EngineState
    ) -> Bool {
        if let open = state.user.open,
            open.unitCount + count * Int(Geometry.unitsPerBlock)
                <= open.capacity * Int(Geometry.unitsPerBlock),
            count <= geometry.descriptorsPerCommit - open.descriptorCount
        {
            return true
        }
        if isTrim, let open = state.user.open, open.hasRoomForDescriptor { return true }
        if isTrim, state.isStuck, state.user.free.count >= 2 {
            let page = state.user.head.page + (state.user.open.map { 1 + $0.payloadCount } ?? 0)
            // While snapshots keep it, a trim wins no space: then the map needs what is left.
            let spare = state.snapshots.pins.isEmpty ? 1 : segmentsForMap(state) + 1
            return page + 2 <= geometry.pagesPerSegment || state.ready.count > spare
        }
        // At worst: the rest of the open batch, the end of a segment, the start of the next.
        return state.user.free.count >= 3 && state.ready.count > segmentsReserved(state)
    }

    /// Adds a client's blocks to the open commit, and to the ones after it as each gets full.
    func appendUser(_ blocks: EncodedBlocks, _ state: inout EngineState) {
        var done = 0
        while done < blocks.count {
            let before = done
            fill(open(.user, &state), blocks, &done, &state.active)
            if done == blocks.count { return }
            // The rest is for the next commit; the first block may have been too large for this.
            precondition(done > before || state.user.open?.isEmpty == false, "no room in a commit")
            seal(.user, continues: done > 0, &state)
        }
    }

    /// Puts blocks into a batch until it is full.
    private func fill(
        _ batch: Batch,
        _ blocks: EncodedBlocks,
        _ done: inout Int,
        _ active: inout Overlay
    ) {
        while done < blocks.count {
            let block = blocks.first + UInt64(done)
            let form = blocks.form(done)
            let bytes = unsafe blocks.bytes(done)
            if let entry = active.entry(block), entry.isMapped,
                let slot = batch.slot(of: entry.location)
            {
                guard let new = unsafe batch.replace(slot, block, form, bytes) else { return }
                active.set(block, new)
            } else {
                guard batch.hasRoom(forUnits: form.units) else { return }
                active.set(block, unsafe batch.append(block, form, bytes))
            }
            done += 1
        }
    }

    /// Puts commits that were filled elsewhere into the log, if they fit where the log goes on.
    ///
    /// - Parameters:
    ///   - batches: of one write; all but the last have `blocksPerBatch` blocks.
    ///   - count: blocks of all of them.
    func adopt(
        _ batches: [Batch],
        _ first: UInt64,
        _ count: Int,
        _ blocksPerBatch: Int,
        _ state: inout EngineState
    ) -> Bool {
        let counts = batches.indices.map { min(blocksPerBatch, count - $0 * blocksPerBatch) }
        let pages = zip(batches, counts).reduce(0) { $0 + 1 + $1.0.pageCount(ofContent: $1.1) }
        // The open commit comes first; it stays open where the write does not fit behind it, as
        // there may be no other place for it than that.
        let open = state.user.open.map { $0.isEmpty ? 0 : 1 + $0.payloadCount } ?? 0
        guard state.user.head.page + open + pages <= geometry.pagesPerSegment else { return false }
        seal(.user, continues: false, &state)
        let now = clock.nanoseconds
        var next = first
        for (batch, count) in zip(batches, counts) {
            state.user.serial += 1
            batch.begin(
                serial: state.user.serial,
                geometry: geometry,
                segment: state.user.head.segment,
                page: state.user.head.page,
                nanoseconds: now
            )
            batch.adoptContent(count)
            state.user.open = batch
            for index in 0..<count { state.active.set(next + UInt64(index), batch.entry(index)) }
            next += UInt64(count)
            let isLast = batch === batches.last || options.leavesOut == .whole
            seal(.user, continues: !isLast, &state)
        }
        state.lastWriteNanoseconds = now
        return true
    }

    /// Adds a trim of whole blocks to the open commit.
    func appendTrim(_ range: Range<UInt64>, _ state: inout EngineState) {
        if let open = state.user.open, !open.hasRoomForDescriptor {
            seal(.user, continues: false, &state)
        }
        let batch = open(.user, &state)
        batch.append(
            Descriptor(kind: .trim, block: range.lowerBound, value: UInt32(range.count))
        )
        state.active.trim(range)
        state.trimmedBlocks &+= UInt64(range.count)
        state.trimmedBytes &+= UInt64(range.count) * 4096
        state.trimLSN = state.sealedLSN + 1
    }

    /// The open batch of a stream, begun where the log goes on if there is none.
    func open(_ kind: CommitHeader.Stream, _ state: inout EngineState) -> Batch {
        let existing = kind == .user ? state.user.open : state.collector.open
        if let existing { return existing }
        var stream = kind == .user ? state.user : state.collector
        if stream.head.page + 2 > geometry.pagesPerSegment {
            // The segment is full: on to the one that every commit in it named as the next.
            let next = takeSegment(.data, &state)
            if kind == .user { state.startSpaceRounds() }
            stream.head = Superblock.Head(
                sequence: state.segments[Int(stream.head.next)].sequence,
                segment: stream.head.next,
                page: 0,
                next: next
            )
        }
        precondition(!stream.free.isEmpty, "no free batch")
        let batch = stream.free.removeLast()
        stream.serial += 1
        let now = clock.nanoseconds
        batch.begin(
            serial: stream.serial,
            geometry: geometry,
            segment: stream.head.segment,
            page: stream.head.page,
            nanoseconds: now
        )
        stream.open = batch
        // It must not stay volatile for longer than the limit: the committer watches its age.
        if state.isCommitterAsleep { self.state.wakeAll(on: Condition.committer) }
        state.lastWriteNanoseconds = now
        state.hasReturnedMemory = false
        if kind == .user { state.user = stream } else { state.collector = stream }
        return batch
    }

    /// Closes the open commit of a stream, if there is anything in it, and queues it for writing.
    ///
    /// - Parameter continues: whether the write in progress goes on in the next commit.
    func seal(_ kind: CommitHeader.Stream, continues: Bool, _ state: inout EngineState) {
        var stream = kind == .user ? state.user : state.collector
        guard let batch = stream.open, !batch.isEmpty else { return }
        if kind == .collector {
            // Clients may have overwritten what the collector copied; in the order of the log its
            // copy would be the newer one.
            let active = state.active
            let forgetsTrims = options.leavesOutOfFeatures == .trimmed
            batch.voidSuperseded { block, location in
                let entry = active.entry(block)
                return entry?.location == location || (forgetsTrims && entry == .unmapped)
            }
        }
        batch.pad()
        let header = CommitHeader(
            lsn: state.sealedLSN + 1,
            sequence: stream.head.sequence,
            previousChecksum: state.sealedChecksum,
            epoch: state.superblock.epoch,
            durableLSN: state.durableLSN,
            nextSegment: stream.head.next,
            descriptorCount: batch.descriptorCount,
            payloadCount: batch.payloadCount,
            stream: kind,
            continues: continues,
            page: batch.page,
            segment: batch.segment
        )
        if cipher == nil {
            state.sealedChecksum = header.seal(batch.buffer, volume: volume)
        } else {
            // The rest follows when it is written: see ``encrypt(_:)``.
            batch.header = header
        }
        state.sealedLSN = header.lsn
        batch.lsn = header.lsn
        batch.continues = continues
        stream.open = nil
        stream.sealedSerial = batch.serial
        stream.head.page += header.pageCount
        if kind == .user { state.user = stream } else { state.collector = stream }
        state.sealed.append(batch)
        state.lastLSN[Int(batch.segment)] = header.lsn
        state.segments[Int(batch.segment)].pagesWritten = stream.head.page
        state.logBytesSinceCheckpoint += batch.sizeBytes
        state.statistics.commits += 1
        state.statistics.logBytes += UInt64(batch.sizeBytes)
        // Whoever commits just now looks for more at the end.
        if !state.isCommitting { self.state.wakeAll(on: Condition.committer) }
    }
}
