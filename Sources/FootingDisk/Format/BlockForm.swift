/// How a block's bytes are encoded in the log.
enum BlockEncoding: UInt8, Sendable {
    /// As they are.
    case plain = 0
    /// Two bytes of length, then an LZ4 block.
    case lz4 = 1
    /// Two bytes of length, then raw deflate (RFC 1951).
    case deflate = 2
}

/// How a block is stored: what the log and the map say of its bytes.
struct BlockForm: Equatable, Sendable {
    let encoding: BlockEncoding
    /// Units of 512 bytes that it takes: 8 as it is, fewer where it is compressed.
    private let unitCount: UInt8
    /// CRC-32C of the stored bytes, the zeros at their end included.
    let checksum: UInt32

    /// A block that is stored as it is.
    static func plain(_ checksum: UInt32) -> BlockForm {
        BlockForm(encoding: .plain, unitCount: UInt8(Geometry.unitsPerBlock), checksum: checksum)
    }

    /// - Returns: nil where no block can be stored so.
    init?(encoding: UInt64, units: UInt64, checksum: UInt32) {
        guard let encoding = UInt8(exactly: encoding).flatMap(BlockEncoding.init),
            Self.isPossible(units, encoding)
        else { return nil }
        self.init(encoding: encoding, unitCount: UInt8(units), checksum: checksum)
    }

    private init(encoding: BlockEncoding, unitCount: UInt8, checksum: UInt32) {
        self.encoding = encoding
        self.unitCount = unitCount
        self.checksum = checksum
    }

    private static func isPossible(_ units: UInt64, _ encoding: BlockEncoding) -> Bool {
        switch encoding {
        case .plain: units == Geometry.unitsPerBlock
        // What saves nothing is stored as it is.
        case .lz4, .deflate: (1..<Geometry.unitsPerBlock).contains(units)
        }
    }

    /// The same, encrypted.
    func sealed(_ checksum: UInt32) -> BlockForm {
        BlockForm(encoding: encoding, unitCount: unitCount, checksum: checksum)
    }

    var units: Int { Int(unitCount) }

    var byteCount: Int { units * Int(Geometry.unitSizeBytes) }
}
