import FootingDisk
import FootingSystem

/// A client of the engine that remembers what it wrote, and checks what it reads.
///
/// It can be called from within the store, while the engine is in the middle of something: so no
/// lock of its own is held while it calls the engine.
final class Client: Sendable {
    struct Model: ~Copyable {
        var oracle: Oracle
        var engine: EngineDriver?
        var random: SeededRandom
        /// Apart from all else that is drawn: what a seed stands for stays the same.
        var other: SeededRandom
        /// The first thing that was found to be wrong.
        var failure: SimulationFailure?
        /// Something failed after which the engine has to be opened again.
        var mustRestart = false
        var isDamaged = false
        /// How deep calls are nested.
        var depth = 0
        var allowsInterleaving = true
        var operationCounts: [String: Int] = [:]
        /// The policies that may be in force after a restart: the last one known to be durable, and
        /// those that were asked for since.
        var policies: [CompressionPolicy]
        var snapshots = SnapshotModel()
        /// The sizes that the disk may have after a restart, in bytes.
        var sizes: [UInt64] {
            didSet { formerSizes.formUnion(oldValue) }
        }
        /// Those that it had, or was about to have: a fault may bring one back.
        private(set) var formerSizes: Set<UInt64> = []
        var resizeCount = 0
        var compactionCount = 0
        /// A read that has begun and not ended.
        var readInFlight: ReadInFlight?
        var lateReadCount = 0
        var scrubbedPassCount = 0
        var damageFoundCount = 0
        var returnedBytes: UInt64 = 0
    }

    let store: SimulatedStore
    let clock: SimulatedClock
    let profile: Profile
    let model: Locked<Model>

    init(store: SimulatedStore, clock: SimulatedClock, profile: Profile, seed: UInt64) {
        self.store = store
        self.clock = clock
        self.profile = profile
        model = Locked(
            Model(
                oracle: Oracle(sectorCount: profile.layout.sectorCount),
                engine: nil,
                random: SeededRandom(seed: seed),
                other: SeededRandom(seed: ~seed),
                policies: [profile.compression],
                sizes: [profile.geometry.sizeBytes]
            )
        )
    }

    var engine: EngineDriver? { model.withLock { $0.engine } }

    /// Sectors that the disk has now.
    var sectorCount: UInt64 { (engine?.sizeBytes ?? profile.geometry.sizeBytes) / 512 }

    /// Whether the run goes on with this engine.
    var canGoOn: Bool {
        if store.isDown { return false }
        return model.withLock { !$0.mustRestart && $0.failure == nil && $0.engine != nil }
    }

    func report(_ text: String) {
        model.withLock { model in
            if model.failure == nil { model.failure = SimulationFailure(text) }
        }
    }

    /// Judges an error: explained by what was done to the store, or wrong.
    ///
    /// - Parameter before: what the store had counted before the call.
    func judge(_ error: DiskError, _ operation: String, _ before: FaultCounts) {
        if store.isDown { return }
        let counts = store.counts
        let (isDamaged, hasFailed) = model.withLock { model in
            (model.isDamaged || counts.misdirectedWrites > 0, model.engine?.hasFailed ?? false)
        }
        if hasFailed { model.withLock { $0.mustRestart = true } }
        let isExplained =
            switch error.kind {
            case .noSpace:
                // Segments that could not be read are set aside.
                // Snapshots keep what would be freed otherwise.
                profile.trouble == .fullHost || isDamaged || counts.readErrors > 0
                    || model.withLock { !$0.snapshots.all.isEmpty }
            case .inputOutput: counts != before
            case .corrupt: isDamaged
            // A superblock for which there is no space ends the engine too.
            case .failed:
                counts.readErrors + counts.writeErrors > 0 || isDamaged
                    || profile.trouble == .fullHost
            case .invalid, .noMemory, .busy, .unsupported, .locked, .closed: false
            }
        if !isExplained { report("\(operation): unexplained error: \(error) (\(error.kind))") }
    }
}

// MARK: - Operations

