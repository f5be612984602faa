import FootingDisk
import FootingSystem

// What the client does, drawn from the seed.
extension Client {
    /// Does something.
    func act() {
        guard let engine else { return }
        if profile.isAboutChanges, change(engine) { return }
        let choice = model.withLock { $0.random.below(100) }
        // Otherwise it ends when the engine waits for it.
        if model.withLock({ $0.readInFlight != nil && $0.random.oneIn(16) }) { settleReads() }
        switch choice {
        case ..<43: write(pickWrite(), engine)
        case ..<48:
            if profile.snapshotCountMax > 0 {
                actOnSnapshots(engine)
            } else {
                write(pickWrite(), engine)
            }
        case ..<56:
            let sectors = pick(countMax: 300)
            if model.withLock({ $0.random.oneIn(3) }) {
                startRead(sectors, engine)
            } else {
                read(sectors, engine)
            }
            _ = engine.readAheadStep()
        case ..<61: trim(pick(countMax: 400), engine)
        case ..<62: trimMuch(engine)
        case ..<65:
            let keepsSpace = model.withLock { $0.random.oneIn(2) }
            writeZeroes(pick(countMax: isSinglePiece ? 8 : 200), keepsSpace: keepsSpace, engine)
        case ..<75: flush(engine)
        case ..<77: checkpoint(engine)
        case ..<86: step(engine, commits: true)
        case ..<95: step(engine, commits: false)
        case ..<96:
            let choice = model.withLock { $0.random.below(6) }
            if profile.sectorCountMax > 0, choice < 3 {
                resize(engine)
            } else if choice < 4 {
                compact(engine)
            } else {
                scrub(engine, stepCount: model.withLock { 1 + $0.random.below(40) })
            }
        case ..<98: changeBudget(engine)
        case ..<99:
            let policies = CompressionPolicy.allCases
            setCompression(policies[model.withLock { $0.random.below(policies.count) }], engine)
        default:
            let pause = model.withLock { $0.random.below(3) }
            clock.advance(nanoseconds: [10_000_000, 1_100_000_000, 6_000_000_000][pause])
        }
    }

    /// Changes the disk itself now and then, where it is all about that.
    ///
    /// - Returns: whether it did.
    private func change(_ engine: EngineDriver) -> Bool {
        let (choice, crash) = model.withLock { model in
            (model.other.below(40), model.other.oneIn(4) ? 1 + model.other.below(24) : nil)
        }
        // In the midst of it, or soon after; what is to rot must come to that.
        if choice < 9, profile.trouble != .rot, let crash {
            store.crash(atCall: choice < 2 ? (crash + 1) / 2 : crash)
        }
        switch choice {
        case 0..<2:
            let policies = CompressionPolicy.allCases
            setCompression(policies[model.withLock { $0.other.below(policies.count) }], engine)
        case 2: resize(engine)
        case 3..<5: compact(engine)
        case 5..<9: trimWhileCompacting(engine)
        case 9..<12: scrub(engine, stepCount: choice == 9 ? 20 : 1)
        case 12..<15:
            trim(pick(countMax: 100), engine)
            if canGoOn { flush(engine) }
        default: return false
        }
        return true
    }

    /// Lets a compaction go on for some steps, and trims what it may have moved.
    private func trimWhileCompacting(_ engine: EngineDriver) {
        startCompaction(engine)
        for _ in 0..<model.withLock({ 1 + $0.other.below(6) }) where canGoOn {
            step(engine, commits: false)
        }
        if canGoOn { trim(pick(countMax: 100), engine) }
        for _ in 0..<model.withLock({ $0.other.below(4) }) where canGoOn {
            step(engine, commits: false)
        }
    }

    /// Whether every change must be one piece: where it may fail and the run goes on.
    var isSinglePiece: Bool {
        switch profile.trouble {
        // With snapshots the container may be full.
        case .crashesOnly, .writeErrors, .syncErrors: profile.snapshotCountMax > 0
        case .readErrors, .fullHost, .rot, .misdirection: true
        }
    }

