internal import CFooting
import Glibc

/// A running POSIX thread that is joined when asked.
///
/// The engine blocks in system calls, so it uses plain threads: they have small stacks, can be
/// pinned, and no thread exists before the first is started here.
public struct Thread: ~Copyable, Sendable {
    /// Enough for the deepest call chain measured, many times over; only touched pages cost memory.
    public static let stackSizeBytes = 256 << 10

    private final class Start: Sendable {
        let body: @Sendable () -> Void
        init(body: @escaping @Sendable () -> Void) { self.body = body }
    }

    private let handle: pthread_t

    /// Starts a thread.
    ///
    /// - Parameters:
    ///   - name: what `ps -L` and a debugger show; cut at 15 bytes.
    ///   - body: what it does; it ends when this returns.
    /// - Throws: `EAGAIN` where the process or the machine has no room for another.
    public init(name: String, _ body: @escaping @Sendable () -> Void) throws(Errno) {
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        unsafe pthread_attr_setstacksize(&attributes, Self.stackSizeBytes)
        let start = unsafe Unmanaged.passRetained(Start(body: body))
        var handle = pthread_t()
        let status = unsafe pthread_create(
            &handle,
            &attributes,
            { argument in
                guard let argument = unsafe argument else { return nil }
                unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            },
            start.toOpaque()
        )
        guard status == 0 else {
            unsafe start.release()
            throw Errno(rawValue: status)
        }
        _ = unsafe footing_name_thread(UInt(handle), name)
        self.handle = handle
    }

    /// Waits until the thread has ended.
    public consuming func join() {
        pthread_join(handle, nil)
    }

    /// Lets it run and end on its own.
    public consuming func detach() {
        pthread_detach(handle)
    }
}
