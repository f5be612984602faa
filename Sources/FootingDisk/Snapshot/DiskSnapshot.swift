/// A tree to read instead of the disk as it is now.
struct TreeView: Sendable {
    let reader: MapReader
    let root: MapRoot
    /// The disk's when it was made.
    let geometry: Geometry
}

/// A snapshot that is open for reading; it cannot be deleted as long as it is.
///
/// Safe to use from any number of threads, and beside the disk.
public final class DiskSnapshot: Sendable {
    /// Its name.
    public let name: String
    /// Its number, never used again on its disk.
    public let identifier: UInt64
    private let engine: Engine
    private let view: TreeView
    private let isCounted: Bool

    init(_ engine: Engine, _ record: SnapshotRecord, isCounted: Bool) {
        self.engine = engine
        self.isCounted = isCounted
        name = record.name
        identifier = record.identifier
        let geometry = engine.geometry.holding(sizeBytes: record.sizeBytes)
        view = TreeView(
            reader: engine.reader,
            root: MapRoot(record.root, geometry),
            geometry: geometry
        )
    }

    deinit {
        if isCounted { engine.closeSnapshot(identifier) }
    }

    /// Bytes that a client sees: the disk's size when it was made.
    public var sizeBytes: UInt64 { view.geometry.sizeBytes }

    /// Reads bytes: any multiple of 512 at any sector.
    public func read(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(DiskError) {
        _ = try unsafe engine.read(at: offset, into: buffer, waits: true, view: view)
    }

    /// Reads what is in memory.
    ///
    /// - Returns: false if it would have to wait for the device.
    public func readWithoutWaiting(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(DiskError) -> Bool {
        try unsafe engine.read(at: offset, into: buffer, waits: false, view: view)
    }

    /// Reads that wait for the device while the calling thread, and only that, goes on.
    ///
    /// - Returns: nil where reads can only wait.
    public func makeReadQueue() -> DiskReadQueue? { DiskReadQueue(engine, view, owner: self) }

    /// Which parts of a range hold data: extents that cover its beginning.
    public func extents(_ range: Range<UInt64>, limit: Int) throws(DiskError) -> [DiskExtent] {
        try engine.extents(range, limit: limit, of: view)
    }
}

extension Engine {
    /// The extents of a tree that does not change; at most `limit`, at least one.
    func extents(
        _ range: Range<UInt64>,
        limit: Int,
        of view: TreeView
    ) throws(DiskError) -> [DiskExtent] {
        try checkBounds("block status", range.lowerBound, range.count, view.geometry)
        precondition(limit > 0)
        var result: [DiskExtent] = []
        var block = range.lowerBound / 4096
        let end = (range.upperBound + 4095) / 4096
        let stop = min(end, block + Self.scannedBlockMax)
        while block < stop {
            guard let answer = try view.reader.find(block, root: view.root) else {
                preconditionFailure("a look-up that may wait")
            }
            let isAllocated = answer.entry.isMapped
            let next = isAllocated ? block + 1 : min(answer.end, end)
            let start = max(block * 4096, range.lowerBound)
            let upper = min(next * 4096, range.upperBound)
            if let last = result.last, last.isAllocated == isAllocated {
                result[result.count - 1] = DiskExtent(
                    offset: last.offset,
                    count: upper - last.offset,
                    isAllocated: isAllocated
                )
            } else {
                if result.count == limit { return result }
                result.append(
                    DiskExtent(offset: start, count: upper - start, isAllocated: isAllocated)
                )
            }
            block = next
        }
        return result
    }
}