    private func pick(countMax: Int) -> Range<UInt64> {
        let size = sectorCount
        return model.withLock { model in
            let limit = model.random.oneIn(2) ? countMax : 1 + countMax / 16
            var sectors = profile.layout.pick(&model.random, countMax: limit, below: size)
            if model.random.below(3) > 0 {
                let start = sectors.lowerBound / 8 * 8
                let end = min(sectors.upperBound + 7, size) / 8 * 8
                if start < end { sectors = start..<end }
            }
            return profile.layout.clamped(sectors)
        }
    }

    private func pickWrite() -> Range<UInt64> {
        let piece = (engine?.atomicBytesMax ?? 4096) / 512
        let sizes = isSinglePiece ? [1, 8, 64, piece] : [1, 8, 8, 32, piece, piece * 3]
        let index = model.withLock { $0.random.below(sizes.count) }
        let picked = pick(countMax: min(sizes[index], 1000))
        if isSinglePiece, picked.count > piece {
            return picked.lowerBound..<picked.lowerBound + UInt64(piece)
        }
        return picked
    }

    /// Gives the engine more or less memory: from what it cannot do without to a lot.
    private func changeBudget(_ engine: EngineDriver) {
        let floor = engine.memory.floorBytes
        let more = model.withLock { model in
            model.random.oneIn(4) ? 0 : model.random.below((64 << 20) >> model.random.below(6))
        }
        engine.setMemoryBudget(floor + more)
        let memory = engine.memory
        if memory.usedBytes <= memory.budgetBytes { return }
        // Commits on their way and changes from a larger budget cannot go at once. The cache can.
        let surplus = [memory.commits, memory.changes].reduce(0) { sum, part in
            sum + max(part.usedBytes - part.limitBytes, 0)
        }
        if memory.usedBytes - surplus > memory.budgetBytes || memory.blockCache.usedBytes > 0 {
            report("\(memory.usedBytes) bytes are used of a budget of \(memory.budgetBytes)")
        }
    }

    /// Trims a range far beyond the watched windows.
    private func trimMuch(_ engine: EngineDriver) {
        let end = sectorCount
        let (low, high, all) = model.withLock { model in
            (
                UInt64(model.random.below(Int(end))), UInt64(model.random.below(Int(end) + 1)),
                model.random.oneIn(4)
            )
        }
        if all { return trim(0..<end, engine) }
        if low < high { trim(low..<high, engine) }
    }

    /// Does something small in the middle of the engine's own writing.
    func interrupt() {
        guard canGoOn, let engine else { return }
        let isAllowed = model.withLock { model in
            guard model.allowsInterleaving, model.depth == 0, model.random.oneIn(3) else {
                return false
            }
            model.depth += 1
            return true
        }
        guard isAllowed else { return }
        defer { model.withLock { $0.depth -= 1 } }
        let atomicBlocks = engine.atomicBytesMax / 4096
        switch model.withLock({ $0.random.below(12) }) {
        case ..<6:
            let limit = model.withLock { $0.random.oneIn(2) } ? 8 : (atomicBlocks - 1) * 8
            let sectors = pick(countMax: limit)
            let count = min(sectors.count, limit)
            let part = sectors.lowerBound..<sectors.lowerBound + UInt64(count)
            if engine.admits(blocks: atomicBlocks + 1) { write(part, engine) }
        case ..<8:
            let sectors = pick(countMax: 400)
            if engine.admits(blocks: atomicBlocks + 1) { trim(sectors, engine) }
        case ..<9:
            let sectors = pick(countMax: 64)
            if model.withLock({ $0.random.oneIn(2) }) {
                startRead(sectors, engine)
            } else {
                read(sectors, engine)
            }
        case ..<11:
            if profile.snapshotCountMax > 0 { interruptWithSnapshot(engine) }
        default:
            changeBudget(engine)
        }
        if profile.isAboutChanges, engine.admitsFlush, model.withLock({ $0.other.oneIn(4) }) {
            flush(engine)
        }
    }
}