extension Client {
    /// Writes sectors; one atomic piece unless `isLong`.
    func write(_ sectors: Range<UInt64>, _ engine: EngineDriver) {
        let version = model.withLock { $0.oracle.nextVersion() }
        let buffer = AlignedBuffer(count: sectors.count * 512)
        let bytes = unsafe buffer.slice(0..<sectors.count * 512)
        unsafe Pattern.fill(bytes, firstSector: sectors.lowerBound, version: version)
        let piece = UInt64(engine.atomicBytesMax / 512)
        let pieces = stride(from: sectors.lowerBound, to: sectors.upperBound, by: Int(piece)).map {
            $0..<min($0 + piece, sectors.upperBound)
        }
        change("write \(sectors)", pieces, version: version) { () throws(DiskError) in
            let content = UnsafeRawBufferPointer(bytes)
            if let staged = engine.stage(at: sectors.lowerBound * 512, count: content.count) {
                return try unsafe fill(staged, from: content)
            }
            try unsafe engine.write(at: sectors.lowerBound * 512, content)
        }
    }

    /// Lets a write's bytes arrive in pieces.
    private func fill(
        _ staged: StagedWrite,
        from content: UnsafeRawBufferPointer
    ) throws(DiskError) {
        var done = 0
        while done < content.count {
            let count = min(content.count - done, model.withLock { 1 + $0.random.below(20_000) })
            let part = unsafe UnsafeRawBufferPointer(rebasing: content[done..<done + count])
            unsafe UnsafeMutableRawBufferPointer(rebasing: staged.bytes[done..<done + count])
                .copyMemory(from: part)
            done += count
            staged.didFill(done)
        }
        try staged.commit()
    }

    func trim(_ sectors: Range<UInt64>, _ engine: EngineDriver) {
        let blocks = wholeBlocks(sectors)
        change("trim \(sectors)", blocks.isEmpty ? [] : [blocks], version: 0) {
            () throws(DiskError) in
            try engine.trim(sectors.lowerBound * 512..<sectors.upperBound * 512)
        }
    }

    func writeZeroes(_ sectors: Range<UInt64>, keepsSpace: Bool, _ engine: EngineDriver) {
        // The edges and the middle are separate changes.
        let blocks = wholeBlocks(sectors)
        var pieces: [Range<UInt64>] = []
        if blocks.isEmpty {
            pieces = [sectors]
        } else {
            pieces = [
                sectors.lowerBound..<blocks.lowerBound, blocks,
                blocks.upperBound..<sectors.upperBound,
            ]
        }
        let piece = UInt64(engine.atomicBytesMax / 512)
        let split = pieces.flatMap { part -> [Range<UInt64>] in
            if part == blocks && !keepsSpace { return part.isEmpty ? [] : [part] }
            return stride(from: part.lowerBound, to: part.upperBound, by: Int(piece)).map {
                $0..<min($0 + piece, part.upperBound)
            }
        }
        change("zero \(sectors), \(keepsSpace)", split, version: 0) { () throws(DiskError) in
            try engine.writeZeroes(
                sectors.lowerBound * 512..<sectors.upperBound * 512,
                keepsSpace: keepsSpace
            )
        }
    }

    /// The sectors of the blocks that are wholly within a range; the last block ends with the disk.
    private func wholeBlocks(_ sectors: Range<UInt64>) -> Range<UInt64> {
        let first = (sectors.lowerBound + 7) / 8 * 8
        let isTail = sectors.upperBound == sectorCount
        let end = isTail ? sectors.upperBound : sectors.upperBound / 8 * 8
        return first < end ? first..<end : sectors.lowerBound..<sectors.lowerBound
    }

    private func change(
        _ operation: String,
        _ pieces: [Range<UInt64>],
        version: UInt64,
        _ body: () throws(DiskError) -> Void
    ) {
        let before = store.counts
        // What happens between the pieces of one call would come in an order unknown here.
        let allowed = model.withLock { model in
            let allowed = model.allowsInterleaving
            model.allowsInterleaving = allowed && pieces.count == 1
            return allowed
        }
        var isApplied = true
        model.withLock { model in
            for piece in pieces {
                model.oracle.expect(profile.layout.indices(of: piece), version: version)
            }
        }
        do throws(DiskError) {
            try body()
        } catch {
            judge(error, operation, before)
            // A single piece that was refused is not there. Of several, some may be: only a restart
            // can tell, so it has to follow.
            isApplied = pieces.count > 1
            if isApplied { model.withLock { $0.mustRestart = true } }
        }
        model.withLock { model in
            model.allowsInterleaving = allowed
            if !isApplied { return }
            for piece in pieces {
                model.oracle.apply(profile.layout.indices(of: piece), version: version)
            }
        }
    }

