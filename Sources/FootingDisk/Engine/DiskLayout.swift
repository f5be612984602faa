import Synchronization

/// Where everything is in a container that may grow while it is used.
///
/// What changes is changed under the engine's lock, by the thread that makes checkpoints. Who looks
/// at the map takes its root, and how deep that is, under the same lock.
final class DiskLayout: Sendable {
    private let first: Geometry
    private let sizeBytes: Atomic<UInt64>
    private let segmentCount: Atomic<UInt32>
    private let tablesOffset: Atomic<UInt64>

    init(_ geometry: Geometry) {
        first = geometry
        sizeBytes = Atomic(geometry.sizeBytes)
        segmentCount = Atomic(geometry.segmentCount)
        tablesOffset = Atomic(geometry.tablesOffset)
    }

    var geometry: Geometry {
        Geometry(
            sizeBytes: sizeBytes.load(ordering: .acquiring),
            segmentSizeBytes: first.segmentSizeBytes,
            segmentCount: segmentCount.load(ordering: .relaxed),
            isEncrypted: first.isEncrypted,
            segmentsOffset: first.segmentsOffset,
            tablesOffset: tablesOffset.load(ordering: .relaxed)
        )
    }

    /// Entries of a page of the map, which never change.
    var entriesPerPage: Int { first.entriesPerPage }

    /// How many blocks one entry of a page of the map at a level stands for.
    func span(level: Int) -> UInt64 { first.span(level: level) }

    /// The container has another size from now on; segments are where they were.
    func change(to geometry: Geometry) {
        precondition(geometry.segmentsOffset == first.segmentsOffset, "segments that moved")
        segmentCount.store(geometry.segmentCount, ordering: .relaxed)
        tablesOffset.store(geometry.tablesOffset, ordering: .relaxed)
        // Last: who sees the new size sees the segments that belong to it.
        sizeBytes.store(geometry.sizeBytes, ordering: .releasing)
    }
}

/// The root of a map, and what it is a map of.
struct MapRoot: Sendable {
    let entry: MapEntry
    let levels: Int
    let blockCount: UInt64

    init(_ entry: MapEntry, _ geometry: Geometry) {
        self.entry = entry
        levels = geometry.levels
        blockCount = geometry.blockCount
    }
}

extension Superblock {
    /// The current tree.
    var mapRoot: MapRoot { MapRoot(root, geometry) }
}
