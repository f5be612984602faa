package import FootingAcceleration
import FootingSystem

/// Where a block is, how it is stored, and its checksum: 12 bytes in a map page, and on encrypted
/// disks 28.
///
/// ```
///  0  8  bits 0-39 location (512-byte units), 40-47 stored units, 48-63 encoding
///        (0 as it is, 1 LZ4, 2 deflate; see ``BlockForm``)
///  8  4  CRC-32C of the stored bytes
/// 12 16  on encrypted disks: the tag of AES-256-GCM
/// ```
///
/// All zeros: the block was never written or was trimmed, and reads as zeros. The checksum stands
/// here and not beside the data, so that a lost or misdirected write is seen.
package struct MapEntry: Equatable, Sendable {
    /// The first eight bytes.
    package let word: UInt64
    /// CRC-32C of the stored bytes.
    package let checksum: UInt32
    /// What proves the stored bytes, on encrypted disks; zeros on others.
    package let tag: AuthenticationTag

    static let unmapped = MapEntry(word: 0, checksum: 0)

    package init(word: UInt64, checksum: UInt32, tag: AuthenticationTag = .none) {
        self.word = word
        self.checksum = checksum
        self.tag = tag
    }

    /// A block, or a map page, that is stored as it is.
    init(location: Location, checksum: UInt32, tag: AuthenticationTag = .none) {
        self.init(location: location, .plain(checksum), tag: tag)
    }

    /// A block.
    init(location: Location, _ form: BlockForm, tag: AuthenticationTag = .none) {
        word = location.units | UInt64(form.units) << 40 | UInt64(form.encoding.rawValue) << 48
        checksum = form.checksum
        self.tag = tag
    }

    /// The same place, of which it is now known what is stored there.
    func sealed(_ checksum: UInt32, _ tag: AuthenticationTag) -> MapEntry {
        MapEntry(word: word, checksum: checksum, tag: tag)
    }

    var isMapped: Bool { word != 0 }

    var location: Location { Location(units: word & 0xff_ffff_ffff) }

    /// Units of 512 bytes that it takes.
    var storedUnits: UInt64 { word >> 40 & 0xff }

    /// Where what is stored ends.
    var end: Location { Location(units: location.units + storedUnits) }

    /// How the block is stored; nil where no block can be stored so.
    var form: BlockForm? {
        BlockForm(encoding: word >> 48, units: storedUnits, checksum: checksum)
    }

    /// Whether this program can read the block that it points to, in this container.
    func isValid(in geometry: Geometry) -> Bool {
        if !isMapped { return checksum == 0 && tag == .none }
        guard form != nil, geometry.contains(location) else { return false }
        // Nothing reaches over the end of a segment.
        let last = Location(units: end.units - 1)
        return geometry.contains(last)
            && geometry.segment(of: location) == geometry.segment(of: last)
    }

    /// Whether it can point to a page of the map, in this container.
    func isValidPage(in geometry: Geometry) -> Bool {
        if isMapped, form?.encoding != .plain || location.units % Geometry.unitsPerBlock != 0 {
            return false
        }
        return isValid(in: geometry)
    }
}

extension AuthenticationTag {
    /// Where nothing is encrypted.
    static let none = AuthenticationTag(first: 0, last: 0)
}

/// How entries lie in a page: the map's and a commit's descriptors alike.
struct EntryLayout: Equatable, Sendable {
    /// Where the first one is.
    let start: Int
    /// Bytes from one to the next.
    let stride: Int

    /// Without tags.
    static let plain = EntryLayout(
        start: Geometry.pageHeaderSizeBytes,
        stride: Geometry.entrySizeBytes
    )
    /// With tags.
    static let sealed = EntryLayout(
        start: Geometry.pageHeaderSizeBytes,
        stride: Geometry.sealedEntrySizeBytes
    )
    /// Descriptors of a commit, whose header has a tag of its own.
    static let sealedCommit = EntryLayout(
        start: Geometry.pageHeaderSizeBytes + AuthenticationTag.byteCount,
        stride: Geometry.sealedEntrySizeBytes
    )

    var hasTags: Bool { stride > Geometry.entrySizeBytes }

    /// Where an entry is.
    func offset(_ slot: Int) -> Int { start + slot * stride }

    /// Where an entry's tag is.
    func tagOffset(_ slot: Int) -> Int { offset(slot) + Geometry.entrySizeBytes }
}

extension AlignedBuffer {
    /// The tag at an offset.
    func tag(at offset: Int) -> AuthenticationTag {
        AuthenticationTag(
            first: get(UInt64.self, at: offset),
            last: get(UInt64.self, at: offset + 8)
        )
    }

    /// Stores a tag.
    func set(_ tag: AuthenticationTag, at offset: Int) {
        set(tag.first, at: offset)
        set(tag.last, at: offset + 8)
    }
}
