internal import FootingSystem

/// How often another implementation had to stand in.
final class FallbackCounters: Sendable {
    private let state = Locked(AcceleratorStatistics())

    var statistics: AcceleratorStatistics { state.withLock { $0 } }

    func count(_ operation: AccelerationOperation) {
        state.withLock { $0[operation].fallbackCount &+= 1 }
    }
}
