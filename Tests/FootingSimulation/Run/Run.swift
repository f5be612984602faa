import FootingDisk
import FootingSystem

/// One run of a simulation.
struct Run {
    private let simulation: Simulation
    private let profile: Profile
    private let store: SimulatedStore
    private let clock = SimulatedClock()
    private let client: Client
    private var random: SeededRandom
    private var summary = Simulation.Summary()
    private var faults = Faults()
    /// A disk that damage made unreadable; there is nothing more to be learned from it.
    private var isGone = false
    /// What had been written when the engine was opened.
    private var writtenBefore: UInt64 = 0
    /// What opens an encrypted disk, and what that was used for.
    private var keys: KeyRing?

    init(_ simulation: Simulation, _ profile: Profile, seed: UInt64, _ random: SeededRandom) {
        self.simulation = simulation
        self.profile = profile
        self.random = random
        store = SimulatedStore(sizeBytes: profile.geometry.containerSizeBytes, seed: ~seed)
        if profile.isEncrypted { keys = KeyRing(profile, seed: seed &* 77) }
        client = Client(store: store, clock: clock, profile: profile, seed: seed &* 31 &+ 7)
    }

    consuming func execute() throws(SimulationFailure) -> Simulation.Summary {
        var run = self
        defer { run.letGo() }
        do throws(DiskError) {
            var generator = run.random
            try Disk.format(
                run.store,
                run.profile.geometry,
                identifier: Identifier(using: &generator),
                unixSeconds: run.clock.unixSeconds,
                compression: run.profile.compression,
                encryption: run.keys.map { DiskEncryption(key: $0.key) },
                using: &generator
            )
        } catch {
            throw SimulationFailure("create: \(error)")
        }
        run.store.setSabotage(run.simulation.sabotage)
        run.store.requireSpace(from: run.profile.geometry.segmentsOffset)
        run.faults = run.profile.faults(&run.random)
        if run.profile.trouble == .misdirection {
            run.client.model.withLock { $0.oracle.remembersFlushed = true }
        }
        run.store.setFaults(run.faults)
        if let crash = run.simulation.crash { run.store.crash(atCall: crash.atCall) }
        try run.open()
        if run.profile.startsFull { run.fill() }
        for cycle in 0..<run.profile.cycleCount where !run.isGone {
            try run.live(cycle)
            try run.end(cycle)
        }
        // Also what came after the last look, such as an opening that failed.
        if let failure = run.keys?.ledger.failure { throw SimulationFailure(failure) }
        run.client.model.withLock { model in
            run.summary.snapshotCount = model.snapshots.madeCount
            run.summary.rollbackCount = model.snapshots.rollbackCount
            run.summary.resizeCount = model.resizeCount
            run.summary.compactionCount = model.compactionCount
            run.summary.returnedBytes = model.returnedBytes
            run.summary.lateReadCount = model.lateReadCount
            run.summary.scrubbedPassCount = model.scrubbedPassCount
            run.summary.damageFoundCount = model.damageFoundCount
        }
        run.summary.nonceCount = run.keys?.ledger.count ?? 0
        run.summary.rotationCount = run.keys?.rotationCount ?? 0
        run.summary.trace = run.store.trace
        run.summary.callCount = run.store.callCount
        return run.summary
    }

    /// Ends what the client and its engine know of each other, however the run ended.
    private func letGo() {
        store.setHook(nil)
        client.forgetReads()
        // Freed outside of the lock: an engine's end may ask its client.
        _ = client.model.withLock { $0.engine.take() }
    }

    private func check() throws(SimulationFailure) {
        if let failure = client.model.withLock({ $0.failure }) { throw failure }
        if let failure = keys?.ledger.failure { throw SimulationFailure(failure) }
    }

    /// Writes everything once.
    private func fill() {
        for window in profile.layout.windows(below: client.sectorCount) {
            var start = window.lowerBound
            while start < window.upperBound, client.canGoOn, let engine = client.engine {
                let end = min(window.upperBound, start + 64)
                client.write(start..<end, engine)
                start = end
            }
        }
    }

