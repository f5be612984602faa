import FootingAcceleration
import FootingSystem

/// The pages of the map that are in memory.
///
/// A page is found by its location, where it never changes; the expected checksum is compared. What
/// is written to a location takes the place of what was there before, so that not even a page with
/// the same checksum can be outdated.
struct PageCache: Sendable {
    let blocks: BlockCache
    /// How the entries of its pages lie.
    var layout = EntryLayout.plain

    /// An entry of a cached page; nil if the page is not here.
    ///
    /// - Parameter countsMiss: false where the same is asked again soon.
    func entry(of page: MapEntry, slot: Int, countsMiss: Bool) -> MapEntry? {
        unsafe withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { bytes in
            let part = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[..<layout.stride])
            let offset = layout.offset(slot)
            guard
                unsafe blocks.copy(
                    page.location.units,
                    page,
                    from: offset,
                    into: part,
                    countsMiss: countsMiss
                )
            else { return nil }
            let word = unsafe bytes.load(as: UInt64.self)
            let checksum = unsafe bytes.load(fromByteOffset: 8, as: UInt32.self)
            let tag = Geometry.entrySizeBytes..<Geometry.sealedEntrySizeBytes
            return MapEntry(
                word: UInt64(littleEndian: word),
                checksum: UInt32(littleEndian: checksum),
                tag: layout.hasTags
                    ? unsafe AuthenticationTag(UnsafeRawBufferPointer(rebasing: bytes[tag])) : .none
            )
        }
    }

    /// Copies a cached page out; false if it is not here.
    func copy(_ page: MapEntry, to buffer: borrowing AlignedBuffer) -> Bool {
        unsafe blocks.copy(page.location.units, page, from: 0, into: buffer.slice(0..<4096))
    }

    /// Takes a copy of a page in.
    func insert(_ page: MapEntry, _ buffer: borrowing AlignedBuffer) {
        let bytes = unsafe UnsafeRawBufferPointer(buffer.slice(0..<4096))
        unsafe blocks.insert(page.location.units, page, bytes)
    }

    /// Takes in a page that is written, in place of whatever was at its location before.
    ///
    /// - Parameter old: the page that it succeeds, which is asked for only until the next root.
    func replace(_ old: MapEntry, by page: MapEntry, _ buffer: borrowing AlignedBuffer) {
        blocks.remove(page.location.units)
        // It inherits the standing that its predecessor had; without one it starts like any other.
        let isSuccessor = old.isMapped && blocks.retire(old.location.units)
        let bytes = unsafe UnsafeRawBufferPointer(buffer.slice(0..<4096))
        unsafe blocks.insert(page.location.units, page, bytes, isSuccessor ? .successor : .ordinary)
    }
}
