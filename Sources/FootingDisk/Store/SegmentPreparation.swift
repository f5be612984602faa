import FootingSystem

/// Writes the first segments of a new disk once, before any client waits for it: what is written
/// there then changes no block map that a host's journal would have to commit.
struct SegmentPreparation {
    private let store: FileStore
    private let geometry: Geometry

    init(_ store: FileStore, _ geometry: Geometry) {
        self.store = store
        self.geometry = geometry
    }

    /// What is prepared unasked: room for some thousand small durable writes, and little beside a
    /// large disk, whose four segments would be 256 MiB.
    private static let usualBytes: UInt64 = 32 << 20
    /// The segments that the log begins in.
    private static let usualCount: UInt32 = 4
    /// Between two looks at how far it is.
    private static let pieceBytes: UInt64 = 16 << 20

    /// What the host is to have free beyond what is prepared: for the file system's own blocks.
    static func marginBytes(_ wanted: UInt64) -> UInt64 { (1 << 20) + wanted >> 10 }

    /// Prepares what was asked for, or as much as is usual.
    ///
    /// What was asked for is written as zeros: a device that makes them itself may give its blocks
    /// back for that, and would look for new ones with the first write.
    ///
    /// - Throws: where it was asked for: kind `invalid` where it is of no use; kind `noSpace` where
    ///   the host has less space, or hardly more, before anything of it is taken. Whoever else
    ///   takes space there meanwhile may still be in its way.
    func run(
        _ wanted: UInt64?,
        _ progress: (_ done: UInt64, _ total: UInt64) -> Void
    ) throws(DiskError) {
        guard let wanted else { return prepareUsual() }
        if wanted == 0 { return }
        guard store.isOverwrittenInPlace else {
            throw DiskError(
                .invalid,
                "create",
                "nothing is gained by preparing segments here: an overwrite is no change of the "
                    + "file alone on ext4, ext3, ext2 and XFS, and on btrfs with +C"
            )
        }
        let start = geometry.range(ofSegment: 0).lowerBound
        let all = UInt64(geometry.segmentCount) * geometry.segmentSizeBytes
        let range = start..<start + min(wanted, all)
        do throws(Errno) {
            // Asked for more than there is, ext4 would take all of it before it refuses. A new
            // disk's segments have none yet.
            let needed = UInt64(range.count) + Self.marginBytes(UInt64(range.count))
            guard try store.freeBytes() >= needed else { throw Errno.noSpace }
            try store.allocate(range)
        } catch {
            throw failure(error, bytes: UInt64(range.count))
        }
        var position = start
        while position < range.upperBound {
            let end = min(position + Self.pieceBytes, range.upperBound)
            do throws(Errno) { _ = try store.prepare(position..<end, writeZeroes: nil) } catch {
                throw failure(error, bytes: UInt64(range.count))
            }
            position = end
            progress(position - start, UInt64(range.count))
        }
        // What the host's journal has to commit for it is committed by then.
        do throws(Errno) { try store.synchronize() } catch {
            throw DiskError("create", cause: error)
        }
    }

    private func failure(_ cause: Errno, bytes: UInt64) -> DiskError {
        let error = DiskError("prepare segments", cause: cause)
        guard error.kind == .noSpace else { return error }
        return DiskError(
            .noSpace,
            "create",
            "the host has no space for \(bytes) bytes to prepare",
            cause: cause
        )
    }

    private func prepareUsual() {
        guard store.isOverwrittenInPlace else { return }
        do throws(Errno) {
            var rest = Self.usualBytes
            for segment in 0..<Self.usualCount where rest > 0 {
                let range = geometry.range(ofSegment: segment)
                let count = min(rest, UInt64(range.count))
                _ = try store.prepare(range.lowerBound..<range.lowerBound + count)
                rest -= count
            }
        } catch {
            // The first commits cost the host more, and nothing else.
        }
    }
}