    /// Lets the client work until the next restart.
    private mutating func live(_ cycle: Int) throws(SimulationFailure) {
        let client = client
        if profile.isInterleaved { store.setHook { client.interrupt() } }
        if simulation.crash == nil, random.below(3) > 0 {
            if random.oneIn(4) {
                store.crash(afterSuperblock: 1 + random.below(4))
            } else {
                store.crash(atCall: 1 + random.below(profile.operationCount * 2))
            }
        }
        for _ in 0..<profile.operationCount {
            guard client.canGoOn else { break }
            client.act()
        }
        store.setHook(nil)
        if profile.trouble == .rot, client.canGoOn, random.oneIn(2) { rot() }
        if profile.trouble == .fullHost, client.canGoOn, random.oneIn(2) { recoverSpace() }
        if profile.snapshotCountMax > 0, client.canGoOn, random.oneIn(4),
            let engine = client.engine
        {
            client.deleteAllSnapshots(engine)
        }
        if let engine = client.engine {
            try requireNothingSetAside(engine)
            summary.segmentsCollected += engine.statistics.segmentsCollected
            summary.checkpoints += engine.statistics.checkpoints
            summary.compressedBlocks += engine.statistics.compressedBlocks
            summary.recompressedBlocks += engine.statistics.recompressedBlocks
            summary.readsAhead += engine.statistics.readsAhead
            summary.stagedCommits += engine.statistics.stagedCommits
            summary.rearrangedBlocks += engine.statistics.rearrangedBlocks
            summary.returnedAtRestBytes += engine.statistics.returnedAtRestBytes
            try checkTraffic(engine)
        }
        try check()
        try requireSpaceReserved()
    }

    /// A host that is full later must not keep a write from its place.
    private func requireSpaceReserved() throws(SimulationFailure) {
        // An older superblock may count again, and with it what has been given back since.
        let isDamaged = client.model.withLock { $0.isDamaged }
        if isDamaged || store.counts.misdirectedWrites > 0 { return }
        let count = store.unreservedCount
        if count > 0 { throw SimulationFailure("\(count) writes went where no space is reserved") }
        let ranges = client.engine?.reservedRanges ?? []
        if let range = ranges.first(where: { !store.hasSpace($0) }) {
            throw SimulationFailure("no space is reserved at \(range), which is said to have some")
        }
    }

    /// What the engine says it wrote must be what the store was given, to the byte.
    private func checkTraffic(_ engine: EngineDriver) throws(SimulationFailure) {
        // Of a write in several parts, some may be there that the engine does not count.
        let counts = store.counts
        if store.isDown || counts.writeErrors > 0 || counts.spaceErrors > 0 { return }
        let told = engine.statistics.written.totalBytes
        let given = store.writtenBytes - writtenBefore
        guard told == given else {
            throw SimulationFailure("\(told) bytes counted as written, and \(given) were")
        }
    }

    /// The collector must find all that it looks for on a disk to which nothing was done.
    private func requireNothingSetAside(_ engine: EngineDriver) throws(SimulationFailure) {
        let isDamaged = client.model.withLock { $0.isDamaged }
        let counts = store.counts
        if isDamaged || counts.readErrors + counts.misdirectedWrites > 0 || store.isDown { return }
        if engine.segmentsSetAside > 0 {
            throw SimulationFailure("\(engine.segmentsSetAside) segments were set aside")
        }
    }

    /// Damages sectors that are durable and in the map, all at once, and looks around.
    private mutating func rot() {
        guard let engine = client.engine else { return }
        // With commits that are not in the map yet, damage to the last one would be a known limit.
        guard client.flush(engine), client.checkpoint(engine), client.canGoOn else { return }
        client.model.withLock { model in
            model.oracle.settle()
            model.isDamaged = true
        }
        let segments = profile.geometry.segmentsOffset / 512
        let count = UInt64(profile.geometry.segmentCount) * profile.geometry.segmentSizeBytes / 512
        for _ in 0..<1 + random.below(30) {
            let sector = segments + random.next() % count
            store.rot(sector: sector, bit: random.below(4096))
        }
        if random.oneIn(4) {
            // One of the superblocks, anywhere in the part that is used.
            store.rot(sector: random.oneIn(2) ? 0 : 128, bit: random.below(180 * 8))
        }
        if random.oneIn(16) {
            store.rot(sector: 256 + UInt64(random.below(64)), bit: random.below(4096))
        }
        client.settleReads()
        client.requireDamageFound(engine)
        for _ in 0..<20 {
            guard client.canGoOn else { break }
            client.act()
        }
    }

