import FootingSystem

/// Time that passes only when it is told to.
package final class SimulatedClock: TimeSource {
    private let now = Locked<UInt64>(1_000_000_000)

    /// Starts one second after its beginning.
    package init() {}

    /// Nanoseconds since the beginning.
    package var nanoseconds: UInt64 { now.withLock { $0 } }

    /// A day in 2026, and the seconds that passed.
    package var unixSeconds: UInt64 { 1_770_000_000 + nanoseconds / 1_000_000_000 }

    /// Lets time pass.
    package func advance(nanoseconds: UInt64) {
        now.withLock { $0 += nanoseconds }
    }
}
