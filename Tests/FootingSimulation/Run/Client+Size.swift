import FootingDisk
import FootingSystem

// What the client does with the size of the disk, and of its container.
extension Client {
    /// Makes the disk larger or smaller.
    func resize(_ engine: EngineDriver) {
        let now = sectorCount
        var target = model.withLock {
            64 + UInt64($0.random.below(Int(profile.sectorCountMax - 63)))
        }
        // Zeros in a part of a block are a piece of their own.
        if isSinglePiece || model.withLock({ $0.random.oneIn(2) }) { target = target / 8 * 8 }
        var isEmptied = false
        if target < now, model.withLock({ !$0.random.oneIn(8) }) {
            isEmptied = true
            if target % 8 == 0 {
                trim(target..<now, engine)
            } else if profile.isAboutChanges, model.withLock({ !$0.other.oneIn(2) }) {
                // But for what is left of the last block.
                let end = (target + 7) / 8 * 8
                if end < now { trim(end..<now, engine) }
                isEmptied = false
            } else {
                writeZeroes(target..<now, keepsSpace: false, engine)
            }
            guard canGoOn else { return }
        }
        resize(engine, from: now, to: target, isEmptied: isEmptied)
    }

    private func resize(
        _ engine: EngineDriver,
        from now: UInt64,
        to target: UInt64,
        isEmptied: Bool
    ) {
        let before = store.counts
        // Nobody may write beyond the end of a smaller disk meanwhile, nor read there.
        if target < now { settleReads() }
        // A larger one needs more memory; without it, it must stay as it is.
        let floor = engine.memoryFloorBytes(forSizeBytes: target * 512) ?? 0
        if floor > engine.memory.budgetBytes, model.withLock({ !$0.random.oneIn(8) }) {
            engine.setMemoryBudget(floor)
        }
        let isRefused = floor > engine.memory.budgetBytes && target > now
        let allowed = model.withLock { model in
            let allowed = model.allowsInterleaving
            if target < now { model.allowsInterleaving = false }
            model.sizes.append(target * 512)
            return allowed
        }
        defer { model.withLock { $0.allowsInterleaving = allowed } }
        do throws(DiskError) {
            try engine.resize(toBytes: target * 512)
            if store.isDown { return }
            model.withLock { model in
                model.sizes = [target * 512]
                model.resizeCount += 1
            }
            if engine.sizeBytes != target * 512 { report("resize to \(target): it did not") }
            if engine.memory.floorBytes > floor { report("resize: more memory than it said") }
        } catch {
            if !store.isDown, !engine.hasFailed {
                model.withLock { $0.sizes = [now * 512] }
                if engine.sizeBytes != now * 512 { report("resize: it failed, and did") }
            }
            if error.kind == .noMemory, isRefused { return }
            // A trim may not have been made for want of space.
            let isInUse = error.kind == .invalid && target < now
            if isInUse && (!isEmptied || profile.trouble == .fullHost) { return }
            if isInUse, model.withLock({ !$0.snapshots.all.isEmpty }) { return }
            judge(error, "resize from \(now) to \(target)", before)
        }
    }

    /// Begins to make the container as small as its content.
    func startCompaction(_ engine: EngineDriver) {
        let before = store.counts
        do throws(DiskError) { try engine.startCompaction() } catch {
            judge(error, "start to compact", before)
        }
    }

    /// Makes the container as small as its content.
    func compact(_ engine: EngineDriver) {
        // Others act while it goes on, and the power goes.
        if profile.isAboutChanges, model.withLock({ $0.other.oneIn(2) }) {
            return startCompaction(engine)
        }
        let before = store.counts
        do throws(DiskError) {
            let status = try engine.compact()
            if let failure = status.failure { throw failure }
            if store.isDown { return }
            model.withLock { model in
                model.compactionCount += 1
                model.returnedBytes += status.returnedBytes
            }
        } catch {
            judge(error, "compact", before)
        }
    }
}