    /// The host has space again: writes must succeed again soon.
    private mutating func recoverSpace() {
        store.setFaults(Faults())
        if !writesAgain(), client.canGoOn, let engine = client.engine {
            // What snapshots keep may be all there is: without them there must be room.
            let hadSnapshots = client.model.withLock { !$0.snapshots.all.isEmpty }
            if hadSnapshots { client.deleteAllSnapshots(engine) }
            if client.canGoOn, !hadSnapshots || !writesAgain(), client.canGoOn {
                client.report("the host has space again, and writes still fail")
            }
        }
        store.setFaults(faults)
    }

    /// Whether a write succeeds within a minute or so, in which the engine works.
    private func writesAgain() -> Bool {
        for _ in 0..<64 {
            guard client.canGoOn, let engine = client.engine else { return false }
            clock.advance(nanoseconds: 1_100_000_000)
            let before = client.model.withLock { $0.oracle.changeCount }
            client.write(0..<8, engine)
            if client.model.withLock({ $0.oracle.changeCount > before }) { return true }
            client.step(engine, commits: true)
            client.step(engine, commits: false)
        }
        return false
    }

    // MARK: - Restarts

    /// Ends a life of the engine: by a crash, a kill, or in order.
    private mutating func end(_ cycle: Int) throws(SimulationFailure) {
        store.setFaults(Faults())
        var survival = Survival.random
        var isOrderly = false
        if !store.isDown, let engine = client.engine, client.canGoOn, random.oneIn(3) {
            isOrderly = client.close(engine) && client.canGoOn
            try check()
        }
        switch random.below(6) {
        case 0: survival = .none
        case 1: survival = .all
        case 2: survival = .subset(random.next())
        default: break
        }
        if cycle == 0, let crash = simulation.crash { survival = crash.survival }
        client.forgetReads()
        store.restart(survival)
        let expected = client.model.withLock { $0.oracle.changeCount }
        if isOrderly, expected > 0, profile.trouble != .misdirection {
            throw SimulationFailure("\(expected) changes are not durable after an orderly end")
        }
        try open()
    }

    /// One opening in so many is checked.
    private var checkInterval: Int { profile.isAboutChanges ? 2 : 4 }

    /// Opens, possibly crashing in the middle of that, and verifies everything.
    private mutating func open() throws(SimulationFailure) {
        client.model.withLock { model in
            model.engine = nil
            model.mustRestart = false
        }
        store.setFaults(Faults())
        if profile.trouble != .misdirection, !client.model.withLock({ $0.isDamaged }) {
            let (store, clock) = (store, clock)
            try keys?.rotate(store, clock)
        }
        if random.oneIn(checkInterval) { try checkImage(isRecovered: false) }
        while random.oneIn(4), summary.restartCount > 0 {
            store.crash(atCall: 1 + random.below(4))
            _ = try? openOnce()
            store.restart(random.oneIn(2) ? .random : .none)
        }
        do throws(DiskError) {
            let engine = try openOnce()
            client.model.withLock { $0.engine = engine }
        } catch {
            if store.isDown { return }
            let isExplained = client.model.withLock { $0.isDamaged } && error.kind == .corrupt
            let isMisdirected = store.counts.misdirectedWrites > 0
            guard isExplained || isMisdirected else {
                throw SimulationFailure("open: \(error)")
            }
            isGone = true
            return
        }
        summary.restartCount += 1
        try client.requirePolicyKept()
        try client.requireSizeKept()
        try verify()
        try check()
        if random.oneIn(checkInterval) { try checkImage(isRecovered: true) }
        store.setFaults(faults)
    }

