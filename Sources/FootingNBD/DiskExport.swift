public import FootingDisk
public import FootingSystem

/// A disk as NBD clients see it.
public final class DiskExport: Export {
    /// The disk.
    public let disk: Disk
    /// The name clients may ask for.
    public let name: String
    /// A line about it.
    public let summary: String

    /// Offers a disk under a name.
    public init(_ disk: Disk, name: String) {
        self.disk = disk
        self.name = name
        summary = "Footing disk \(disk.information.identifier)"
    }

    /// The disk's size in bytes.
    public var sizeBytes: UInt64 { disk.sizeBytes }

    /// An open disk can be written.
    public var isReadOnly: Bool { false }

    /// Runs an operation, its error turned into the number that the protocol knows.
    private func translated<Result>(
        _ operation: () throws(DiskError) -> Result
    ) throws(Errno) -> Result {
        do throws(DiskError) {
            return try operation()
        } catch {
            throw error.errno
        }
    }

    /// Reads; may wait for the device.
    public func read(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) {
        try translated { () throws(DiskError) in try unsafe disk.read(at: offset, into: buffer) }
    }

    /// Reads what is in memory.
    public func readWithoutWaiting(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Bool {
        try translated { () throws(DiskError) in
            try unsafe disk.readWithoutWaiting(at: offset, into: buffer)
        }
    }

    /// Reads side by side, where the disk's store can do that.
    public func makeReadQueue() -> (any ExportReadQueue)? {
        disk.makeReadQueue().map { DiskReads($0) }
    }

    /// Writes into memory, unless the disk throttles.
    public func writeWithoutWaiting(
        at offset: UInt64,
        _ bytes: UnsafeRawBufferPointer
    ) throws(Errno) -> Bool {
        try translated { () throws(DiskError) in
            try unsafe disk.writeWithoutWaiting(at: offset, bytes)
        }
    }

    /// Writes into memory; waits only when the disk throttles.
    public func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        try translated { () throws(DiskError) in try unsafe disk.write(at: offset, bytes) }
    }

    /// Lets a large write arrive where the log takes it from.
    public func stage(at offset: UInt64, count: Int) -> (any StagedPayload)? {
        disk.stage(at: offset, count: count).map { DiskPayload($0) }
    }

    /// Makes a range read as zeros.
    public func writeZeroes(_ range: Range<UInt64>, keepsSpace: Bool) throws(Errno) {
        try translated { () throws(DiskError) in
            try disk.writeZeroes(range, keepsSpace: keepsSpace)
        }
    }

    /// Letting go of blocks is one entry in the log; keeping their space means writing them.
    public func zeroingIsFast(keepsSpace: Bool) -> Bool { !keepsSpace }

    /// Gives a range up.
    public func trim(_ range: Range<UInt64>) throws(Errno) {
        try translated { () throws(DiskError) in try disk.trim(range) }
    }

    /// Calls back when everything acknowledged so far is durable.
    public func flush(_ completion: @escaping @Sendable (Errno?) -> Void) {
        disk.flush { error in completion(error?.errno) }
    }

    /// The same, by this thread if no other is at it.
    public func flush(mayWait: Bool, _ completion: @escaping @Sendable (Errno?) -> Void) {
        disk.flush(mayCommit: mayWait) { error in completion(error?.errno) }
    }

    /// Which parts of a range hold data.
    public func extents(_ range: Range<UInt64>, limit: Int) throws(Errno) -> [Extent] {
        try translated { () throws(DiskError) in
            try disk.extents(range, limit: limit).map {
                Extent(lengthBytes: $0.count, kind: $0.isAllocated ? .data : .hole)
            }
        }
    }

    /// Reads a range, so that the disk's cache holds it, as far as its policy wants that.
    public func cache(_ range: Range<UInt64>) throws(Errno) {
        let buffer = try AlignedBuffer(refusable: 256 << 10)
        var offset = range.lowerBound
        while offset < range.upperBound {
            let count = min(buffer.count, Int(range.upperBound - offset))
            try unsafe read(at: offset, into: buffer.slice(0..<count))
            offset += UInt64(count)
        }
    }
}

/// Reads of a disk or a snapshot, with errors that the protocol knows.
final class DiskReads: ExportReadQueue {
    private let queue: DiskReadQueue

    init(_ queue: DiskReadQueue) {
        self.queue = queue
    }

    var isEmpty: Bool { queue.isEmpty }

    func start(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer,
        owner: AnyObject,
        token: UInt64
    ) throws(Errno) -> Bool {
        do throws(DiskError) {
            return try unsafe queue.start(at: offset, into: buffer, owner: owner, token: token)
        } catch {
            throw error.errno
        }
    }

    var isBroken: Bool { queue.isBroken }

    func submit() { queue.submit() }

    func wait(for descriptors: [Int32]) { queue.wait(for: descriptors) }

    func settle() { queue.settle() }

    func next() -> (token: UInt64, error: Errno?)? {
        queue.next().map { ($0.token, $0.error?.errno) }
    }
}

/// A large write on its way into a disk's log.
private final class DiskPayload: StagedPayload {
    private let write: StagedWrite

    init(_ write: StagedWrite) {
        self.write = write
    }

    var bytes: UnsafeMutableRawBufferPointer { unsafe write.bytes }

    func didFill(_ filledCount: Int) { write.didFill(filledCount) }

    func commit() throws(Errno) {
        do throws(DiskError) { try write.commit() } catch { throw error.errno }
    }
}
