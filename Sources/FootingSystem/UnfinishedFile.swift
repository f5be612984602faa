internal import CFooting

/// A file, or an empty folder, that is of no use if the process ends before it is done.
///
/// Whoever has this removes it in the ordinary case. Where a signal ends the process, the handler
/// of ``removeOnSignals()`` does.
public struct UnfinishedFile: ~Copyable {
    private let number: Int32

    /// Notes a path; where there are too many or it is too long, a signal leaves what is there.
    public init(_ path: String, isFolder: Bool = false) {
        number = unsafe footing_add_unfinished(path, isFolder ? 1 : 0)
    }

    deinit { footing_forget_unfinished(number) }

    /// Lets SIGINT, SIGTERM and SIGHUP remove what is noted before they end the process, for the
    /// rest of its life; for programs that handle these signals in no other way.
    ///
    /// - Throws: what `sigaction(2)` gives.
    public static func removeOnSignals() throws(Errno) {
        _ = try checked(footing_remove_unfinished_on_signals())
    }
}
