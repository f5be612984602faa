internal import CFooting

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
}
