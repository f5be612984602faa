import Glibc

/// Where time comes from: the kernel, or a simulation.
public protocol TimeSource: Sendable {
    /// Nanoseconds since an arbitrary start; never goes back.
    var nanoseconds: UInt64 { get }

    /// Seconds since 1970 in UTC, for time stamps that people read.
    var unixSeconds: UInt64 { get }
}

/// The kernel's clocks.
public struct SystemClock: TimeSource {
    /// Nothing to configure.
    public init() {}

    private func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return time
    }

    /// `CLOCK_MONOTONIC`.
    public var nanoseconds: UInt64 {
        let time = read(CLOCK_MONOTONIC)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// `CLOCK_REALTIME`.
    public var unixSeconds: UInt64 {
        UInt64(max(0, read(CLOCK_REALTIME).tv_sec))
    }
}

/// The calling thread's time on processors: what other programs take meanwhile does not count.
public struct ThreadClock: TimeSource {
    /// Nothing to configure.
    public init() {}

    /// `CLOCK_THREAD_CPUTIME_ID`; another thread has another.
    public var nanoseconds: UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// `CLOCK_REALTIME`.
    public var unixSeconds: UInt64 { SystemClock().unixSeconds }
}
