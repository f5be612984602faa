public import FootingSystem

/// A thread that can be kept in a list, which a `Thread` with its one owner cannot be.
public final class ThreadBox: Sendable {
    private let thread: Locked<Thread?>

    /// Starts it.
    ///
    /// - Throws: what `Thread` does.
    public init(_ body: @escaping @Sendable () -> Void) throws(Errno) {
        thread = Locked(try Thread(name: "test", body))
    }

    /// Waits until it has ended.
    public func join() {
        thread.withLock { thread in
            let taken = thread.take()
            taken?.join()
        }
    }
}
