/// Tells for how long clients have left a disk nearly alone.
///
/// By a counter that is kept anyway, and looked at now and then: no read or write costs anything
/// for it. A value without a clock: the time is passed in.
struct RestWatch: Sendable {
    /// How often the rate is judged.
    private static let periodNanoseconds: UInt64 = 1_000_000_000

    private var lookNanoseconds: UInt64?
    private var lookCount: UInt64 = 0
    private var restSince: UInt64 = 0

    /// Looks at what clients have done so far.
    ///
    /// - Parameters:
    ///   - count: blocks, or whatever else there is for each thing that clients do.
    ///   - now: the time in nanoseconds.
    ///   - countPerSecondMax: what counts as rest.
    /// - Returns: for how long there has been rest, in nanoseconds.
    mutating func look(count: UInt64, now: UInt64, countPerSecondMax: UInt64) -> UInt64 {
        guard let last = lookNanoseconds else {
            (lookNanoseconds, lookCount, restSince) = (now, count, now)
            return 0
        }
        let elapsed = now &- last
        let done = count &- lookCount
        // A second's worth is too much in any time shorter than that.
        let allowed = max(elapsed, Self.periodNanoseconds).multipliedReportingOverflow(
            by: countPerSecondMax
        )
        if !allowed.overflow, done > allowed.partialValue / 1_000_000_000 { restSince = now }
        // Of a long time without a look nobody knows when it was.
        if elapsed > 4 * Self.periodNanoseconds, done > countPerSecondMax { restSince = now }
        if elapsed >= Self.periodNanoseconds || restSince == now {
            (lookNanoseconds, lookCount) = (now, count)
        }
        return now &- restSince
    }
}
