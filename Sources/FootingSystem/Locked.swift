import Glibc

/// A value that only one thread sees at a time, with a condition to wait for changes.
///
/// A POSIX mutex and condition: the thread sanitizer understands them (it reports
/// `Synchronization.Mutex` as a race), and they work in a process that forked.
@safe
public final class Locked<Value: ~Copyable>: @unchecked Sendable {
    // Sendable by construction: `value` is touched only while `mutex` is held.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var value: Value

    /// Takes the value in.
    public init(_ value: consuming Value) {
        unsafe mutex = .allocate(capacity: 1)
        unsafe condition = .allocate(capacity: 1)
        self.value = value
        unsafe pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        // Time-outs are durations: a clock that is set back must not prolong them.
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
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

    /// Lets go of the lock until another thread calls ``wakeAll()``, then takes it again.
    ///
    /// Call it only from within ``withLock(_:)`` and look at the value again afterwards: wake-ups can
    /// be spurious. It is the one place where the value changes under a holder's hands.
    ///
    /// - Parameter nanoseconds: the longest wait; none by default.
    /// - Returns: false if the time ran out.
    @discardableResult
    public func wait(nanoseconds: UInt64? = nil) -> Bool {
        guard let nanoseconds else {
            unsafe pthread_cond_wait(condition, mutex)
            return true
        }
        var deadline = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &deadline)
        let total = UInt64(deadline.tv_nsec) + nanoseconds
        deadline.tv_sec += Int(total / 1_000_000_000)
        deadline.tv_nsec = Int(total % 1_000_000_000)
        return unsafe pthread_cond_timedwait(condition, mutex, &deadline) == 0
    }

    /// Wakes every thread in ``wait(nanoseconds:)``.
    public func wakeAll() {
        unsafe pthread_cond_broadcast(condition)
    }

    /// Wakes one thread in ``wait(nanoseconds:)``: where any of them will do.
    public func wakeOne() {
        unsafe pthread_cond_signal(condition)
    }
}
