package import FootingDisk
package import FootingSystem

/// What kind of run a seed stands for: the disk, the engine's limits, and what goes wrong.
package struct Profile: Sendable {
    /// What may go wrong besides crashes.
    package enum Trouble: String, Sendable, CaseIterable {
        /// Nothing: then no error at all is allowed.
        case crashesOnly
        /// Reads fail now and then.
        case readErrors
        /// Writes fail now and then.
        case writeErrors
        /// Syncs fail now and then.
        case syncErrors
        /// The host is short of space.
        case fullHost
        /// Sectors rot that nothing will write again soon.
        case rot
        /// A write goes elsewhere.
        case misdirection
    }

    package var geometry: Geometry
    package var options: EngineOptions
    package var layout: Layout
    package var trouble: Trouble
    /// How writes are compressed at first.
    package var compression: CompressionPolicy
    /// Restarts, and operations before each.
    package var cycleCount: Int
    package var operationCount: Int
    /// Whether the disk is filled first, so that the log is as full as it gets.
    package var startsFull: Bool
    /// Whether snapshots are made, and how many at most.
    package var snapshotCountMax = 0
    /// Whether the disk is encrypted.
    package var isEncrypted = false
    /// Sectors that the disk has at most, if its size changes; 0 if not.
    package var sectorCountMax: UInt64 = 0
    /// Whether the disk itself is changed all the time: its size, its container, how it compresses,
    /// what opens it.
    package var isAboutChanges = false
    /// Whether clients are active while the engine writes.
    package var isInterleaved: Bool

    /// Draws a profile.
    package init(using random: inout SeededRandom) {
        let isLarge = random.oneIn(16)
        let segment: UInt64 = isLarge ? 1 << 20 : random.oneIn(4) ? 128 << 10 : 64 << 10
        var sectors = UInt64(64 + random.below(2000))
        if random.oneIn(2) { sectors = sectors / 8 * 8 }
        if isLarge { sectors = UInt64(1 + random.below(64)) << 21 | UInt64(random.below(16)) }
        let spare = random.oneIn(2) ? 11 : 11 + random.below(60)
        if random.oneIn(2) { snapshotCountMax = 1 + random.below(6) }
        let reserves = [0, 50, 150, 400]
        geometry = Geometry(
            sizeBytes: sectors * 512,
            sparePercent: spare,
            snapshotReservePercent: snapshotCountMax > 0 ? reserves[random.below(4)] : 0,
            segmentSizeBytes: segment
        )
        if random.oneIn(3) { sectorCountMax = sectors * 2 + UInt64(random.below(16)) }
        if isLarge {
            let middle = UInt64(random.below(Int(sectors - 2048))) / 8 * 8
            layout = Layout(windows: [
                0..<256, max(256, middle)..<max(256, middle) + 512,
                (sectors - 512) / 8 * 8..<sectors,
            ])
            if sectorCountMax > 0 {
                let last = (sectorCountMax - 512) / 8 * 8..<sectorCountMax
                layout = Layout(windows: layout.windows + [last])
            }
        } else {
            layout = Layout(windows: [0..<max(sectors, sectorCountMax)])
        }
        options = EngineOptions()
        // Few frames, so that they are fought over.
        options.cacheLayout = CacheLayout(shardCount: 1 + random.below(2), framesPerShard: 7)
        // And windows that fit into them, so that something is read ahead.
        options.readAhead.windowBlocksMin = 1
        options.readAhead.windowBlocksMax = 16
        options.readAhead.cachePart = 2
        options.readAhead.mappedPart = 2
        options.pageSource = AnyPages(isHuge: false)
        // Only with more commits than the fewest do large writes get some of their own.
        let hasMore = geometry.segmentCount.isMultiple(of: 3)
        options.memoryBudgetBytes = hasMore ? 40 << 20 : 0
        options.unflushedBytesMax = (32 << 10) << random.below(5)
        options.checkpointLogBytes = (128 << 10) << random.below(5)
        options.deltaCountMax = 32 << random.below(6)
        options.trimRangeCountMax = 2 << random.below(6)
        // A write may take more than that, and is let in all the same.
        options.replay.deltaCountMax = 8 * max(options.deltaCountMax, 64)
        options.replay.trimRangeCountMax = 8 * options.trimRangeCountMax
        options.stagedBlockCountMin = 2
        options.stagedBlocksPerCommitMax = 5
        options.preparesSegments = geometry.segmentCount.isMultiple(of: 2)
        compression = CompressionPolicy.allCases[random.below(CompressionPolicy.allCases.count)]
        trouble = .crashesOnly
        if random.oneIn(2) {
            trouble = Trouble.allCases[random.below(Trouble.allCases.count)]
        }
        cycleCount = 1 + random.below(5)
        operationCount = 10 + random.below(120)
        startsFull = !isLarge && random.oneIn(3)
        isInterleaved = random.oneIn(2)
        // Long enough to use up the spare room, and be killed in the midst of winning it back.
        if startsFull && random.oneIn(4) { operationCount *= 8 }
    }

    /// Encrypts the disk, which gets the room that its larger map needs.
    mutating func encrypt() {
        isEncrypted = true
        let counts = [false, true].map { isEncrypted in
            Geometry(
                sizeBytes: geometry.sizeBytes,
                sparePercent: 11,
                segmentSizeBytes: geometry.segmentSizeBytes,
                isEncrypted: isEncrypted
            ).segmentCount
        }
        geometry = Geometry(
            sizeBytes: geometry.sizeBytes,
            segmentSizeBytes: geometry.segmentSizeBytes,
            segmentCount: geometry.segmentCount + counts[1] - counts[0],
            isEncrypted: true
        )
    }

    /// The faults that its trouble stands for.
    func faults(_ random: inout SeededRandom) -> Faults {
        var faults = Faults()
        let rate = 10 + random.below(100)
        switch trouble {
        case .crashesOnly, .rot: break
        case .readErrors: faults.readErrorOneIn = rate
        case .writeErrors: faults.writeErrorOneIn = rate
        case .syncErrors: faults.syncErrorOneIn = rate / 4 + 2
        case .misdirection: faults.misdirectedWriteOneIn = rate
        case .fullHost:
            if random.oneIn(2) { faults.writeSpaceErrorOneIn = rate }
            let all = geometry.containerSizeBytes
            faults.spaceBytesMax = all / 4 + UInt64(random.below(Int(all / 2)))
        }
        return faults
    }
}
