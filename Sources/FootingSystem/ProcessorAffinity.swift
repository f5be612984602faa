internal import CFooting

/// The processors that a thread may run on (`sched_setaffinity(2)`).
public enum ProcessorAffinity {
    /// The kernel's `NR_CPUS` at its highest.
    private static let processorsMaximum = 8192

    /// Limits a thread to some processors; the threads that it starts later are limited too.
    ///
    /// - Parameters:
    ///   - processors: the kernel's numbers. Those that the process's cpuset leaves out are left
    ///     out here.
    ///   - thread: a thread's number (`gettid(2)`); 0 is the calling thread.
    /// - Throws: `EINVAL` if none of the processors may be used, `ESRCH` without such a thread.
    public static func set(_ processors: [Int], thread: Int32 = 0) throws(Errno) {
        var words = [UInt64](repeating: 0, count: processorsMaximum / 64)
        for number in processors where number >= 0 && number < processorsMaximum {
            words[number / 64] |= 1 << UInt64(number % 64)
        }
        let status = unsafe footing_set_affinity(thread, words, words.count)
        _ = try checked(status)
    }

    /// The processors that the calling thread may run on now.
    public static func current() throws(Errno) -> [Int] {
        var words = [UInt64](repeating: 0, count: processorsMaximum / 64)
        let status = unsafe footing_allowed_processors(&words, words.count)
        _ = try checked(status)
        return (0..<processorsMaximum).filter { words[$0 / 64] >> UInt64($0 % 64) & 1 == 1 }
    }
}
