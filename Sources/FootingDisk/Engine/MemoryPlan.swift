import FootingSystem

/// How a disk's memory is divided among its parts: a function of the budget and the disk alone.
///
/// ```
///  budget = floor + rest
///  floor:  segment table, work space, the fewest commits and changes, one slab of map pages
///  rest:   commits up to a third, changes an eighth, map pages an eighth, blocks what is left
/// ```
struct MemoryPlan: Equatable, Sendable {
    /// What may be used; never less than the floor.
    let budgetBytes: Int
    /// What the engine cannot do without.
    let floorBytes: Int
    /// The segment table, and what a checkpoint makes of it.
    let tableBytes: Int
    /// Commits of clients in memory at a time.
    let userBatchCount: Int
    /// Whether each commit lies in a huge page of its own.
    let hasHugeBatches: Bool
    /// Changes of the map that start a checkpoint.
    let deltaCountMax: Int
    /// Slabs for pages of the map, and for blocks.
    let mapSlabCount: Int
    let cacheSlabCount: Int

    /// A segment at rest: its entry, its last LSN, its place among the free ones, what snapshots
    /// need of it and who alone does.
    static let restingBytesPerSegment = 16 + 8 + 4 + (4 + 8)
    /// In a checkpoint: its changes, the table once more as it is and as it is stored; what a new
    /// snapshot refers to, and what one does that goes or comes back.
    private static let tableBytesPerSegment = restingBytesPerSegment + 4 + 16 + 16 + 4 + 4
    /// Up to four times as many changes as start a checkpoint: two tables, half full, one of them
    /// growing, and a sorted copy.
    private static let plainBytesPerDelta = 480
    /// The same on encrypted disks: with tags, in a list that doubles when it grows.
    private static let sealedBytesPerDelta = plainBytesPerDelta + 4 * 32
    private let bytesPerDelta: Int
    /// A segment of an encrypted disk: its sequence once more.
    private static let sealedBytesPerSegment = 8
    /// Two tables of changes at their smallest.
    private static let changeBytesMin = 64 << 10
    private static let deltaCountMin = 1024
    /// The collector's window, the buffer of a checkpoint's pages, reads under way, and which of
    /// them were scattered.
    static let workBytes =
        (2 << 20) + (256 << 10) + (2 << 20) + ScatteredRanges.byteCountMax
    /// The fewest commits that clients get along with: three must be free for a write, while one is
    /// on its way.
    static let userBatchCountMin = 4
    static let slabBytes = CacheLayout.slabBytes + CacheLayout.tableBytesPerSlab

    /// Divides a budget.
    ///
    /// - Parameters:
    ///   - budgetBytes: what may be used; less than the floor counts as the floor.
    ///   - geometry: the disk.
    ///   - deltaCountMax: changes that start a checkpoint, at most.
    init(budgetBytes: Int, geometry: Geometry, deltaCountMax: Int) {
        bytesPerDelta = geometry.isEncrypted ? Self.sealedBytesPerDelta : Self.plainBytesPerDelta
        let sealedBytes = geometry.isEncrypted ? Self.sealedBytesPerSegment : 0
        tableBytes = Int(geometry.segmentCount) * (Self.tableBytesPerSegment + sealedBytes)
        let deltaFloor = min(Self.deltaCountMin, deltaCountMax)
        let batchFloor = Self.batchBytes(Self.userBatchCountMin, isHuge: false)
        floorBytes =
            tableBytes + Self.workBytes + batchFloor + Self.changeBytesMin
            + deltaFloor * bytesPerDelta + Self.slabBytes
        self.budgetBytes = max(budgetBytes, floorBytes)
        let rest = self.budgetBytes - floorBytes
        var left = rest
        // Commits: in huge pages if all of them fit so.
        let allHuge = Self.batchBytes(EngineLimits.userBatchCount, isHuge: true) - batchFloor
        hasHugeBatches = allHuge <= rest / 3
        if hasHugeBatches {
            userBatchCount = EngineLimits.userBatchCount
            left -= allHuge
        } else {
            let more = rest / 3 / Batch.sizeBytesMax
            userBatchCount = min(Self.userBatchCountMin + more, EngineLimits.userBatchCount)
            left -= Self.batchBytes(userBatchCount, isHuge: false) - batchFloor
        }
        let wanted = deltaFloor + rest / 8 / bytesPerDelta
        self.deltaCountMax = min(wanted, max(deltaCountMax, deltaFloor))
        left -= (self.deltaCountMax - deltaFloor) * bytesPerDelta
        // More than the whole map, and half of it once more while a checkpoint writes it anew,
        // would be in vain.
        let wholeMap = Int(geometry.mapPageCount) * 3 / 2 / CacheLayout.standard.framesPerSlab + 1
        mapSlabCount = min(1 + rest / 8 / Self.slabBytes, max(wholeMap, 1))
        left -= (mapSlabCount - 1) * Self.slabBytes
        cacheSlabCount = max(left, 0) / Self.slabBytes
    }

    /// Bytes of commits, the collector's two included.
    static func batchBytes(_ userBatchCount: Int, isHuge: Bool) -> Int {
        (userBatchCount + EngineLimits.collectorBatchCount) * batchBytes(isHuge: isHuge)
    }

    static func batchBytes(isHuge: Bool) -> Int { isHuge ? 2 << 20 : Batch.sizeBytesMax }

    /// Bytes that the commits may take.
    var batchBytes: Int { Self.batchBytes(userBatchCount, isHuge: hasHugeBatches) }

    /// Bytes that changes of the map may take.
    var changeBytes: Int { Self.changeBytesMin + deltaCountMax * bytesPerDelta }

    /// Slabs for blocks while commits and changes from a larger budget are still there.
    func cacheSlabs(batchBytes: Int, changeBytes: Int) -> Int {
        let over =
            max(batchBytes - self.batchBytes, 0) + max(changeBytes - self.changeBytes, 0)
        return max(cacheSlabCount - (over + Self.slabBytes - 1) / Self.slabBytes, 0)
    }
}
