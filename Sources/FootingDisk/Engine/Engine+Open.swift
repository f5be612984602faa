import FootingAcceleration
import FootingSystem

/// What opening a disk found and did.
public struct RecoveryReport: Sendable, Equatable {
    /// Whether it was closed cleanly, so that there was nothing to replay.
    public var wasClean: Bool
    /// Commits replayed from the log.
    public var commitCount: Int
    /// Blocks in them.
    public var blockCount: Int
    /// Bytes of log read for that.
    public var byteCount: UInt64
    /// Commits at the log's end left out, because the write they belong to had not arrived whole.
    public var discardedCount: Int
    /// A copy of the superblock was damaged and is replaced.
    public var healedSuperblock: Bool
    /// How long it took, in nanoseconds.
    public var nanoseconds: UInt64
    /// Why a copy of the key slots that is not intact could not be written anew; nil if none is.
    public var keySlotsFailure: DiskError?
}

/// A container as it was found: everything read and verified, nothing changed.
struct OpenedContainer: ~Copyable {
    var superblock: Superblock
    var segments: [SegmentEntry]
    var lastLSN: [UInt64]
    var nextSequence: UInt64
    var changes: ReplayedChanges
    var snapshots: SnapshotState
    var replay: LogReplay.Result
    var report: RecoveryReport
    /// Of an encrypted disk.
    let cipher: VolumeCipher?
    /// Its key slots, if a copy of them has to be written anew.
    let slotsToHeal: SlotsToHeal?

    /// Reads the superblocks, the segment table and the log's end.
    init(
        store: any BlockStore,
        clock: any TimeSource,
        verifies: Bool,
        limits: ReplayLimits = ReplayLimits(),
        leavesOut: SnapshotRule? = nil,
        leavesOutOfEncryption: EncryptionRule? = nil,
        buffers: any BufferSource = KernelBuffers(),
        key: DiskKey? = nil,
        accelerator: any Accelerator = SoftwareAccelerator()
    ) throws(DiskError) {
        let start = clock.nanoseconds
        let unlocked = try Self.unlock(store, key, accelerator)
        let (superblock, isHealed) = (unlocked.superblock, unlocked.isHealed)
        let cipher = unlocked.cipher
        let geometry = superblock.geometry
        try Self.requireWhole(store, geometry)
        var (segments, nextSequence) = try Self.readTable(store, superblock, buffers, cipher)
        cipher?.note(segments)
        var lastLSN = [UInt64](repeating: 0, count: segments.count)
        var snapshots = try SnapshotState(store, superblock, segments, cipher)
        var changes = ReplayedChanges(superblock, limits: limits)
        var log = try LogReplay(
            store,
            superblock,
            verifies: verifies,
            limits: limits,
            buffers: buffers,
            cipher: cipher
        )
        let replay = try log.run { (commit, header) throws(DiskError) in
            try changes.apply(commit, header)
            let index = Int(commit.segment)
            segments[index].state = .data
            segments[index].hasSpace = true
            segments[index].sequence = commit.sequence
            segments[index].pagesWritten = commit.page + commit.pageCount
            lastLSN[index] = commit.lsn
            Self.release(commit, header, &segments, lastLSN)
            nextSequence = max(nextSequence, commit.sequence + 1)
        }
        try Self.requireDistinct(replay)
        Self.settleHeads(&segments, replay, geometry)
        if leavesOut == .split { changes = changes.unsplit() }
        snapshots.noteIdentifiers(of: changes)
        Self.freeDeadSegments(&segments, lastLSN, replay, snapshots)
        let first = Self.firstSequence(nextSequence, superblock, leavesOutOfEncryption)
        self.nextSequence = Self.renumber(&segments, replay, from: first)
        cipher?.note(segments)
        self.cipher = cipher
        slotsToHeal = unlocked.slotsToHeal
        self.superblock = superblock
        self.segments = segments
        self.lastLSN = lastLSN
        self.changes = changes
        self.snapshots = snapshots
        self.replay = replay
        report = RecoveryReport(
            wasClean: superblock.isClean,
            commitCount: replay.commitCount,
            blockCount: replay.blockCount,
            byteCount: replay.byteCount,
            discardedCount: replay.discardedCount,
            healedSuperblock: isHealed,
            nanoseconds: clock.nanoseconds &- start
        )
    }

