package import FootingDisk
internal import FootingSystem

/// What overwriting at random costs in the long run: the engine on a store in memory, moved on step
/// by step, so that it is the same every time.
///
/// Disk, segments and the distance of checkpoints are those of a disk of 1 GiB, divided by a scale,
/// so that the ratios stay nearly the same; only headers take more of smaller segments.
package struct AmplificationTrial: Sendable {
    /// Which blocks are overwritten.
    package enum Load: String, Sendable, CaseIterable {
        /// Any, on a disk of which 7 / 10 of the data's part of the container are used.
        case uniform = "uniform, 70 % full"
        /// The same in a container without room for snapshots, as on a device: the engine uses that
        /// room as well while there are none.
        case confined = "uniform, 70 % full, no room for snapshots"
        /// Nine of ten in a tenth of the disk, 8 / 10 full.
        case skewed = "90/10, 80 % full"
    }

    /// When the engine gets to its background work.
    package enum Pace: String, Sendable, CaseIterable {
        /// After each flush, as much as there is: it is faster than its clients.
        case ahead
        /// When a client has to wait for it, and then only until there is room.
        case behind
    }

    private let load: Load
    private let pace: Pace
    /// What everything is divided by.
    private let scale: Int

    private static let flushedBlockCount = 64
    /// Until the dead blocks have found their places.
    private static let settlingPassCount = 3

    /// What was written for each block of a client, in blocks.
    package struct Result: Sendable {
        var clients = 0.0
        var headers = 0.0
        var moved = 0.0
        var map = 0.0
        /// How much of a segment was live when it was emptied.
        var victim = 0.0
        /// Segments with space in the host, and those of them that were free, on average.
        var segments = 0.0
        var free = 0.0
        /// Times that a client waited for the collector.
        var throttled = 0

        /// Bytes of log and map for each of a client's.
        package var amplification: Double { clients + headers + moved + map }
    }

    /// What a disk can be divided by, so that segments keep a size that they may have.
    package static let scales = [1, 2, 4, 8, 16]

    /// Describes one.
    package init(_ load: Load, _ pace: Pace, scale: Int) {
        precondition(Self.scales.contains(scale), "no such scale")
        self.load = load
        self.pace = pace
        self.scale = scale
    }

    private var diskBytes: UInt64 { (1 << 30) / UInt64(scale) }

    private var geometry: Geometry {
        // What `footing disk create` adds.
        let reserve = DiskOptions.snapshotReservePercent(sizeBytes: 1 << 30)
        return Geometry(
            sizeBytes: diskBytes,
            sparePercent: load == .skewed ? 25 : 33,
            snapshotReservePercent: load == .confined ? 0 : reserve,
            segmentSizeBytes: (4 << 20) / UInt64(scale)
        )
    }

    /// Blocks that are used.
    private var blockCount: Int {
        let all = Int(diskBytes / 4096)
        return load == .skewed ? all : all * 133 * 7 / 1000
    }

    private func block(_ random: inout SeededRandom) -> Int {
        let hot = blockCount / 10
        switch load {
        case .uniform, .confined: return random.below(blockCount)
        case .skewed where !random.oneIn(10): return random.below(hot)
        case .skewed: return hot + random.below(blockCount - hot)
        }
    }

    /// Overwrites the disk four times, and tells what the last one cost.
    package func run() throws(DiskError) -> Result {
        let geometry = geometry
        let clock = SimulatedClock()
        let store = MemoryStore(sizeBytes: geometry.containerSizeBytes)
        let identifier = Identifier(high: 1, low: 2)
        try Disk.format(store, geometry, identifier: identifier, unixSeconds: clock.unixSeconds)
        var options = EngineOptions()
        options.checkpointLogBytes /= scale
        options.deltaCountMax /= scale
        let driver = try EngineDriver.open(store: store, options: options, clock: clock).driver
        let block = AlignedBuffer(count: 4096)
        let bytes = unsafe UnsafeRawBufferPointer(block.bytes)
        for number in 0..<blockCount { try unsafe driver.write(at: UInt64(number) * 4096, bytes) }
        var random = SeededRandom(seed: 1)
        let settling = Self.settlingPassCount * blockCount
        var before = driver.statistics
        var result = Result()
        var sampleCount = 0.0
        for number in 0..<settling + blockCount {
            if number == settling { before = driver.statistics }
            try unsafe driver.write(at: UInt64(self.block(&random)) * 4096, bytes)
            guard (number + 1) % Self.flushedBlockCount == 0 else { continue }
            try driver.flush()
            if pace == .ahead { while try driver.maintenanceStep() {} }
            guard number >= settling else { continue }
            let space = driver.space
            result.segments += Double(space.usedSegmentCount + space.freeSegmentCount)
            result.free += Double(space.freeSegmentCount)
            sampleCount += 1
        }
        result.segments /= sampleCount
        result.free /= sampleCount
        fill(&result, before, driver.statistics)
        return result
    }

    private func fill(
        _ result: inout Result,
        _ before: EngineStatistics,
        _ after: EngineStatistics
    ) {
        func difference(_ value: (EngineStatistics) -> UInt64) -> Double {
            Double(value(after) - value(before))
        }
        let written = difference(\.blocksWritten)
        let headers = difference(\.commits)
        let moved = difference(\.blocksMoved)
        result.headers = headers / written
        result.moved = moved / written
        result.map = difference(\.mapPagesWritten) / written
        result.clients = (difference(\.logBytes) / 4096 - headers - moved) / written
        let segmentBlocks = Double(geometry.segmentSizeBytes / 4096)
        result.victim = moved / (max(difference(\.segmentsCollected), 1) * segmentBlocks)
        result.throttled = Int(difference(\.throttledWrites))
    }
}
