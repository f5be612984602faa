import FootingAcceleration
import FootingSystem

/// Blocks that are neighbours in the log, and the pages that hold them.
struct StoredRun {
    /// Where the first one begins, and the last one ends.
    let start: Location
    let end: Location
    /// Whether all of them are whole pages, stored as they are.
    let isPlainPages: Bool

    /// - Throws: kind `corrupt` if one of them cannot be where the map says.
    init(
        _ entries: UnsafeMutableBufferPointer<MapEntry?>,
        _ geometry: Geometry
    ) throws(DiskError) {
        var isPlainPages = true
        var bounds: (start: Location, end: Location)?
        for index in entries.indices {
            guard let entry = unsafe entries[index], entry.isMapped, entry.isValid(in: geometry),
                entry.location == bounds?.end ?? entry.location
            else {
                let offset = unsafe entries[index]?.location.offset
                throw DiskError(.corrupt, "read", offset: offset, "impossible location in the map")
            }
            isPlainPages = isPlainPages && entry.isValidPage(in: geometry)
            bounds = (bounds?.start ?? entry.location, entry.end)
        }
        guard let bounds else { preconditionFailure("an empty run") }
        (start, end) = bounds
        self.isPlainPages = isPlainPages
    }

    /// Where the pages begin: direct input reads no less.
    var coveringOffset: UInt64 { start.offset / 4096 * 4096 }

    /// Where they end.
    var coveringEnd: UInt64 { (end.offset + 4095) / 4096 * 4096 }

    var coveringByteCount: Int { Int(coveringEnd - coveringOffset) }
}

// From stored bytes to blocks.
extension Engine {
    /// Verifies blocks that were read, decodes them, and lets the cache have them.
    ///
    /// - Parameters:
    ///   - first: the number of the first one.
    ///   - entries: where each lies, and how.
    ///   - run: all of them together.
    ///   - pages: those that hold the blocks.
    ///   - target: where they go; nil if they are there already, stored as they are.
    func deliver(
        _ first: UInt64,
        _ entries: ArraySlice<MapEntry>,
        _ run: StoredRun,
        _ pages: UnsafeMutableRawBufferPointer,
        _ target: ReadTarget?,
        _ use: CacheUse
    ) throws(DiskError) {
        var at = Int(run.start.offset - run.coveringOffset)
        var block = first
        for entry in entries {
            guard let form = entry.form else { preconditionFailure("a run of what is no block") }
            defer { block += 1 }
            let found = unsafe UnsafeMutableRawBufferPointer(
                rebasing: pages[at..<at + form.byteCount]
            )
            at += form.byteCount
            try unsafe reveal(block, entry, found)
            let stored = UnsafeRawBufferPointer(found)
            guard let target else {
                unsafe blocks.insert(block, entry, stored, use)
                continue
            }
            if form.encoding == .plain {
                unsafe target.fill(block, from: stored)
                unsafe blocks.insert(block, entry, stored, use)
                continue
            }
            try unsafe withWholeBlock(block, target) { (plain) throws(DiskError) in
                try unsafe decode(block, entry, form, stored, into: plain)
                unsafe blocks.insert(block, entry, UnsafeRawBufferPointer(plain), use)
            }
        }
    }

    /// Gives a place for a whole block: the one in the client's buffer, or another from which the
    /// client gets its part.
    private func withWholeBlock(
        _ block: UInt64,
        _ target: ReadTarget,
        _ body: (UnsafeMutableRawBufferPointer) throws(DiskError) -> Void
    ) throws(DiskError) {
        let (place, _) = unsafe target.place(of: block)
        if place.count == 4096 { return try unsafe body(place) }
        try unsafe withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 16) {
            (whole) throws(DiskError) in
            try unsafe body(whole)
            unsafe target.fill(block, from: UnsafeRawBufferPointer(whole))
        }
    }

    /// Verifies a block's stored bytes, and decrypts them in place.
    private func reveal(
        _ block: UInt64,
        _ entry: MapEntry,
        _ stored: UnsafeMutableRawBufferPointer
    ) throws(DiskError) {
        if let cipher {
            do throws(AccelerationError) {
                let bytes = UnsafeRawBufferPointer(stored)
                return try unsafe cipher.open(block, entry, bytes, into: stored)
            } catch {
                let damage = "block \(block) is not what was encrypted there: \(error)"
                throw DiskError("read", at: entry.location, error, damage)
            }
        }
        guard options.verifiesChecksums else { return }
        if unsafe Checksum.crc32c(UnsafeRawBufferPointer(stored)) != entry.checksum {
            throw DiskError(
                .corrupt,
                "read",
                offset: entry.location.offset,
                "block \(block) does not have the checksum it was written with"
            )
        }
    }

    private func decode(
        _ block: UInt64,
        _ entry: MapEntry,
        _ form: BlockForm,
        _ stored: UnsafeRawBufferPointer,
        into plain: UnsafeMutableRawBufferPointer
    ) throws(DiskError) {
        do throws(AccelerationError) {
            try unsafe coder.decode(form, stored, into: plain)
        } catch {
            let damage = "block \(block) cannot be decompressed"
            throw DiskError("read", at: entry.location, error, damage)
        }
    }

    // MARK: - Commits in memory

    /// Takes a block out of a commit in memory, under the lock.
    ///
    /// What is encoded is copied as it is and decoded later, without the lock; but the part of a
    /// block, for which there is no place.
    ///
    /// - Returns: what is left to be done for it.
    /// - Throws: kind `corrupt` if it cannot be decompressed.
    func take(
        _ block: UInt64,
        _ batch: Batch,
        _ slot: Int,
        _ entry: MapEntry,
        _ target: ReadTarget
    ) throws(DiskError) -> MapEntry {
        guard let (form, stored) = unsafe batch.stored(slot) else {
            preconditionFailure("the map points to a void block")
        }
        let bytes = UnsafeRawBufferPointer(stored)
        if form.encoding == .plain {
            unsafe target.fill(block, from: bytes)
            return ReadTarget.filled
        }
        let (place, _) = unsafe target.place(of: block)
        if place.count == 4096 {
            unsafe place.copyMemory(from: bytes)
            return ReadTarget.markInPlace(entry)
        }
        try unsafe withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 16) {
            (whole) throws(DiskError) in
            // The collector moves what a forged disk holds as it is.
            try unsafe decode(block, entry, form, bytes, into: whole)
            unsafe target.fill(block, from: UnsafeRawBufferPointer(whole))
        }
        return ReadTarget.filled
    }

    /// Decodes a block whose stored bytes are where it belongs.
    func decodeInPlace(
        _ block: UInt64,
        _ entry: MapEntry,
        _ target: ReadTarget
    ) throws(DiskError) {
        guard let form = entry.form else { preconditionFailure("not a block") }
        let (place, _) = unsafe target.place(of: block)
        try unsafe withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 16) {
            (copy) throws(DiskError) in
            let stored = unsafe UnsafeMutableRawBufferPointer(rebasing: copy[..<form.byteCount])
            unsafe stored.copyMemory(
                from: UnsafeRawBufferPointer(rebasing: place[..<form.byteCount])
            )
            try unsafe decode(block, entry, form, UnsafeRawBufferPointer(stored), into: place)
        }
    }
}
