public import FootingSystem
import Synchronization

/// What a request asks for, as it is measured.
public enum RequestKind: String, Sendable, CaseIterable {
    /// `NBD_CMD_READ`.
    case read
    /// `NBD_CMD_WRITE`.
    case write
    /// `NBD_CMD_FLUSH`.
    case flush
    /// `NBD_CMD_TRIM`.
    case trim
    /// `NBD_CMD_WRITE_ZEROES`.
    case writeZeroes
    /// `NBD_CMD_BLOCK_STATUS`.
    case blockStatus
    /// `NBD_CMD_CACHE`.
    case cache

    /// Which place it has in a list of all.
    var index: Int {
        switch self {
        case .read: 0
        case .write: 1
        case .flush: 2
        case .trim: 3
        case .writeZeroes: 4
        case .blockStatus: 5
        case .cache: 6
        }
    }

    /// - Returns: nil for what no client is answered to.
    init?(_ command: UInt16) {
        switch Command(rawValue: command) {
        case .read: self = .read
        case .write: self = .write
        case .flush: self = .flush
        case .trim: self = .trim
        case .writeZeroes: self = .writeZeroes
        case .blockStatus: self = .blockStatus
        case .cache: self = .cache
        case .disconnect, nil: return nil
        }
    }
}

/// The requests of one kind that were answered.
public struct RequestCounts: Sendable, Equatable {
    /// How long each took, in nanoseconds: from when its header was received to when its answer was
    /// handed to the kernel, or to the connection's own thread.
    public internal(set) var latency = HistogramCounts()
    /// Bytes that those affected that were answered without an error.
    public internal(set) var bytes: UInt64 = 0
    /// Those that were answered with an error.
    public internal(set) var errors: UInt64 = 0

    /// None.
    public init() {}

    /// What was counted since an earlier moment.
    public func since(_ earlier: RequestCounts) -> RequestCounts {
        var counts = self
        counts.latency = latency.since(earlier.latency)
        counts.bytes &-= earlier.bytes
        counts.errors &-= earlier.errors
        return counts
    }
}

/// What clients were answered, by kind.
public struct RequestStatistics: Sendable, Equatable {
    private var kinds = RequestKind.allCases.map { _ in RequestCounts() }

    /// Nothing.
    public init() {}

    /// The requests of one kind.
    public internal(set) subscript(kind: RequestKind) -> RequestCounts {
        get { kinds[kind.index] }
        set { kinds[kind.index] = newValue }
    }
}

/// Counts answered requests, for all connections and without a lock.
///
/// A connection adds what it did once per turn, not per request, and to one of a few copies: two
/// processors that add to the same word wait for each other.
final class RequestMeter: Sendable {
    private final class Series: Sendable {
        let latency = Histogram()
        let bytes = Atomic<UInt64>(0)
        let errors = Atomic<UInt64>(0)
    }

    private static let copyCount: UInt64 = 4

    private let series: [Series]

    init() {
        let count = Int(Self.copyCount) * RequestKind.allCases.count
        series = (0..<count).map { _ in Series() }
    }

    /// Counts requests of one kind that took equally long.
    ///
    /// - Parameter connection: the number of who asks.
    func record(_ requests: AnsweredRequests, nanoseconds: UInt64, connection: UInt64) {
        let copy = Int(connection % Self.copyCount)
        let series = series[copy * RequestKind.allCases.count + requests.kind.index]
        if requests.bytes > 0 { series.bytes.wrappingAdd(requests.bytes, ordering: .relaxed) }
        if requests.errors > 0 { series.errors.wrappingAdd(requests.errors, ordering: .relaxed) }
        series.latency.record(nanoseconds, count: requests.count)
    }

    /// What was counted so far.
    func read() -> RequestStatistics {
        var statistics = RequestStatistics()
        for kind in RequestKind.allCases {
            for copy in 0..<Int(Self.copyCount) {
                let one = series[copy * RequestKind.allCases.count + kind.index]
                one.latency.add(to: &statistics[kind].latency)
                statistics[kind].bytes &+= one.bytes.load(ordering: .relaxed)
                statistics[kind].errors &+= one.errors.load(ordering: .relaxed)
            }
        }
        return statistics
    }
}

/// Some requests of one kind.
struct AnsweredRequests {
    let kind: RequestKind
    var count: UInt64 = 1
    /// Of those without an error.
    var bytes: UInt64 = 0
    var errors: UInt64 = 0

    /// One request; nil for what is not measured.
    init?(_ request: Request, hasFailed: Bool) {
        guard let kind = RequestKind(request.command) else { return nil }
        self.init(kind, bytes: UInt64(request.length), hasFailed: hasFailed)
    }

    init(_ kind: RequestKind, bytes: UInt64, hasFailed: Bool) {
        self.kind = kind
        self.bytes = hasFailed ? 0 : bytes
        errors = hasFailed ? 1 : 0
    }
}
