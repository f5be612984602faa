/// Whether and how a disk compresses what is written to it; it may change at any time.
///
/// Blocks stay as they were written until they are overwritten or moved. A block that does not
/// shrink by a unit of 512 bytes is stored as it is.
public enum CompressionPolicy: String, Sendable, CaseIterable {
    /// Blocks are stored as they are.
    case none
    /// LZ4: costs little, on writes and on reads.
    case lz4
    /// Deflate: smaller and slower.
    case deflate
    /// LZ4 for what is written, deflate for what has grown cold when the collector moves it.
    case auto

    /// The policy of a number in the superblock.
    init?(number: UInt8) {
        guard let policy = Self.allCases.first(where: { $0.number == number }) else { return nil }
        self = policy
    }

    /// Its number in the superblock.
    var number: UInt8 {
        switch self {
        case .none: 0
        case .lz4: 1
        case .deflate: 2
        case .auto: 3
        }
    }

    /// What clients' writes are encoded with.
    var encodingOfWrites: BlockEncoding {
        switch self {
        case .none: .plain
        case .lz4, .auto: .lz4
        case .deflate: .deflate
        }
    }

    /// Whether the collector compresses anew what has grown cold.
    var rewritesCold: Bool { self == .deflate || self == .auto }
}
