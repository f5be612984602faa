internal import FootingSystem

/// Working memory for as many calls as run at once, and the statistics of those that ended.
///
/// Nothing is allocated once there are as many contexts as threads that call. One lock for taking
/// and one for giving back, of some ten nanoseconds each; the statistics ride on the second.
final class ContextPool<Context: AnyObject>: Sendable {
    private struct State {
        var idle: [Context] = []
        var statistics = AcceleratorStatistics()
        var tick: UInt8 = 0
    }

    /// More than run at once on most machines; a context beyond is made and thrown away.
    private static var idleMaximum: Int { 128 }
    /// One call in so many is timed.
    private static var timingInterval: UInt8 { 16 }

    private let state = Locked(State())
    private let clock: any TimeSource
    private let make: @Sendable () throws(AccelerationError) -> Context

    init(
        clock: any TimeSource,
        make: @escaping @Sendable () throws(AccelerationError) -> Context
    ) {
        self.clock = clock
        self.make = make
    }

    var statistics: AcceleratorStatistics { state.withLock { $0.statistics } }

    /// Runs one operation with a context of its own.
    ///
    /// - Parameters:
    ///   - inputBytes: what goes in.
    ///   - plainBytes: what counts for the throughput.
    ///   - body: gives what comes out, or nil for a compression that does not pay.
    func run(
        _ operation: AccelerationOperation,
        inputBytes: Int,
        plainBytes: Int,
        _ body: (Context) throws(AccelerationError) -> Int?
    ) throws(AccelerationError) -> Int? {
        let (taken, isTimed) = state.withLock { state in
            state.tick = (state.tick &+ 1) % Self.timingInterval
            return (state.idle.popLast(), state.tick == 0)
        }
        let context: Context
        if let taken { context = taken } else { context = try make() }
        let start = isTimed ? clock.nanoseconds : 0
        let result: Result<Int?, AccelerationError>
        do throws(AccelerationError) {
            result = .success(try body(context))
        } catch {
            result = .failure(error)
        }
        let nanoseconds = isTimed ? clock.nanoseconds - start : 0
        state.withLock { state in
            if state.idle.count < Self.idleMaximum { state.idle.append(context) }
            var line = state.statistics[operation]
            line.count &+= 1
            line.inputBytes &+= UInt64(inputBytes)
            switch result {
            case .success(let count): line.outputBytes &+= UInt64(count ?? 0)
            case .failure: line.failureCount &+= 1
            }
            if isTimed {
                line.timedNanoseconds &+= nanoseconds
                line.timedBytes &+= UInt64(plainBytes)
            }
            state.statistics[operation] = line
        }
        return try result.get()
    }
}
