import FootingSystem

/// Where a block is, how it is stored, and its checksum: 12 bytes in a map page.
///
/// ```
///  0  8  bits 0-39 location (512-byte units), 40-47 stored units, 48-63 encoding
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
        word = location.units | Geometry.unitsPerBlock << 40
        self.checksum = checksum
    }

    var isMapped: Bool { word != 0 }

    var location: Location { Location(units: word & 0xff_ffff_ffff) }

    /// Units of 512 bytes that it takes.
    var storedUnits: UInt64 { word >> 40 & 0xff }

    /// How the bytes are encoded: 0 as they are.
    ///
    /// Others belong to feature flags still to come.
    var encoding: UInt16 { UInt16(truncatingIfNeeded: word >> 48) }

    /// Whether this program can read what it points to, in this container.
    func isValid(in geometry: Geometry) -> Bool {
        if !isMapped { return checksum == 0 }
        return encoding == 0 && storedUnits == Geometry.unitsPerBlock
            && location.units % Geometry.unitsPerBlock == 0 && geometry.contains(location)
    }
}
