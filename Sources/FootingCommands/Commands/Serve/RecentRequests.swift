internal import FootingNBD
internal import FootingSystem

/// What clients asked for lately: the difference between now and a moment that is 5 to 10 seconds
/// ago, unless nobody looked for longer.
struct RecentRequests {
    /// How often ``note(_:at:)`` is to be called.
    static let periodMilliseconds: Int32 = 5000

    private struct Moment {
        let nanoseconds: UInt64
        let statistics: RequestStatistics
    }

    private var older: Moment
    private var newer: Moment

    init(at nanoseconds: UInt64) {
        newer = Moment(nanoseconds: nanoseconds, statistics: RequestStatistics())
        older = newer
    }

    /// Remembers a moment.
    mutating func note(_ statistics: RequestStatistics, at nanoseconds: UInt64) {
        older = newer
        newer = Moment(nanoseconds: nanoseconds, statistics: statistics)
    }

    /// All requests, and the recent ones, by kind.
    func json(_ statistics: RequestStatistics, at nanoseconds: UInt64) -> JSONValue {
        let window = nanoseconds &- older.nanoseconds
        var members: JSONObject = ["recentNanoseconds": JSONValue(window)]
        for kind in RequestKind.allCases {
            let all = statistics[kind]
            var value = all.json
            value["buckets"] = all.latency.json
            value["recent"] = .object(all.since(older.statistics[kind]).json)
            members[kind.rawValue] = .object(value)
        }
        return .object(members)
    }
}

extension RequestCounts {
    fileprivate var json: JSONObject {
        func quantile(_ share: Double) -> JSONValue {
            latency.quantile(share).map { JSONValue($0) } ?? .null
        }
        return [
            "count": JSONValue(latency.count),
            "errors": JSONValue(errors),
            "bytes": JSONValue(bytes),
            "totalNanoseconds": JSONValue(latency.sum),
            "p50Nanoseconds": quantile(0.5),
            "p90Nanoseconds": quantile(0.9),
            "p99Nanoseconds": quantile(0.99),
            "p999Nanoseconds": quantile(0.999),
            "maximumNanoseconds": quantile(1),
        ]
    }
}

extension HistogramCounts {
    /// Pairs of a bucket's limit and how many values are in it; only those with any.
    fileprivate var json: JSONValue {
        .array(
            buckets.enumerated().filter { $0.element > 0 }.map { index, count in
                [JSONValue(Histogram.Buckets.upperBound(index)), JSONValue(count)]
            }
        )
    }
}
