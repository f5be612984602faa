internal import FootingSystem

/// A log that a flood of bad clients cannot flood.
final class LimitedLog: Sendable {
    private struct State {
        var windowStart: UInt64 = 0
        var lines = 0
        var suppressed = 0
    }

    private static let linesPerSecond = 10

    private let write: @Sendable (String) -> Void
    private let state = Locked(State())

    init(_ write: @escaping @Sendable (String) -> Void) {
        self.write = write
    }

    /// Says it, or counts it if too much was said within this second.
    func callAsFunction(_ line: @autoclosure () -> String) {
        let now = SystemClock().nanoseconds
        let (isSaid, suppressed) = state.withLock { state in
            var suppressed = 0
            if now - state.windowStart > 1_000_000_000 {
                suppressed = state.suppressed
                state = State(windowStart: now)
            }
            state.lines += 1
            let isSaid = state.lines <= Self.linesPerSecond
            if !isSaid { state.suppressed += 1 }
            return (isSaid, suppressed)
        }
        if suppressed > 0 { write("\(suppressed) further messages were left out") }
        if isSaid { write(line()) }
    }
}
