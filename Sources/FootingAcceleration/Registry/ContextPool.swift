internal import FootingSystem
internal import Glibc

/// Working memory for as many calls as run at once, and the statistics of those that ended.
///
/// Nothing is allocated once there are as many contexts as threads that call. One lock for taking
/// and one for giving back, of some ten nanoseconds each; the statistics ride on the second. It is
/// not `Locked`, which another module cannot specialize: that took a tenth of encrypting 4 KiB.
@safe
final class ContextPool<Context: AnyObject>: @unchecked Sendable {
    // Sendable by construction: `state` is touched only while `mutex` is held.

    private struct State {
        var idle: [Context] = []
        var statistics = AcceleratorStatistics()
        var tick: UInt8 = 0
    }

    /// More than run at once on most machines; a context beyond is made and thrown away.
    private static var idleMaximum: Int { 128 }
    /// One call in so many is timed.
    private static var timingInterval: UInt8 { 16 }

    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var state = State()
    private let clock: any TimeSource
    private let make: @Sendable () throws(AccelerationError) -> Context

    init(
        clock: any TimeSource,
        make: @escaping @Sendable () throws(AccelerationError) -> Context
    ) {
        self.clock = clock
        self.make = make
        unsafe mutex = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
    }

    deinit {
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    var statistics: AcceleratorStatistics {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return state.statistics
    }

    /// An idle context, if there is one, and whether this call is among those that are timed.
    private func take() -> (context: Context?, isTimed: Bool) {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        state.tick = (state.tick &+ 1) % Self.timingInterval
        return (state.idle.popLast(), state.tick == 0)
    }

    private func giveBack(
        _ context: Context,
        _ operation: AccelerationOperation,
        _ done: OperationStatistics
    ) {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        if state.idle.count < Self.idleMaximum { state.idle.append(context) }
        state.statistics[operation].add(done)
    }

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
        let (taken, isTimed) = take()
        let context: Context
        if let taken { context = taken } else { context = try make() }
        let start = isTimed ? clock.nanoseconds : 0
        let result: Result<Int?, AccelerationError>
        do throws(AccelerationError) {
            result = .success(try body(context))
        } catch {
            result = .failure(error)
        }
        var done = OperationStatistics()
        done.count = 1
        done.inputBytes = UInt64(inputBytes)
        switch result {
        case .success(let count): done.outputBytes = UInt64(count ?? 0)
        case .failure: done.failureCount = 1
        }
        if isTimed {
            done.timedNanoseconds = clock.nanoseconds - start
            done.timedBytes = UInt64(plainBytes)
        }
        giveBack(context, operation, done)
        return try result.get()
    }
}
