// A container whose disk gets another size.
extension Geometry {
    /// The same container with a disk of another size in it.
    func holding(sizeBytes: UInt64) -> Geometry {
        Geometry(
            sizeBytes: sizeBytes,
            segmentSizeBytes: segmentSizeBytes,
            segmentCount: segmentCount,
            isEncrypted: isEncrypted,
            segmentsOffset: segmentsOffset,
            tablesOffset: tablesOffset
        )
    }

    private static let roomPercentMax = 1000 + DiskOptions.snapshotReservePercentMax

    /// Room beyond the data that was asked for when a container of so many segments was made, in
    /// percent.
    var roomPercent: Int {
        let map = mapPageCount * 2 / UInt64(pagesPerSegment) + 2
        let rest = UInt64(reservedForCollector + reservedForMap) + UInt64(Self.headSegments) + 5
        let data = UInt64(segmentCount) - min(UInt64(segmentCount), map + rest)
        let percent = data * payloadPerSegment * 100 / max(blockCount, 1)
        return min(
            max(Int(clamping: percent) - 100, DiskOptions.sparePercentMin),
            Self.roomPercentMax
        )
    }

    /// The container for a disk of another size.
    ///
    /// Segments stay where they are, and are never fewer. The table stays as well if it takes no
    /// more pages; else it moves behind the last segment, clear of where it was.
    ///
    /// - Parameters:
    ///   - newSize: in bytes.
    ///   - room: beyond the data, in percent; 0 for as much as there is.
    /// - Throws: kind `invalid` if no container can be so large.
    func resized(toBytes newSize: UInt64, roomPercent room: UInt32 = 0) throws(DiskError)
        -> Geometry
    {
        guard newSize > 0, newSize <= Self.sizeBytesMax, newSize % 512 == 0 else {
            throw DiskError(
                .invalid,
                "resize",
                "a size of \(newSize) bytes; it must be a multiple of 512, at most 64 TiB"
            )
        }
        let plan = Geometry(
            sizeBytes: newSize,
            sparePercent: room == 0 ? roomPercent : min(Int(room), Self.roomPercentMax),
            segmentSizeBytes: segmentSizeBytes,
            isEncrypted: isEncrypted
        )
        var count = newSize <= sizeBytes ? segmentCount : max(segmentCount, plan.segmentCount)
        var tables = tablesOffset
        let isInFront = tablesOffset < segmentsOffset
        let isLonger = Self.tableRegionSize(count) > tableRegionSizeBytes
        if count > segmentCount, isLonger || !isInFront {
            if !isInFront {
                // The new place of the table must not overlap the one that is still current.
                let ending = containerSizeBytes - segmentsOffset
                // A superblock may claim any end; what is too many is refused below.
                let covering = (ending + segmentSizeBytes - 1) / segmentSizeBytes
                count = max(count, UInt32(clamping: covering))
            }
            tables = segmentsOffset + UInt64(count) * segmentSizeBytes
        }
        let result = Geometry(
            sizeBytes: newSize,
            segmentSizeBytes: segmentSizeBytes,
            segmentCount: count,
            isEncrypted: isEncrypted,
            segmentsOffset: segmentsOffset,
            tablesOffset: tables
        )
        guard count <= Self.segmentCountMax,
            result.containerSizeBytes <= Self.containerSizeBytesMax
        else {
            throw DiskError(
                .invalid,
                "resize",
                "its segments of \(segmentSizeBytes >> 10) KiB would be too many; import it into a "
                    + "new disk, which has larger ones"
            )
        }
        return result
    }

    /// Why the places of segments and table cannot be; nil if they can.
    ///
    /// Sizes and counts have been checked.
    var misplacement: String? {
        let tablesEnd = tablesOffset + 2 * tableRegionSizeBytes
        guard tablesOffset >= Self.tableOffset, tablesOffset % 4096 == 0,
            segmentsOffset > Self.tableOffset, segmentsOffset % 4096 == 0,
            tablesEnd <= segmentsOffset || tablesOffset >= segmentsEnd
        else { return "segments from byte \(segmentsOffset), table from \(tablesOffset)" }
        return nil
    }
}
