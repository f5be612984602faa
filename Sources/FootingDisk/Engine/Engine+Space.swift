internal import FootingSystem
import Synchronization

/// What is in a container, in bytes and segments.
public struct DiskSpace: Sendable, Equatable {
    /// Size of a segment.
    public var segmentBytes: UInt64 = 0
    /// Segments that can be written at once.
    public var freeSegmentCount: UInt64 = 0
    /// Free segments for which the host has reserved nothing yet.
    public var unallocatedSegmentCount: UInt64 = 0
    /// Segments with something in them.
    public var usedSegmentCount: UInt64 = 0
    /// Of those, the ones that the collector has emptied and that wait for a flush.
    public var evacuatedSegmentCount: UInt64 = 0
    /// Of those, the ones that are left alone because something in them cannot be read.
    public var quarantinedSegmentCount: UInt64 = 0
    /// Free segments below which the collector works.
    public var wantedSegmentCount: UInt64 = 0
    /// What the map of the last checkpoint refers to, map pages included.
    public var liveBytes: UInt64 = 0
    /// What was written into used segments and is not live, or not yet in the map, and in no
    /// segment of which a snapshot needs anything: at most this can be won by collecting.
    public var deadBytes: UInt64 = 0
    /// The same in segments of which a snapshot needs something: what it keeps, and what is
    /// outdated beside that.
    public var pinnedBytes: UInt64 = 0
}

/// Bytes written to a container since it was opened, by what they were for.
public struct ContainerTraffic: Sendable, Equatable {
    /// Commits, of clients and of the collector, with their headers.
    public internal(set) var logBytes: UInt64 = 0
    /// Pages of the map.
    public internal(set) var mapBytes: UInt64 = 0
    /// The segment table.
    public internal(set) var tableBytes: UInt64 = 0
    /// Superblocks.
    public internal(set) var superblockBytes: UInt64 = 0
    /// Zeros, where the log comes to next (``EngineOptions/preparesSegments``).
    public internal(set) var preparedBytes: UInt64 = 0

    /// All of them.
    public var totalBytes: UInt64 {
        logBytes + mapBytes + tableBytes + superblockBytes + preparedBytes
    }
}

/// Counts what is written where it is written: by any thread, without the engine's lock.
final class TrafficMeter: Sendable {
    let logBytes = Atomic<UInt64>(0)
    let mapBytes = Atomic<UInt64>(0)
    let tableBytes = Atomic<UInt64>(0)
    let superblockBytes = Atomic<UInt64>(0)
    let preparedBytes = Atomic<UInt64>(0)

    func read() -> ContainerTraffic {
        ContainerTraffic(
            logBytes: logBytes.load(ordering: .relaxed),
            mapBytes: mapBytes.load(ordering: .relaxed),
            tableBytes: tableBytes.load(ordering: .relaxed),
            superblockBytes: superblockBytes.load(ordering: .relaxed),
            preparedBytes: preparedBytes.load(ordering: .relaxed)
        )
    }
}

/// How many flushes one synchronization answered, since the disk was opened.
///
/// Flushes that one connection of the NBD server has put together count as one.
public struct FlushGroups: Sendable, Equatable {
    /// Groups of 1, of 2, of up to 4, of up to 8, and so on; the last has all that are larger.
    public internal(set) var counts = [UInt64](repeating: 0, count: 10)
    /// Flushes in all groups.
    public internal(set) var flushCount: UInt64 = 0

    /// The largest size of each group but the last.
    public static func limit(_ index: Int) -> UInt64 { 1 << UInt64(index) }

    mutating func add(_ size: Int) {
        if size == 0 { return }
        flushCount += UInt64(size)
        let bits = Int.bitWidth - (size - 1).leadingZeroBitCount
        counts[min(bits, counts.count - 1)] += 1
    }
}

extension Engine {
    /// What is in the container now.
    var space: DiskSpace {
        state.withLock { state in
            var space = DiskSpace()
            space.segmentBytes = geometry.segmentSizeBytes
            space.freeSegmentCount = UInt64(state.ready.count)
            space.unallocatedSegmentCount = UInt64(state.virgin.count)
            space.evacuatedSegmentCount = UInt64(state.evacuated.count)
            space.wantedSegmentCount = UInt64(segmentsWanted(state))
            for (index, entry) in state.segments.enumerated() where entry.state != .free {
                space.usedSegmentCount += 1
                if entry.isQuarantined { space.quarantinedSegmentCount += 1 }
                let live = UInt64(entry.liveUnits) * 4096 / Geometry.unitsPerBlock
                let written = UInt64(entry.pagesWritten) * 4096
                space.liveBytes += live
                let rest = written > live ? written - live : 0
                if state.snapshots.isPinned(index) {
                    space.pinnedBytes += rest
                } else {
                    space.deadBytes += rest
                }
            }
            return space
        }
    }
}
