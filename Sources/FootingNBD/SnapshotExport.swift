public import FootingDisk
public import FootingSystem

/// The snapshots of a disk, as `disk@snapshot`.
public struct SnapshotSource: ExportSource {
    private let disk: Disk
    private let diskName: String

    /// Offers the snapshots of a disk that is served under a name.
    public init(_ disk: Disk, diskName: String) {
        self.disk = disk
        self.diskName = diskName
    }

    /// All snapshots.
    public func list() -> [ExportListing] {
        disk.snapshots(countsSpace: false).map { snapshot in
            ExportListing(
                name: "\(diskName)@\(snapshot.name)",
                summary: "snapshot \(snapshot.identifier) of \(disk.information.identifier)"
            )
        }
    }

    /// Opens a snapshot.
    public func open(_ name: String) -> (any Export)? {
        guard let snapshot = try? openSnapshot(name) else { return nil }
        return SnapshotExport(snapshot, name: name)
    }

    /// Opens a snapshot by its export's name.
    ///
    /// - Returns: nil if that is no name of a snapshot of this disk.
    /// - Throws: why it cannot be opened.
    public func openSnapshot(_ name: String) throws(DiskError) -> DiskSnapshot? {
        guard let at = name.lastIndex(of: "@") else { return nil }
        let owner = name[..<at]
        guard owner.isEmpty || owner == diskName else { return nil }
        return try disk.openSnapshot(String(name[name.index(after: at)...]))
    }
}

/// A snapshot as NBD clients see it: a disk that cannot be written.
public final class SnapshotExport: Export {
    private let snapshot: DiskSnapshot
    /// The name clients may ask for.
    public let name: String

    /// Offers a snapshot under a name.
    public init(_ snapshot: DiskSnapshot, name: String) {
        self.snapshot = snapshot
        self.name = name
    }

    /// A line about it.
    public var summary: String { "snapshot \(snapshot.identifier)" }
    /// The disk's size when it was made.
    public var sizeBytes: UInt64 { snapshot.sizeBytes }
    /// It stays what it is.
    public var isReadOnly: Bool { true }

    /// Reads; may wait for the device.
    public func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) {
        do throws(DiskError) { try unsafe snapshot.read(at: offset, into: buffer) } catch {
            throw error.errno
        }
    }

    /// Reads what is in memory.
    public func readWithoutWaiting(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Bool {
        do throws(DiskError) {
            return try unsafe snapshot.readWithoutWaiting(at: offset, into: buffer)
        } catch {
            throw error.errno
        }
    }

    /// Reads that wait for the device while the calling thread goes on.
    public func makeReadQueue() -> (any ExportReadQueue)? {
        snapshot.makeReadQueue().map { DiskReads($0) }
    }

    /// Refused.
    public func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        throw .notPermitted
    }

    /// Refused.
    public func writeZeroes(_ range: Range<UInt64>, keepsSpace: Bool) throws(Errno) {
        throw .notPermitted
    }

    /// There is none.
    public func zeroingIsFast(keepsSpace: Bool) -> Bool { false }

    /// Refused.
    public func trim(_ range: Range<UInt64>) throws(Errno) { throw .notPermitted }

    /// All of it is durable.
    public func flush(_ completion: @escaping @Sendable (Errno?) -> Void) { completion(nil) }

    /// Which parts of a range hold data.
    public func extents(_ range: Range<UInt64>, limit: Int) throws(Errno) -> [Extent] {
        do throws(DiskError) {
            return try snapshot.extents(range, limit: limit).map {
                Extent(lengthBytes: $0.count, kind: $0.isAllocated ? .data : .hole)
            }
        } catch {
            throw error.errno
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
