import FootingDisk
import FootingSystem

// What the client does to find damage.
extension Client {
    /// Verifies some of what is stored: nothing is damaged on a disk to which nothing was done.
    func scrub(_ engine: EngineDriver, stepCount: Int) {
        for _ in 0..<stepCount where canGoOn {
            guard let (damages, isAtEnd) = scrubStep(engine) else { return }
            let isDamaged = model.withLock { $0.isDamaged } || store.counts.misdirectedWrites > 0
            if let first = damages.first, !isDamaged { return report("scrub: \(first)") }
            if isAtEnd { return model.withLock { $0.scrubbedPassCount += 1 } }
        }
    }

    /// - Returns: nil if it failed, or the power went.
    private func scrubStep(_ engine: EngineDriver) -> (damages: [ScrubDamage], isAtEnd: Bool)? {
        let before = store.counts
        do throws(DiskError) {
            var step = try engine.scrubStep()
            if store.isDown { return nil }
            // A read that fails is no damage.
            if store.counts.readErrors > before.readErrors { step.damages = [] }
            return step
        } catch {
            judge(error, "scrub", before)
            return nil
        }
    }

    /// A whole pass while nothing else happens: it must find exactly what cannot be read.
    ///
    /// Everything is in the map, and only the sectors were changed, all at once.
    func requireDamageFound(_ engine: EngineDriver) {
        var damages: [ScrubDamage] = []
        var isFirst = true
        // The rest of a pass that is under way, and then all of it.
        for _ in 0..<1_000_000 {
            guard let step = scrubStep(engine) else { return }
            if !isFirst { damages += step.damages }
            if step.isAtEnd {
                if !isFirst { break }
                isFirst = false
            }
        }
        // From the store, and not from the cache.
        engine.setMemoryBudget(0)
        let own = damages.filter { $0.snapshot == nil }
        model.withLock { $0.damageFoundCount += damages.count }
        let size = sectorCount
        for window in profile.layout.windows(below: size) {
            for block in window.lowerBound / 8..<(window.upperBound + 7) / 8 {
                let sectors = (block * 8..<min(block * 8 + 8, size)).clamped(to: window)
                let isFound = own.contains { $0.block <= block && block - $0.block < $0.blockCount }
                let isAlone = own.contains {
                    $0.block == block && !$0.problem.hasPrefix("a page of the map")
                }
                let isReadable = canRead(sectors, engine)
                if !isReadable && !isFound {
                    return report("block \(block) cannot be read, and scrubbing did not find it")
                }
                // What a damaged page of the map leads to may be known from memory.
                if isReadable && isAlone {
                    return report("block \(block) can be read, and scrubbing says that it cannot")
                }
            }
        }
    }

    private func canRead(_ sectors: Range<UInt64>, _ engine: EngineDriver) -> Bool {
        let buffer = AlignedBuffer(count: 4096)
        do throws(DiskError) {
            let bytes = unsafe buffer.slice(0..<sectors.count * 512)
            unsafe try engine.read(at: sectors.lowerBound * 512, into: bytes)
            return true
        } catch {
            return false
        }
    }
}
