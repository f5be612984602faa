/// How a block is compressed; the numbers are stored on disks and never change.
public enum CompressionMethod: UInt8, Sendable, CaseIterable {
    /// Not at all.
    case none = 0
    /// The LZ4 block format, without a frame.
    case lz4 = 1
    /// A raw deflate stream (RFC 1951).
    case deflate = 2

    /// Its name in options and reports.
    public var name: String {
        switch self {
        case .none: "none"
        case .lz4: "lz4"
        case .deflate: "deflate"
        }
    }
}

/// How much time compression may take; what comes out is decompressed the same way.
public enum CompressionEffort: Sendable, CaseIterable {
    /// Somebody waits for it.
    case fast
    /// It is done once, in the background, for data that stays.
    case dense
}
