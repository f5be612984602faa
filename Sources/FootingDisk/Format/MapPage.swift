import FootingSystem

/// A page of the map: a leaf with the entries of 336 blocks, or an inner page with those of its
/// children.
///
/// ```
///   0  4  magic "FTMP"                     24  8  index among the pages of its level
///   4  4  CRC-32C of bytes 8 to 4095       32  1  level, 0 for a leaf
///   8  8  volume (low half of the UUID)    33 31  zero
///  16  8  generation of the checkpoint     64  336 x 12  entries
/// ```
///
/// The page tells what it is, for the collector and for `check`; its checksum is repeated in the
/// parent.
enum MapPage {
    static let magic: UInt32 = 0x504d_5446
    static let headerSizeBytes = 64

    /// What a page is.
    struct Identity: Equatable, Sendable {
        let level: Int
        let index: UInt64
    }

    static func entry(_ page: borrowing AlignedBuffer, _ slot: Int) -> MapEntry {
        let offset = headerSizeBytes + slot * MapEntry.sizeBytes
        return MapEntry(
            word: page.get(UInt64.self, at: offset),
            checksum: page.get(UInt32.self, at: offset + 8)
        )
    }

    static func setEntry(_ page: borrowing AlignedBuffer, _ slot: Int, _ entry: MapEntry) {
        let offset = headerSizeBytes + slot * MapEntry.sizeBytes
        page.set(entry.word, at: offset)
        page.set(entry.checksum, at: offset + 8)
    }

    /// Whether no entry is mapped.
    static func isEmpty(_ page: borrowing AlignedBuffer) -> Bool {
        for slot in 0..<Geometry.entriesPerPage where entry(page, slot).isMapped { return false }
        return true
    }

    /// Fills in the header.
    ///
    /// - Returns: the checksum that goes into the parent.
    static func seal(
        _ page: borrowing AlignedBuffer,
        _ identity: Identity,
        volume: UInt64,
        generation: UInt64
    ) -> UInt32 {
        page.clear(0..<headerSizeBytes)
        page.set(magic, at: 0)
        page.set(volume, at: 8)
        page.set(generation, at: 16)
        page.set(identity.index, at: 24)
        page.set(UInt8(identity.level), at: 32)
        let checksum = page.checksum(8..<4096)
        page.set(checksum, at: 4)
        return checksum
    }

    /// What the page says it is; nil if it is none, or one of another volume, or damaged.
    static func identity(_ page: borrowing AlignedBuffer, volume: UInt64) -> Identity? {
        guard page.get(UInt32.self, at: 0) == magic,
            page.get(UInt64.self, at: 8) == volume,
            page.get(UInt32.self, at: 4) == page.checksum(8..<4096)
        else { return nil }
        return Identity(
            level: Int(page.get(UInt8.self, at: 32)),
            index: page.get(UInt64.self, at: 24)
        )
    }
}
