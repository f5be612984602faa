/// What is done to a scratch file for a while, to see how long it takes.
public struct Workload: Sendable, Hashable {
    /// What is done.
    public enum Kind: String, Sendable {
        /// Reads of blocks here and there, past the page cache.
        case randomRead = "random-read"
        /// Writes of blocks here and there, past the page cache, without a flush.
        case randomWrite = "random-write"
        /// Reads from the beginning to the end, past the page cache.
        case sequentialRead = "sequential-read"
        /// Writes from the beginning to the end, past the page cache, without a flush.
        case sequentialWrite = "sequential-write"
        /// Reads from the beginning to the end as most programs do: by the page cache.
        case cachedRead = "cached-read"
        /// Writes to the page cache, and a flush after each 16 MiB.
        case cachedWrite = "cached-write"
        /// A write of a block here or there, and a flush after each.
        case durableWrite = "durable-write"
        /// A flush after 16 MiB were written.
        case burstFlush = "burst-flush"
    }

    /// What is done.
    public let kind: Kind
    /// Bytes of each request.
    public let blockBytes: Int
    /// Requests under way at a time.
    public let depth: Int

    static let block = 4096
    static let piece = 1 << 20
    /// What is written before a flush; a slow card takes a second or two for it.
    static let burstBytes: UInt64 = 16 << 20
    /// The most requests at a time.
    static let depthMaximum = 64

    /// One with blocks of the kind's own size.
    public init(_ kind: Kind, depth: Int = 1) {
        precondition((1...Self.depthMaximum).contains(depth), "no such depth: \(depth)")
        self.kind = kind
        self.depth = depth
        switch kind {
        // A read as large as read-ahead would be would take its place.
        case .randomRead, .randomWrite, .durableWrite, .cachedRead: blockBytes = Self.block
        case .sequentialRead, .sequentialWrite, .burstFlush, .cachedWrite:
            blockBytes = Self.piece
        }
    }

    /// Its name, which does not change between versions.
    public var name: String {
        switch kind {
        case .randomRead, .randomWrite, .sequentialRead, .sequentialWrite:
            "\(kind.rawValue)-depth-\(depth)"
        case .cachedRead, .cachedWrite, .durableWrite, .burstFlush: kind.rawValue
        }
    }

    /// What `footing bench` runs.
    public static let all: [Workload] =
        [1, 4, 16, 64].map { Workload(.randomRead, depth: $0) }
        + [1, 4, 16, 64].map { Workload(.randomWrite, depth: $0) }
        + [
            Workload(.sequentialRead, depth: 4), Workload(.sequentialWrite, depth: 4),
            Workload(.cachedRead), Workload(.cachedWrite), Workload(.durableWrite),
            Workload(.burstFlush),
        ]
}

/// What came of running a workload for a while.
public struct Sample: Sendable {
    /// Requests that ended.
    public internal(set) var operations: UInt64 = 0
    /// Bytes that they moved.
    public internal(set) var bytes: UInt64 = 0
    /// From the first request to the end of the last.
    public internal(set) var elapsedNanoseconds: UInt64 = 0
    /// How long each request took; of a durable write both parts together, of a burst its flush.
    public internal(set) var latencies = Latencies()
    /// How long each flush took.
    public internal(set) var flushes = Latencies()

    /// The figures of one sample: those of the workload's kind, under stable names.
    public func figures(_ workload: Workload) -> [(figure: Figure, value: Double)] {
        guard operations > 0, elapsedNanoseconds > 0 else { return [] }
        let seconds = Double(elapsedNanoseconds) / 1e9
        let rate = (
            Figure(name: "operations", unit: .operationsPerSecond), Double(operations) / seconds
        )
        let throughput = (
            Figure(name: "throughput", unit: .bytesPerSecond), Double(bytes) / seconds
        )
        return switch workload.kind {
        case .randomRead, .randomWrite: [rate] + latencies.figures()
        case .sequentialRead, .sequentialWrite, .cachedRead, .cachedWrite: [throughput]
        case .durableWrite: [rate] + latencies.figures() + flushes.figures("flush-")
        case .burstFlush: flushes.figures("flush-").filter { $0.figure.name == "flush-p50" }
        }
    }
}
