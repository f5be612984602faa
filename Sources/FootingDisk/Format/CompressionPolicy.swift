/// Whether and how a disk compresses what is written to it; it may change at any time.
///
/// Blocks stay as they were written until they are overwritten or moved. A block that does not
/// shrink by a unit of 512 bytes is stored as it is.
public enum CompressionPolicy: UInt8, Sendable, CaseIterable {
    /// Blocks are stored as they are.
    case none = 0
    /// LZ4: costs little, on writes and on reads.
    case lz4 = 1
    /// Deflate: smaller and slower.
    case deflate = 2
    /// LZ4 for what is written, deflate for what has grown cold when the collector moves it.
    case auto = 3

    /// The policy of a name.
    public init?(name: String) {
        guard let policy = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = policy
    }

    /// `none`, `lz4`, `deflate` or `auto`.
    public var name: String {
        switch self {
        case .none: "none"
        case .lz4: "lz4"
        case .deflate: "deflate"
        case .auto: "auto"
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
