import FootingSystem

/// A page of the map: a leaf with the entries of blocks, or an inner page with those of its
/// children: 336 of them, or 144 on encrypted disks.
///
/// ```
///   0  4  magic "FTMP"                     24  8  index among the pages of its level
///   4  4  CRC-32C of bytes 8 to 4095       32  1  level, 0 for a leaf
///   8  8  volume (low half of the UUID)    33  1  1: entries have tags
///  16  8  generation of the checkpoint     34 30  zero
///                                          64  336 x 12 or 144 x 28  entries
/// ```
///
/// On encrypted disks the entries are encrypted, and the rest is proved by the same tag, which the
/// parent has.
/// The page tells what it is, for the collector and for `check`; its checksum is repeated in the
/// parent.
enum MapPage {
    static let magic: UInt32 = 0x504d_5446
    private static let flagsOffset = 33
    private static let hasTags: UInt8 = 1

    /// What a page is.
    struct Identity: Equatable, Sendable {
        let level: Int
        let index: UInt64
    }

    /// Says how the entries of a page that is empty or is read again lie.
    static func begin(_ page: borrowing AlignedBuffer, _ geometry: Geometry) {
        page.set(geometry.isEncrypted ? hasTags : 0, at: flagsOffset)
    }

    static func layout(_ page: borrowing AlignedBuffer) -> EntryLayout {
        page.get(UInt8.self, at: flagsOffset) & hasTags != 0 ? .sealed : .plain
    }

    static func entry(_ page: borrowing AlignedBuffer, _ slot: Int) -> MapEntry {
        let layout = layout(page)
        let offset = layout.offset(slot)
        return MapEntry(
            word: page.get(UInt64.self, at: offset),
            checksum: page.get(UInt32.self, at: offset + 8),
            tag: layout.hasTags ? page.tag(at: layout.tagOffset(slot)) : .none
        )
    }

    static func setEntry(_ page: borrowing AlignedBuffer, _ slot: Int, _ entry: MapEntry) {
        let layout = layout(page)
        let offset = layout.offset(slot)
        page.set(entry.word, at: offset)
        page.set(entry.checksum, at: offset + 8)
        if layout.hasTags { page.set(entry.tag, at: layout.tagOffset(slot)) }
    }

    /// Whether no entry is mapped.
    static func isEmpty(_ page: borrowing AlignedBuffer) -> Bool {
        let layout = layout(page)
        let count = (Geometry.blockSizeBytes - layout.start) / layout.stride
        for slot in 0..<count where page.get(UInt64.self, at: layout.offset(slot)) != 0 {
            return false
        }
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
        let flags = page.get(UInt8.self, at: flagsOffset)
        page.clear(0..<Geometry.pageHeaderSizeBytes)
        page.set(flags, at: flagsOffset)
        page.set(magic, at: 0)
        page.set(volume, at: 8)
        page.set(generation, at: 16)
        page.set(identity.index, at: 24)
        page.set(UInt8(identity.level), at: 32)
        let checksum = page.checksum(8..<4096)
        page.set(checksum, at: 4)
        return checksum
    }

    /// What the page says it is; nil if it is none, or one of another volume, or damaged, or its
    /// entries are not those of such a disk.
    static func identity(
        _ page: borrowing AlignedBuffer,
        volume: UInt64,
        isEncrypted: Bool = false
    ) -> Identity? {
        guard page.get(UInt32.self, at: 0) == magic,
            page.get(UInt64.self, at: 8) == volume,
            page.get(UInt32.self, at: 4) == page.checksum(8..<4096),
            layout(page).hasTags == isEncrypted
        else { return nil }
        return Identity(
            level: Int(page.get(UInt8.self, at: 32)),
            index: page.get(UInt64.self, at: 24)
        )
    }
}
