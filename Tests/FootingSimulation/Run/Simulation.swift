package import FootingAcceleration
package import FootingDisk
import FootingSystem

/// Whole runs: an engine on a simulated disk, crashed and opened again, compared with an oracle.
package struct Simulation: Sendable {
    /// What a run did.
    package struct Summary: Sendable, Equatable {
        /// The same for two runs of the same seed.
        package var trace: UInt64 = 0
        /// Writes and syncs of the store.
        package var callCount = 0
        /// Times the disk was opened again.
        package var restartCount = 0
        /// Segments that the collector emptied.
        package var segmentsCollected: UInt64 = 0
        /// Checkpoints.
        package var checkpoints: UInt64 = 0
        /// Blocks that clients wrote and that were stored smaller.
        package var compressedBlocks: UInt64 = 0
        /// Blocks that the collector made smaller.
        package var recompressedBlocks: UInt64 = 0
        /// Commits that large writes had beside their first ones, filled as they arrived.
        package var stagedCommits: UInt64 = 0
        /// Ranges that were read ahead.
        package var readsAhead: UInt64 = 0
        /// Snapshots that were made, and rollbacks to one.
        package var snapshotCount = 0
        package var rollbackCount = 0
        /// Nonces that were used.
        package var nonceCount = 0
        /// Times a disk got another key.
        package var rotationCount = 0
        /// Times the disk got another size.
        package var resizeCount = 0
        /// Compactions, and bytes that they gave back.
        package var compactionCount = 0
        package var returnedBytes: UInt64 = 0
        /// Blocks written anew in order, and bytes given back after trims, while clients rested.
        package var rearrangedBlocks: UInt64 = 0
        package var returnedAtRestBytes: UInt64 = 0
        /// Reads that ended after the engine had gone on.
        package var lateReadCount = 0
        /// Passes of scrubbing beside everything else, and damages that others found.
        package var scrubbedPassCount = 0
        package var damageFoundCount = 0
    }

    /// What is left out, to show that it is noticed.
    package var sabotage = Sabotage.none
    /// False switches the engine's checksums off, to show that it is noticed.
    package var verifiesChecksums = true
    /// What compresses; the real one by default.
    package var accelerator: (any Accelerator)?
    /// Only this kind of trouble; any by default.
    package var trouble: Profile.Trouble?
    /// Crash at this write or sync of the first cycle, and what survives it.
    package var crash: (atCall: Int, survival: Survival)?
    /// Snapshots in every run, of a disk that is full, so that all goes on about them.
    package var isAboutSnapshots = false
    /// Disks that get other sizes all the time, are compacted, scrubbed and trimmed, compress
    /// otherwise and get other keys.
    package var isAboutChanges = false
    /// A rule of snapshots that is broken, to show that it is noticed.
    package var leavesOut: SnapshotRule?
    /// Whether disks are encrypted: one in three by default.
    package var isEncrypted: Bool?
    /// A rule of encryption that is broken, to show that it is noticed.
    package var leavesOutOfEncryption: EncryptionRule?
    /// Whether the disk keeps itself in order beside everything else: one in three by default,
    /// where nothing is broken on purpose.
    package var hasUpkeep: Bool?
    /// A rule of another feature that is broken, to show that it is noticed.
    package var leavesOutOfFeatures: FeatureRule?
    /// Makes runs short: a small disk and few operations.
    package var isShort = false

    /// Runs of every kind.
    package init() {}

    /// Runs one seed.
    ///
    /// - Throws: what is wrong with the engine.
    @discardableResult
    package func run(seed: UInt64) throws(SimulationFailure) -> Summary {
        var random = SeededRandom(seed: seed)
        var profile = Profile(using: &random)
        // What is in memory hides what is wrong in the store.
        profile.options.cachesWrites = seed % 4 == 0
        if let trouble { profile.trouble = trouble }
        if let accelerator { profile.options.accelerator = accelerator }
        if isAboutSnapshots { profile.fillWithSnapshots(&random) }
        if isAboutChanges { profile.changeMuch(&random) }
        if isShort { profile.shorten(&random) }
        // Apart from all else that is drawn: what a seed stands for stays the same.
        var other = SeededRandom(seed: seed &* 0x9e37_79b9_7f4a_7c15)
        if isEncrypted ?? other.oneIn(3) { profile.encrypt() }
        let isKept = other.oneIn(3) && isWhole
        profile.keepUp(hasUpkeep ?? isKept, &other)
        profile.options.leavesOutOfEncryption = leavesOutOfEncryption
        profile.options.verifiesChecksums = verifiesChecksums
        profile.options.leavesOut = leavesOut
        profile.options.leavesOutOfFeatures = leavesOutOfFeatures
        let run = Run(self, profile, seed: seed, random)
        do throws(SimulationFailure) {
            return try run.execute()
        } catch {
            let kind = profile.isEncrypted ? "\(profile.trouble), encrypted" : "\(profile.trouble)"
            throw SimulationFailure("(\(kind)) \(error)")
        }
    }
}

