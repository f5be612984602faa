import Glibc

/// Three clocks read together: their differences tell of pauses and of steps.
public struct ClockReading: Sendable, Equatable {
    /// `CLOCK_MONOTONIC` in nanoseconds: stands still while the machine sleeps.
    public let monotonicNanoseconds: Int64
    /// `CLOCK_BOOTTIME` in nanoseconds: counts sleep.
    public let bootNanoseconds: Int64
    /// `CLOCK_REALTIME` in nanoseconds since 1970: can be set.
    public let realNanoseconds: Int64

    /// A reading that a test makes up.
    public init(monotonicNanoseconds: Int64, bootNanoseconds: Int64, realNanoseconds: Int64) {
        self.monotonicNanoseconds = monotonicNanoseconds
        self.bootNanoseconds = bootNanoseconds
        self.realNanoseconds = realNanoseconds
    }

    /// Reads them now.
    public static func now() -> ClockReading {
        func read(_ clock: clockid_t) -> Int64 {
            var time = timespec()
            unsafe clock_gettime(clock, &time)
            return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
        }
        return ClockReading(
            monotonicNanoseconds: read(CLOCK_MONOTONIC),
            bootNanoseconds: read(CLOCK_BOOTTIME),
            realNanoseconds: read(CLOCK_REALTIME)
        )
    }
}
