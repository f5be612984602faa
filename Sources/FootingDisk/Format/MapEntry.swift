import FootingSystem

/// Where a block is, how it is stored, and its checksum: 12 bytes in a map page.
///
/// ```
///  0  8  bits 0-39 location (512-byte units), 40-47 stored units, 48-63 encoding
///        (0 as it is, 1 LZ4, 2 deflate; see ``BlockForm``)
///  8  4  CRC-32C of the stored bytes
/// ```
///
/// All zeros: the block was never written or was trimmed, and reads as zeros. The checksum stands
/// here and not beside the data, so that a lost or misdirected write is seen.
package struct MapEntry: Equatable, Sendable {
    static let sizeBytes = 12

    /// The first eight bytes.
    package let word: UInt64
    /// CRC-32C of the stored bytes.
    package let checksum: UInt32

    static let unmapped = MapEntry(word: 0, checksum: 0)

    package init(word: UInt64, checksum: UInt32) {
        self.word = word
        self.checksum = checksum
    }

    /// A block, or a map page, that is stored as it is.
    init(location: Location, checksum: UInt32) {
        self.init(location: location, .plain(checksum))
    }

    /// A block.
    init(location: Location, _ form: BlockForm) {
        word = location.units | UInt64(form.units) << 40 | UInt64(form.encoding.rawValue) << 48
        checksum = form.checksum
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
        if !isMapped { return checksum == 0 }
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