    private mutating func openOnce() throws(DiskError) -> EngineDriver {
        writtenBefore = store.writtenBytes
        var options = profile.options
        options.settleReads = { [client] in client.settleReads() }
        if let keys {
            options.key = keys.key
            options.accelerator = keys.ledger
        }
        return try EngineDriver.open(store: store, options: options, clock: clock).driver
    }

    /// Reads everything, and asks the oracle whether it can be.
    private func verify() throws(SimulationFailure) {
        guard let engine = client.engine else { return }
        var observed: [UInt64] = []
        observed.reserveCapacity(profile.layout.sectorCount)
        let size = client.sectorCount
        for window in profile.layout.windows {
            var start = window.lowerBound
            let stop = min(window.upperBound, max(size, start))
            while start < stop {
                let end = min(stop, (start / 64 + 1) * 64)
                observed.append(contentsOf: try observe(start..<end, engine))
                start = end
            }
            // What is not there is as if it had never been written.
            observed += [UInt64](repeating: 0, count: Int(window.upperBound - stop))
        }
        let misdirected = store.counts.misdirectedWrites > 0
        let result = client.model.withLock { model -> Result<Int, SimulationFailure> in
            do throws(SimulationFailure) {
                return .success(try model.oracle.recover(observed, allowsLoss: misdirected))
            } catch {
                return .failure(error)
            }
        }
        _ = try result.get()
        if profile.snapshotCountMax > 0 {
            client.verifySnapshots(engine, allowsLoss: misdirected)
            try check()
        }
    }

    private func observe(
        _ sectors: Range<UInt64>,
        _ engine: EngineDriver
    ) throws(SimulationFailure) -> [UInt64] {
        let buffer = AlignedBuffer(count: sectors.count * 512)
        let bytes = unsafe buffer.slice(0..<sectors.count * 512)
        do throws(DiskError) {
            try unsafe engine.read(at: sectors.lowerBound * 512, into: bytes)
        } catch {
            let isDamaged = client.model.withLock { $0.isDamaged }
            guard isDamaged || store.counts != FaultCounts(), error.kind == .corrupt else {
                throw SimulationFailure("read \(sectors) after recovery: \(error)")
            }
            if sectors.count > 8 {
                // Block by block: the others must be right.
                var result: [UInt64] = []
                for start in stride(from: sectors.lowerBound, to: sectors.upperBound, by: 8) {
                    let block = start..<min(start + 8, sectors.upperBound)
                    result.append(contentsOf: try observe(block, engine))
                }
                return result
            }
            return Array(repeating: Oracle.unknown, count: sectors.count)
        }
        return (0..<sectors.count).map { index in
            let part = unsafe UnsafeRawBufferPointer(
                rebasing: bytes[index * 512..<(index + 1) * 512]
            )
            let sector = sectors.lowerBound + UInt64(index)
            return unsafe Pattern.version(part, sector: sector) ?? UInt64.max - 1
        }
    }

    /// The checker must find nothing on a disk to which nothing was done.
    ///
    /// - Parameter isRecovered: whether the superblocks were written since the crash: before that,
    ///   one may be torn.
    private func checkImage(isRecovered: Bool) throws(SimulationFailure) {
        if !simulation.verifiesChecksums { return }
        let isDamaged = client.model.withLock { $0.isDamaged }
        if isDamaged || store.counts.misdirectedWrites > 0 { return }
        let report: CheckReport
        do throws(DiskError) {
            report = try DiskCheck.run(store: store, key: keys?.key)
        } catch {
            throw SimulationFailure("check: \(error)")
        }
        for finding in report.findings where finding.severity > .note {
            let isWrittenTwice =
                finding.what.hasPrefix("superblock") || finding.what.hasPrefix("the key slots")
            if isWrittenTwice && !isRecovered { continue }
            throw SimulationFailure(
                "check, \(isRecovered ? "after" : "before") recovery: \(finding)"
            )
        }
    }
}
