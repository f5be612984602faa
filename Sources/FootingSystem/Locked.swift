internal import CFooting
import Glibc

/// A value that only one thread sees at a time, with a condition to wait for changes.
///
/// A POSIX mutex and condition: the thread sanitizer understands them (it reports
/// `Synchronization.Mutex` as a race), and they work in a process that forked.
@safe
public final class Locked<Value: ~Copyable>: @unchecked Sendable {
    // Sendable by construction: `value` is touched only while `mutex` is held.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let conditions: UnsafeMutablePointer<pthread_cond_t>
    private let conditionCount: Int
    private var value: Value

    /// Takes the value in.
    ///
    /// - Parameters:
    ///   - value: what is guarded.
    ///   - conditionCount: how many different things threads wait for.
    public init(_ value: consuming Value, conditionCount: Int = 1) {
        unsafe mutex = .allocate(capacity: 1)
        unsafe conditions = .allocate(capacity: conditionCount)
        self.conditionCount = conditionCount
        self.value = value
        unsafe pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        // Time-outs are durations: a clock that is set back must not prolong them.
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        for index in 0..<conditionCount {
            unsafe pthread_cond_init(conditions + index, &attributes)
        }
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        for index in 0..<conditionCount {
            unsafe pthread_cond_destroy(conditions + index)
        }
        unsafe pthread_mutex_destroy(mutex)
        unsafe conditions.deallocate()
        unsafe mutex.deallocate()
    }

    /// Runs the body with the value, alone.
    @discardableResult
    public func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let status = unsafe pthread_mutex_lock(mutex)
        precondition(status == 0, "pthread_mutex_lock: \(status)")
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try body(&value)
    }

    /// Runs the body with the value, alone, unless another thread has it.
    ///
    /// - Returns: nil if one has it.
    public func withLockIfFree<Result, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        let status = unsafe pthread_mutex_trylock(mutex)
        if status == EBUSY { return nil }
        precondition(status == 0, "pthread_mutex_trylock: \(status)")
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try body(&value)
    }

    /// Lets go of the lock until another thread calls ``wakeAll(on:)``, then takes it again.
    ///
    /// Call it only from within ``withLock(_:)``, with the value that its body was given, and look
    /// at the value again afterwards: wake-ups can be spurious. The value is a parameter because
    /// other threads change it meanwhile: the compiler must not keep what it read before, so its
    /// address is handed to a function that the compiler cannot see into.
    ///
    /// - Parameters:
    ///   - value: what ``withLock(_:)`` handed out.
    ///   - condition: which of the conditions to wait for.
    ///   - nanoseconds: the longest wait; none by default.
    /// - Returns: false if the time ran out.
    @inline(never)
    @discardableResult
    public func wait(
        _ value: inout Value,
        on condition: Int = 0,
        nanoseconds: UInt64? = nil
    ) -> Bool {
        precondition(condition < conditionCount, "no such condition")
        defer { unsafe withUnsafeMutablePointer(to: &value) { unsafe footing_touch($0) } }
        guard let nanoseconds else {
            unsafe pthread_cond_wait(conditions + condition, mutex)
            return true
        }
        var deadline = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &deadline)
        let total = UInt64(deadline.tv_nsec) + nanoseconds
        deadline.tv_sec += Int(total / 1_000_000_000)
        deadline.tv_nsec = Int(total % 1_000_000_000)
        return unsafe pthread_cond_timedwait(conditions + condition, mutex, &deadline) == 0
    }

    /// Wakes every thread that waits for a condition.
    public func wakeAll(on condition: Int = 0) {
        precondition(condition < conditionCount, "no such condition")
        unsafe pthread_cond_broadcast(conditions + condition)
    }

    /// Wakes one thread that waits for a condition: where any of them will do.
    public func wakeOne(on condition: Int = 0) {
        precondition(condition < conditionCount, "no such condition")
        unsafe pthread_cond_signal(conditions + condition)
    }
}