    /// The segments in which the streams of the log go on are in use.
    private static func settleHeads(
        _ segments: inout [SegmentEntry],
        _ replay: LogReplay.Result,
        _ geometry: Geometry
    ) {
        for head in [replay.user, replay.collector] {
            segments[Int(head.next)].state = .data
            segments[Int(head.segment)].state = .data
            // On encrypted disks the end of the segment stands for one in which nothing goes on:
            // where it was left is in the table.
            if geometry.isEncrypted, head.page == geometry.pagesPerSegment { continue }
            segments[Int(head.segment)].pagesWritten = head.page
        }
    }

    /// The first number of a segment that none ever had.
    private static func firstSequence(
        _ next: UInt64,
        _ superblock: Superblock,
        _ leavesOut: EncryptionRule?
    ) -> UInt64 {
        if superblock.geometry.isEncrypted {
            if leavesOut == .epoch { return next }
            return max(next, (UInt64(superblock.epoch) + 1) * VolumeCipher.sequencesPerEpoch)
        }
        // Segments may have been taken since the checkpoint, and what they hold been lost: no
        // sequence number of theirs may come again. No more than all of them can have been.
        return next + UInt64(superblock.geometry.segmentCount) + 1
    }

    /// Gives the segments in which the log goes on numbers that never were.
    ///
    /// - Returns: the next number.
    private static func renumber(
        _ segments: inout [SegmentEntry],
        _ replay: LogReplay.Result,
        from first: UInt64
    ) -> UInt64 {
        var next = first
        for head in [replay.user, replay.collector] {
            // The table may still have the number of its former life, whose remains are in it.
            segments[Int(head.next)].sequence = next
            next += 1
        }
        return next
    }

    private static func requireDistinct(_ replay: LogReplay.Result) throws(DiskError) {
        let heads = [
            replay.user.segment, replay.user.next, replay.collector.segment, replay.collector.next,
        ]
        if Set(heads).count == heads.count { return }
        throw DiskError(.corrupt, "recover", "the streams of the log share a segment")
    }

    /// A container to be read without its log: only trees that are written.
    ///
    /// It may be in use.
    init(reading superblock: Superblock, _ cipher: VolumeCipher?) {
        self.superblock = superblock
        self.cipher = cipher
        slotsToHeal = nil
        segments = []
        lastLSN = []
        nextSequence = 0
        changes = ReplayedChanges(superblock, limits: ReplayLimits())
        snapshots = SnapshotState()
        replay = LogReplay.Result(
            lsn: superblock.lsn,
            checksum: superblock.lsnChecksum,
            user: superblock.user,
            collector: superblock.collector
        )
        report = RecoveryReport(
            wasClean: superblock.isClean,
            commitCount: 0,
            blockCount: 0,
            byteCount: 0,
            discardedCount: 0,
            healedSuperblock: false,
            nanoseconds: 0
        )
    }

    private static func requireWhole(
        _ store: any BlockStore,
        _ geometry: Geometry
    ) throws(DiskError) {
        if store.sizeBytes >= geometry.containerSizeBytes { return }
        throw DiskError(
            .corrupt,
            "open",
            "the container has \(store.sizeBytes) bytes of \(geometry.containerSizeBytes): "
                + "it was cut off"
        )
    }

    /// Frees the segments that neither the tree nor the log needs.
    ///
    /// The table was written before the checkpoint freed what the tree before it needed, and
    /// perhaps used since: without this there might be no segment left for the next checkpoint.
    private static func freeDeadSegments(
        _ segments: inout [SegmentEntry],
        _ lastLSN: [UInt64],
        _ replay: LogReplay.Result,
        _ snapshots: SnapshotState
    ) {
        let heads = [
            replay.user.segment, replay.user.next, replay.collector.segment, replay.collector.next,
        ]
        for index in segments.indices {
            // What could not be read once may be readable now.
            segments[index].isQuarantined = false
            guard segments[index].state != .free, segments[index].liveUnits == 0,
                lastLSN[index] == 0, !snapshots.isPinned(index),
                !heads.contains(UInt32(index))
            else { continue }
            segments[index].state = .free
            segments[index].pagesWritten = 0
        }
    }

    /// Frees the segments that a commit says were emptied before it.
    private static func release(
        _ commit: CommitHeader,
        _ header: borrowing AlignedBuffer,
        _ segments: inout [SegmentEntry],
        _ lastLSN: [UInt64]
    ) {
        for slot in 0..<commit.descriptorCount {
            guard let descriptor = Descriptor.load(slot, from: header),
                descriptor.kind == .release, descriptor.block < UInt64(segments.count)
            else { continue }
            let index = Int(descriptor.block)
            // The collector never empties what the log has been written to since the checkpoint.
            guard segments[index].state == .data, lastLSN[index] == 0 else { continue }
            segments[index].state = .free
            segments[index].pagesWritten = 0
        }
    }