    /// Reads sectors of one window and compares them with what they must be.
    func read(_ sectors: Range<UInt64>, _ engine: EngineDriver) {
        let buffer = AlignedBuffer(count: sectors.count * 512)
        let bytes = unsafe buffer.slice(0..<sectors.count * 512)
        let before = store.counts
        do throws(DiskError) {
            // In both ways that clients have.
            if sectors.count % 2 == 0 {
                try unsafe engine.readByQueue(at: sectors.lowerBound * 512, into: bytes)
            } else {
                try unsafe engine.read(at: sectors.lowerBound * 512, into: bytes)
            }
        } catch {
            return judge(error, "read \(sectors)", before)
        }
        if store.isDown { return }
        let indices = profile.layout.indices(of: sectors)[0]
        let wrong = model.withLock { model -> String? in
            for (number, index) in indices.enumerated() {
                let part = unsafe UnsafeRawBufferPointer(
                    rebasing: bytes[number * 512..<(number + 1) * 512]
                )
                let sector = sectors.lowerBound + UInt64(number)
                let found = unsafe Pattern.version(part, sector: sector)
                let expected = model.oracle.current[index]
                if found != expected {
                    let text = found.map { String($0) } ?? "garbage"
                    return "sector \(sector) reads as version \(text) and is \(expected)"
                }
            }
            return nil
        }
        if let wrong { report("read \(sectors): \(wrong)") }
    }

    /// Makes everything durable.
    @discardableResult
    func flush(_ engine: EngineDriver) -> Bool {
        confirm("flush") { () throws(DiskError) in try engine.flush() }
    }

    /// Writes the map out.
    @discardableResult
    func checkpoint(_ engine: EngineDriver) -> Bool {
        confirm("checkpoint") { () throws(DiskError) in try engine.checkpoint() }
    }

    /// Changes how writes are compressed.
    func setCompression(_ policy: CompressionPolicy, _ engine: EngineDriver) {
        if engine.compression == policy { return }
        model.withLock { $0.policies.append(policy) }
        let before = store.counts
        do throws(DiskError) {
            try engine.setCompression(policy)
        } catch {
            return judge(error, "compress with \(policy)", before)
        }
        if store.isDown { return }
        model.withLock { $0.policies = [policy] }
        if engine.compression != policy { report("the policy is not \(policy)") }
    }

    /// After a restart the policy must be the last one set, or one that was on its way.
    func requirePolicyKept() throws(SimulationFailure) {
        guard let engine else { return }
        let allowed = model.withLock { model in
            defer { model.policies = [engine.compression] }
            return model.policies
        }
        // Of an older superblock it is any that it ever was.
        if !allowed.contains(engine.compression), store.counts.misdirectedWrites == 0 {
            throw SimulationFailure("the policy is \(engine.compression), not of \(allowed)")
        }
    }

    /// After a restart the size must be the last one set, or one that was on its way.
    func requireSizeKept() throws(SimulationFailure) {
        guard let engine else { return }
        let isOlder = store.counts.misdirectedWrites > 0
        let allowed = model.withLock { model in
            defer { model.sizes = [engine.sizeBytes] }
            return isOlder ? model.formerSizes.union(model.sizes).sorted() : model.sizes
        }
        if !allowed.contains(engine.sizeBytes) {
            throw SimulationFailure("the size is \(engine.sizeBytes), not of \(allowed)")
        }
    }

    /// Shuts down in order.
    ///
    /// - Returns: whether it succeeded.
    func close(_ engine: EngineDriver) -> Bool {
        confirm("close") { () throws(DiskError) in try engine.close() }
    }

    @discardableResult
    private func confirm(_ operation: String, _ body: () throws(DiskError) -> Void) -> Bool {
        let before = store.counts
        let (count, names) = model.withLock { ($0.oracle.totalCount, $0.snapshots.unconfirmed) }
        do throws(DiskError) {
            try body()
        } catch {
            judge(error, operation, before)
            return false
        }
        model.withLock { model in
            model.oracle.confirm(count)
            model.snapshots.confirm(names)
        }
        return true
    }

    /// Moves the engine on by a step.
    func step(_ engine: EngineDriver, commits: Bool) {
        let before = store.counts
        do throws(DiskError) {
            _ = try commits ? engine.commitStep() : engine.maintenanceStep()
        } catch {
            judge(error, "step", before)
        }
    }
}
