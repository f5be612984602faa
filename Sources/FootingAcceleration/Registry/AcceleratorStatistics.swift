/// Something that an accelerator does to a block.
public enum AccelerationOperation: Int, Sendable, CaseIterable {
    /// LZ4 compression.
    case compressLZ4
    /// Decompression of LZ4.
    case decompressLZ4
    /// Deflate while somebody waits.
    case compressDeflate
    /// Deflate for data that stays.
    case compressDeflateDense
    /// Decompression of deflate.
    case decompressDeflate
    /// Encryption by AES-256-GCM.
    case seal
    /// Decryption and authentication by AES-256-GCM.
    case open

    /// Its name in reports.
    public var name: String {
        switch self {
        case .compressLZ4: "lz4.compress"
        case .decompressLZ4: "lz4.decompress"
        case .compressDeflate: "deflate.compress"
        case .compressDeflateDense: "deflate.compress-dense"
        case .decompressDeflate: "deflate.decompress"
        case .seal: "aes-256-gcm.seal"
        case .open: "aes-256-gcm.open"
        }
    }

    /// The operation behind a compression; nil for the method that does nothing.
    public static func compress(
        _ method: CompressionMethod,
        _ effort: CompressionEffort
    ) -> AccelerationOperation? {
        switch (method, effort) {
        case (.none, _): nil
        case (.lz4, _): .compressLZ4
        case (.deflate, .fast): .compressDeflate
        case (.deflate, .dense): .compressDeflateDense
        }
    }

    /// The operation behind a decompression; nil for the method that does nothing.
    public static func decompress(_ method: CompressionMethod) -> AccelerationOperation? {
        switch method {
        case .none: nil
        case .lz4: .decompressLZ4
        case .deflate: .decompressDeflate
        }
    }
}

/// What one kind of operation has done so far.
public struct OperationStatistics: Sendable, Equatable {
    /// Calls, those that failed included.
    public var count: UInt64 = 0
    /// Bytes that went in.
    public var inputBytes: UInt64 = 0
    /// Bytes that came out; of a compression that does not pay, none.
    public var outputBytes: UInt64 = 0
    /// Calls whose result was an error.
    public var failureCount: UInt64 = 0
    /// Calls that another implementation had to do.
    public var fallbackCount: UInt64 = 0
    /// The time of those calls that were timed, in nanoseconds: a sample, as reading a clock costs
    /// a few hundredths of what is timed.
    public var timedNanoseconds: UInt64 = 0
    /// The bytes of those calls: the uncompressed ones.
    public var timedBytes: UInt64 = 0

    /// Nothing so far.
    public init() {}

    /// Uncompressed bytes in a second of one thread; nil as long as nothing was timed.
    public var bytesPerSecond: UInt64? {
        guard timedNanoseconds > 0 else { return nil }
        return UInt64(Double(timedBytes) / Double(timedNanoseconds) * 1e9)
    }

    /// Adds what another has done.
    public mutating func add(_ other: OperationStatistics) {
        count &+= other.count
        inputBytes &+= other.inputBytes
        outputBytes &+= other.outputBytes
        failureCount &+= other.failureCount
        fallbackCount &+= other.fallbackCount
        timedNanoseconds &+= other.timedNanoseconds
        timedBytes &+= other.timedBytes
    }
}

/// What an accelerator has done so far, by operation.
public struct AcceleratorStatistics: Sendable, Equatable {
    private var lines: [OperationStatistics]

    /// Nothing so far.
    public init() {
        lines = Array(repeating: .init(), count: AccelerationOperation.allCases.count)
    }

    /// What one kind of operation has done.
    public subscript(operation: AccelerationOperation) -> OperationStatistics {
        get { lines[operation.rawValue] }
        _modify { yield &lines[operation.rawValue] }
    }

    /// Adds what another has done.
    public mutating func add(_ other: AcceleratorStatistics) {
        for index in lines.indices { lines[index].add(other.lines[index]) }
    }
}
