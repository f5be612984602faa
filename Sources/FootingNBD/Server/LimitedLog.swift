internal import FootingSystem

/// A log that a flood of bad clients cannot flood.
final class LimitedLog: Sendable {
    private struct State {
        var windowStart: UInt64 = 0
        var lines = 0
        var suppressed = 0
    }

    private let write: @Sendable (String) -> Void
    private let lines: Int
    private let windowNanoseconds: UInt64
    private let state = Locked(State())

    /// A log of at most so many lines within that time.
    init(
        _ write: @escaping @Sendable (String) -> Void,
        lines: Int = 10,
        within window: Duration = .seconds(1)
    ) {
        self.write = write
        self.lines = lines
        windowNanoseconds = window.nanoseconds
    }

    /// Says it, or counts it if too much was said lately.
    func callAsFunction(_ line: @autoclosure () -> String) {
        let now = SystemClock().nanoseconds
        let (isSaid, suppressed) = state.withLock { state in
            var suppressed = 0
            if now - state.windowStart > windowNanoseconds {
                suppressed = state.suppressed
                state = State(windowStart: now)
            }
            state.lines += 1
            let isSaid = state.lines <= lines
            if !isSaid { state.suppressed += 1 }
            return (isSaid, suppressed)
        }
        if suppressed > 0 { write("\(suppressed) further messages were left out") }
        if isSaid { write(line()) }
    }
}