    static func apply(
        _ commit: CommitHeader,
        _ header: borrowing AlignedBuffer,
        _ geometry: Geometry,
        _ overlay: inout Overlay
    ) {
        let base = geometry.location(segment: commit.segment, page: commit.page + 1)
        var unit = 0
        for index in 0..<commit.descriptorCount {
            guard let descriptor = Descriptor.load(index, from: header) else { continue }
            let start = unit
            unit += descriptor.units
            // A damaged commit can be replayed, if it is known to have been durable.
            guard unit <= commit.payloadCount * Int(Geometry.unitsPerBlock) else { return }
            switch descriptor.kind {
            case .void, .release, .snapshot, .text: break
            case .data:
                if descriptor.block < geometry.blockCount, let form = descriptor.form {
                    let location = base.advanced(byUnits: start)
                    overlay.set(
                        descriptor.block,
                        MapEntry(location: location, form, tag: descriptor.tag)
                    )
                }
            case .trim:
                let end = min(descriptor.block + UInt64(descriptor.value), geometry.blockCount)
                if descriptor.block < end { overlay.trim(descriptor.block..<end) }
            }
        }
    }

    /// The newer of the two copies that is intact.
    ///
    /// - Parameter keys: those of an encrypted disk: what others wrote does not count.
    static func readSuperblock(
        _ store: any BlockStore,
        _ keys: VolumeKeys? = nil
    ) throws(DiskError) -> (Superblock, isHealed: Bool) {
        let page = AlignedBuffer(count: 4096)
        var best: Superblock?
        var refusals: [Superblock.Refusal] = []
        for offset in Geometry.superblockOffsets {
            guard offset + 4096 <= store.sizeBytes else {
                refusals.append(.foreign)
                continue
            }
            do throws(Errno) {
                try unsafe store.read(at: offset, into: page.slice(0..<4096))
            } catch {
                // The other copy may be readable.
                if error != .inputOutput {
                    throw DiskError("read superblock", offset: offset, cause: error)
                }
                refusals.append(.damaged)
                continue
            }
            let found: Superblock
            do throws(Superblock.Refusal) { found = try Superblock(page) } catch {
                refusals.append(error)
                continue
            }
            if let keys, try !isOwn(found, page, keys) {
                refusals.append(.forged)
                continue
            }
            if found.generation > best?.generation ?? 0 { best = found }
        }
        if let best { return (best, !refusals.isEmpty) }
        throw error(for: refusals)
    }

    private static func error(for refusals: [Superblock.Refusal]) -> DiskError {
        for refusal in refusals {
            switch refusal {
            case .version(let version):
                return DiskError(
                    .unsupported,
                    "open",
                    "format version \(version); this program knows \(Superblock.version)"
                )
            case .features(let bits):
                return DiskError(
                    .unsupported,
                    "open",
                    "features 0x\(hexadecimal(bits, digits: 1)) that this program does not know; "
                        + "use a newer one"
                )
            case .impossible(let what):
                return DiskError(.corrupt, "open", "the superblock is impossible: \(what)")
            case .forged:
                return DiskError(
                    .corrupt,
                    "open",
                    "the superblock was changed by somebody without the key"
                )
            case .foreign, .damaged: continue
            }
        }
        if refusals.contains(.damaged) {
            return DiskError(.corrupt, "open", "both superblocks are damaged")
        }
        return DiskError(
            .unsupported,
            "open",
            "not a Footing container; make one with 'footing disk create'"
        )
    }

    static func readTable(
        _ store: any BlockStore,
        _ superblock: Superblock,
        _ buffers: any BufferSource,
        _ cipher: VolumeCipher?
    ) throws(DiskError) -> (entries: [SegmentEntry], nextSequence: UInt64) {
        let geometry = superblock.geometry
        let region = try buffers.buffer(for: "open", count: Int(geometry.tableRegionSizeBytes))
        let offset = geometry.tableOffset(region: superblock.tableRegion)
        do throws(Errno) {
            try unsafe store.read(
                at: offset,
                into: region.slice(0..<Int(geometry.tableRegionSizeBytes))
            )
        } catch {
            throw DiskError("read segment table", offset: offset, cause: error)
        }
        guard let table = try SegmentTable.load(region, superblock, provedBy: cipher?.keys) else {
            throw DiskError(
                .corrupt,
                "open",
                offset: offset,
                "the segment table is not the one that the superblock names"
            )
        }
        return table
    }
}

