import FootingDisk
import FootingSystem

// What the client does with snapshots.
extension Client {
    /// Does something with a snapshot.
    func actOnSnapshots(_ engine: EngineDriver) {
        let (choice, names) = model.withLock { ($0.random.below(20), $0.snapshots.names) }
        let isFull = names.count >= profile.snapshotCountMax
        guard let name = pickName(names), choice >= 7 || isFull else {
            return isFull ? () : makeSnapshot(engine)
        }
        switch choice {
        case ..<12: readSnapshot(name, engine)
        case ..<14: model.withLock { $0.snapshots.open = nil }
        case ..<15: keepOpen(name, engine)
        case ..<18: deleteSnapshot(name, engine)
        default: rollBack(name, engine)
        }
    }

    private func pickName(_ names: [String]) -> String? {
        names.isEmpty ? nil : names[model.withLock { $0.random.below(names.count) }]
    }

    private func makeSnapshot(_ engine: EngineDriver) {
        let before = store.counts
        // What happens before it is in the log would be in it, and is unknown here.
        let isSwift = engine.admitsSnapshot
        let (name, allowed) = model.withLock { model in
            let name = model.snapshots.newName()
            model.snapshots.add(name, model.oracle.current, sizes: model.sizes)
            let allowed = model.allowsInterleaving
            model.allowsInterleaving = allowed && isSwift
            return (name, allowed)
        }
        do throws(DiskError) {
            try engine.createSnapshot(name)
            model.withLock { $0.snapshots.confirm([name]) }
        } catch {
            judge(error, "create \(name)", before)
            let isThere =
                store.isDown || engine.snapshots().contains { $0.name == name }
            if !isThere && !engine.hasFailed { model.withLock { $0.snapshots.remove(name) } }
        }
        model.withLock { $0.allowsInterleaving = allowed }
    }

    /// Makes or reads one in the middle of the engine's own writing.
    func interruptWithSnapshot(_ engine: EngineDriver) {
        let names = model.withLock { $0.snapshots.names }
        if names.count < profile.snapshotCountMax, engine.admitsSnapshot {
            let before = store.counts
            let name = model.withLock { model in
                let name = model.snapshots.newName()
                model.snapshots.add(name, model.oracle.current, sizes: model.sizes)
                return name
            }
            do throws(DiskError) { try engine.beginSnapshot(name) } catch {
                judge(error, "begin \(name)", before)
                model.withLock { $0.snapshots.remove(name) }
            }
            return
        }
        // One that is pending would have to wait for a checkpoint, which may be under way.
        let settled = engine.snapshots().filter { !$0.isPending }.map { $0.name }
        if let name = pickName(settled) { readSnapshot(name, engine) }
    }

    private func keepOpen(_ name: String, _ engine: EngineDriver) {
        let before = store.counts
        do throws(DiskError) {
            let snapshot = try engine.openSnapshot(name)
            model.withLock { $0.snapshots.open = (name, snapshot) }
        } catch {
            judge(error, "open \(name)", before)
        }
    }

    private func deleteSnapshot(_ name: String, _ engine: EngineDriver) {
        let before = store.counts
        let isOpen = model.withLock { $0.snapshots.open?.name == name }
        if !isOpen { model.withLock { $0.snapshots.leave(name) } }
        do throws(DiskError) {
            try engine.deleteSnapshot(name)
            model.withLock { $0.snapshots.remove(name) }
            if isOpen { report("delete \(name): it was deleted while it was open") }
        } catch {
            if isOpen && error.kind == .busy { return }
            // It needs what is kept free for the map, and wins space: only the host can refuse it,
            // and must have been asked.
            if error.kind == .noSpace, store.counts == before, !model.withLock({ $0.isDamaged }) {
                return report("delete \(name): no space, and nobody was asked for any: \(error)")
            }
            judge(error, "delete \(name)", before)
        }
    }