extension Simulation {
    /// Nothing is left out that keeps a disk's content.
    private var isWhole: Bool {
        sabotage == .none && verifiesChecksums && leavesOut == nil
            && leavesOutOfEncryption == nil && leavesOutOfFeatures == nil
    }

    /// Runs a short seed again and again, crashing at every write and sync it makes.
    ///
    /// - Returns: how many runs that took.
    package static func runExhaustively(seed: UInt64) throws(SimulationFailure) -> Int {
        var simulation = Simulation()
        simulation.isShort = true
        simulation.crash = (1 << 40, .all)
        let callCount = try simulation.run(seed: seed).callCount
        var random = SeededRandom(seed: seed)
        var runCount = 1
        for call in 1...callCount {
            let survivals: [Survival] = [.none, .all, .subset(random.next()), .random]
            for survival in survivals {
                simulation.crash = (call, survival)
                do throws(SimulationFailure) {
                    try simulation.run(seed: seed)
                } catch {
                    throw SimulationFailure("crash at call \(call), \(survival): \(error)")
                }
                runCount += 1
            }
        }
        return runCount
    }
}

extension Profile {
    /// A small disk that is full and has snapshots.
    fileprivate mutating func fillWithSnapshots(_ random: inout SeededRandom) {
        let sectors = UInt64(400 + random.below(1000))
        snapshotCountMax = 2 + random.below(4)
        geometry = Geometry(
            sizeBytes: sectors * 512,
            sparePercent: 11,
            snapshotReservePercent: 100 + random.below(100),
            segmentSizeBytes: 64 << 10
        )
        sectorCountMax = random.oneIn(4) ? sectors * 3 / 2 : 0
        layout = Layout(windows: [0..<max(sectors, sectorCountMax)])
        startsFull = true
        isInterleaved = true
        operationCount = 200 + random.below(200)
    }

    /// Lets a disk keep itself in order at any time, or where clients happen to do little for a
    /// moment, or never.
    fileprivate mutating func keepUp(_ isOn: Bool, _ random: inout SeededRandom) {
        options.upkeep.rearranges = isOn
        options.upkeep.returnsTrimmedSpace = isOn
        options.upkeep.restNanoseconds = 0
        options.upkeep.restBlocksPerSecondMax = .max
        if random.oneIn(2) {
            options.upkeep.restNanoseconds = 1_000_000
            options.upkeep.restBlocksPerSecondMax = 4 << random.below(6)
        }
        options.upkeep.rereadNanoseconds = 0
        options.upkeep.scatteredBlockCountMin = 2
        options.upkeep.trimmedBytesMin = geometry.segmentSizeBytes
        options.upkeep.returnedSegmentCountMin = 1
    }

    /// A small disk that is changed all the time, and full or with room to spare.
    fileprivate mutating func changeMuch(_ random: inout SeededRandom) {
        isAboutChanges = true
        let sectors = UInt64(300 + random.below(700))
        snapshotCountMax = random.oneIn(4) ? 2 : 0
        // With so much room the table of segments gets longer with the disk, and moves.
        geometry =
            random.oneIn(4)
            ? Geometry(
                sizeBytes: sectors * 512,
                segmentSizeBytes: 64 << 10,
                segmentCount: 256 - UInt32(random.below(40))
            )
            : Geometry(
                sizeBytes: sectors * 512,
                sparePercent: 11,
                snapshotReservePercent: random.below(100),
                segmentSizeBytes: 64 << 10
            )
        sectorCountMax = sectors * 2
        // Only the first change to another policy is one that other programs must know of.
        if random.oneIn(2) { compression = .none }
        cycleCount += 3
        layout = Layout(windows: [0..<sectorCountMax])
        startsFull = random.oneIn(2)
        isInterleaved = random.below(3) > 0
        operationCount = 100 + random.below(200)
    }

    /// A disk of a few segments and a handful of operations.
    fileprivate mutating func shorten(_ random: inout SeededRandom) {
        let sectors = UInt64(100 + random.below(500))
        geometry = Geometry(
            sizeBytes: sectors * 512,
            sparePercent: 11,
            snapshotReservePercent: 200,
            segmentSizeBytes: 64 << 10
        )
        sectorCountMax = sectors * 2
        layout = Layout(windows: [0..<sectorCountMax])
        trouble = .crashesOnly
        cycleCount = 1
        operationCount = 50
        startsFull = false
        snapshotCountMax = 3
        options.deltaCountMax = 32
        options.checkpointLogBytes = 128 << 10
    }
}