extension Engine {
    /// Opens a container for writing: recovers, and makes a new epoch durable.
    static func open(
        store: any BlockStore,
        options: EngineOptions,
        clock: any TimeSource,
        drive: Drive
    ) throws(DiskError) -> (engine: Engine, report: RecoveryReport) {
        let found = try OpenedContainer(
            store: store,
            clock: clock,
            verifies: options.verifiesChecksums,
            limits: options.replay,
            leavesOut: options.leavesOut,
            leavesOutOfEncryption: options.leavesOutOfEncryption,
            buffers: options.buffers,
            key: options.key,
            accelerator: options.accelerator
        )
        if options.requiresEncryption { try found.requireEncryption() }
        try found.requireAnotherEpoch()
        var report = found.report
        let geometry = found.superblock.geometry
        var options = options.fitted(to: geometry)
        // It has opened the disk: nobody needs it any more.
        options.key = nil
        let plan = MemoryPlan(
            budgetBytes: options.memoryBudgetBytes,
            geometry: geometry,
            deltaCountMax: options.deltaCountMax
        )
        let engine = try Engine(
            store: store,
            options: options,
            clock: clock,
            drive: drive,
            state: EngineState(found, plan, options, nanoseconds: clock.nanoseconds),
            cipher: found.cipher
        )
        // Before the first write: what the log holds beyond its end must never be taken for new.
        var superblock = engine.state.withLock { $0.superblock }
        superblock.epoch += 1
        superblock.generation += 1
        superblock.isClean = false
        superblock.durableLSN = found.replay.lsn
        try engine.synchronizeStore("open")
        try engine.writeSuperblock(engine.sealed(superblock))
        if let slots = found.slotsToHeal { report.keySlotsFailure = engine.heal(slots) }
        engine.state.withLock { $0.superblock = superblock }
        while try engine.fillReady() {}
        try engine.writePendingSnapshots()
        return (engine, report)
    }

    /// Writes the trees of snapshots that the log made.
    ///
    /// What keeps it from doing so, such as a host without space, shows again at the next
    /// checkpoint; until then the disk can be read.
    private func writePendingSnapshots() throws(DiskError) {
        do throws(DiskError) {
            while state.withLock({ $0.hasPendingSnapshot }) { try checkpoint() }
        } catch {
            if let failure = state.withLock({ $0.failure }) { throw failure }
        }
    }

    /// Reserves space in the host for the first free segments.
    ///
    /// - Returns: whether to go on.
    private func fillReady() throws(DiskError) -> Bool {
        let isEnough = state.withLock { state in
            state.ready.count >= segmentsReserved(state) + 4
        }
        return isEnough ? false : try grow()
    }
}

extension EngineState {
    /// The state of a disk that was just opened.
    ///
    /// - Throws: kind `noMemory` if there is none for the fewest commits that it gets along with.
    init(
        _ found: borrowing OpenedContainer,
        _ plan: MemoryPlan,
        _ options: EngineOptions,
        nanoseconds: UInt64
    ) throws(DiskError) {
        memory = plan
        buffers = options.buffers
        superblock = found.superblock
        compressionWanted = found.superblock.compression
        scrub = found.superblock.scrub
        scrub.name(found.snapshots.records)
        user = Stream(head: found.replay.user, open: nil, free: [])
        collector = Stream(head: found.replay.collector, open: nil, free: [])
        if found.cipher != nil, options.leavesOutOfEncryption != .segment {
            // What the log holds beyond its end may have been written: nothing is written there
            // once more under the same number of the segment.
            user.head.page = found.superblock.geometry.pagesPerSegment
            collector.head.page = user.head.page
        }
        sealedLSN = found.replay.lsn
        sealedChecksum = found.replay.checksum
        writtenLSN = found.replay.lsn
        settledLSN = found.replay.lsn
        durableLSN = found.replay.lsn
        active = found.changes.overlay
        frozen = found.changes.frozen
        snapshots = found.snapshots
        segments = found.segments
        lastLSN = found.lastLSN
        nextSequence = found.nextSequence
        logBytesSinceCheckpoint = Int(found.replay.byteCount)
        lastWriteNanoseconds = nanoseconds
        // Space may have been given back since the checkpoint: reserve it again before it is used,
        // first where it most likely still is.
        let free = segments.indices.filter { segments[$0].state == .free }
        virgin = (free.filter { segments[$0].hasSpace } + free.filter { !segments[$0].hasSpace })
            .map { UInt32($0) }
        for index in free { segments[index].hasSpace = false }
        makeBatches()
        try requireBatches()
    }
}