    private func rollBack(_ name: String, _ engine: EngineDriver) {
        settleReads()
        let before = store.counts
        // Nobody may write meanwhile.
        let (content, allowed) = model.withLock { model in
            let allowed = model.allowsInterleaving
            model.allowsInterleaving = false
            return (model.snapshots.all[name]?.content ?? [], allowed)
        }
        let size = engine.snapshots().first { $0.name == name }?.sizeBytes
        do throws(DiskError) {
            try engine.rollBack(to: name)
            if size != engine.sizeBytes { report("roll back to \(name): it had another size") }
            model.withLock { model in
                model.oracle.become(content)
                model.oracle.confirm(model.oracle.totalCount)
                model.snapshots.rollbackCount += 1
            }
        } catch {
            let isOfOtherSize = error.kind == .invalid && size != engine.sizeBytes
            if !isOfOtherSize { judge(error, "roll back to \(name)", before) }
            // Whether it happened is not known, unless the engine goes on.
            if store.isDown || engine.hasFailed {
                model.withLock { $0.oracle.become(content) }
            }
        }
        model.withLock { $0.allowsInterleaving = allowed }
    }

    // MARK: - Reading

    /// Reads a part of a snapshot and compares it with what it must be.
    private func readSnapshot(_ name: String, _ engine: EngineDriver) {
        let before = store.counts
        do throws(DiskError) {
            let snapshot = try engine.openSnapshot(name)
            let sectors = model.withLock { model in
                profile.layout.pick(
                    &model.random,
                    countMax: 300,
                    below: snapshot.sizeBytes / 512
                )
            }
            if let wrong = try compare(snapshot, sectors) { report(wrong) }
        } catch {
            judge(error, "read \(name)", before)
        }
    }

    /// - Returns: what is wrong.
    private func compare(
        _ snapshot: DiskSnapshot,
        _ sectors: Range<UInt64>
    ) throws(DiskError) -> String? {
        let buffer = AlignedBuffer(count: sectors.count * 512)
        let bytes = unsafe buffer.slice(0..<sectors.count * 512)
        if sectors.count % 2 == 0, let queue = snapshot.makeReadQueue() {
            try unsafe queue.read(at: sectors.lowerBound * 512, into: bytes)
        } else {
            try unsafe snapshot.read(at: sectors.lowerBound * 512, into: bytes)
        }
        if store.isDown { return nil }
        let content = model.withLock { $0.snapshots.all[snapshot.name]?.content ?? [] }
        for (number, index) in profile.layout.indices(of: sectors)[0].enumerated() {
            let part = unsafe UnsafeRawBufferPointer(
                rebasing: bytes[number * 512..<(number + 1) * 512]
            )
            let sector = sectors.lowerBound + UInt64(number)
            let found = unsafe Pattern.version(part, sector: sector)
            if found != content[index] {
                let text = found.map { String($0) } ?? "garbage"
                return "\(snapshot.name): sector \(sector) reads as version \(text) and is "
                    + "\(content[index])"
            }
        }
        return nil
    }

    /// After a restart: which snapshots are there, and whether each is what it was.
    ///
    /// - Parameter allowsLoss: whether what was confirmed may be gone.
    func verifySnapshots(_ engine: EngineDriver, allowsLoss: Bool) {
        let before = FaultCounts()
        let found = engine.snapshots().map { $0.name }
        let wrong = model.withLock { $0.snapshots.recover(found, allowsLoss: allowsLoss) }
        if let wrong { return report("after recovery, snapshots: \(wrong)") }
        for name in model.withLock({ $0.snapshots.names }) {
            let sizes = model.withLock { $0.snapshots.all[name]?.sizes ?? [] }
            let size = engine.snapshots().first { $0.name == name }?.sizeBytes ?? 0
            guard sizes.contains(size) else {
                return report("after recovery: \(name) has \(size) bytes, not of \(sizes)")
            }
            for window in profile.layout.windows(below: size / 512) {
                var start = window.lowerBound
                while start < window.upperBound {
                    let end = min(window.upperBound, start + 64)
                    do throws(DiskError) {
                        let snapshot = try engine.openSnapshot(name)
                        if let wrong = try compare(snapshot, start..<end) {
                            return report("after recovery: \(wrong)")
                        }
                    } catch {
                        judge(error, "read \(name) after recovery", before)
                    }
                    start = end
                }
            }
        }
    }

    /// Without snapshots a container that they filled must have room again.
    func deleteAllSnapshots(_ engine: EngineDriver) {
        model.withLock { $0.snapshots.open = nil }
        for name in model.withLock({ $0.snapshots.names }) {
            deleteSnapshot(name, engine)
            if !canGoOn { return }
        }
        // What goes on until then may be in the midst of winning space.
        clock.advance(nanoseconds: 1_100_000_000)
        write(0..<8, engine)
    }
}
