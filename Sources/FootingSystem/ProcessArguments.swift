internal import CFooting
internal import Glibc

/// The words of the process's command line.
public enum ProcessArguments {
    /// All of them, the program's name first.
    ///
    /// Swift's own `CommandLine` reads `/proc/self/maps` to find them where its library is shared.
    public static var all: [String] {
        (0..<footing_argument_count()).map { index in
            unsafe footing_argument(index).map { unsafe String(cString: $0) } ?? ""
        }
    }

    /// The same as the kernel gave them, for what need not be UTF-8.
    public static var bytes: [[UInt8]] {
        (0..<footing_argument_count()).map { index in
            guard let word = unsafe footing_argument(index) else { return [] }
            return unsafe Array(UnsafeRawBufferPointer(start: word, count: Glibc.strlen(word)))
        }
    }
}
