internal import CFooting
import Glibc

/// A kernel error number.
///
/// `description` is the C library's text followed by the symbolic name, as in
/// `No space left on device (ENOSPC)`.
public struct Errno: Error, Hashable, Sendable, RawRepresentable, CustomStringConvertible {
    /// The positive number, as in `errno(3)`.
    public let rawValue: Int32

    /// Wraps a positive error number.
    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// The error the calling thread's last C library call left behind.
    public static var current: Errno { Errno(rawValue: Glibc.errno) }

    /// No such file or directory.
    public static let noSuchFile = Errno(rawValue: ENOENT)
    /// Permission denied.
    public static let permissionDenied = Errno(rawValue: EACCES)
    /// Operation not permitted.
    public static let notPermitted = Errno(rawValue: EPERM)
    /// Input/output error.
    public static let inputOutput = Errno(rawValue: EIO)
    /// Resource temporarily unavailable.
    public static let again = Errno(rawValue: EAGAIN)
    /// Interrupted system call.
    public static let interrupted = Errno(rawValue: EINTR)
    /// Invalid argument.
    public static let invalidArgument = Errno(rawValue: EINVAL)
    /// No space left on device.
    public static let noSpace = Errno(rawValue: ENOSPC)
    /// Disk quota exceeded.
    public static let quotaExceeded = Errno(rawValue: EDQUOT)
    /// Operation not supported.
    public static let notSupported = Errno(rawValue: EOPNOTSUPP)
    /// Function not implemented.
    public static let notImplemented = Errno(rawValue: ENOSYS)
    /// Device or resource busy.
    public static let busy = Errno(rawValue: EBUSY)
    /// File exists.
    public static let fileExists = Errno(rawValue: EEXIST)
    /// Not a directory.
    public static let notDirectory = Errno(rawValue: ENOTDIR)
    /// Connection refused.
    public static let connectionRefused = Errno(rawValue: ECONNREFUSED)
    /// Network is unreachable: no route.
    public static let networkUnreachable = Errno(rawValue: ENETUNREACH)
    /// No route to host: nobody there answers on the link.
    public static let hostUnreachable = Errno(rawValue: EHOSTUNREACH)
    /// Connection timed out.
    public static let timedOut = Errno(rawValue: ETIMEDOUT)
    /// No buffer space available.
    public static let noBufferSpace = Errno(rawValue: ENOBUFS)
    /// Cannot allocate memory.
    public static let noMemory = Errno(rawValue: ENOMEM)
    /// Read-only file system.
    public static let readOnlyFileSystem = Errno(rawValue: EROFS)
    /// File too large.
    public static let fileTooLarge = Errno(rawValue: EFBIG)
    /// Too many levels of symbolic links.
    public static let tooManyLinks = Errno(rawValue: ELOOP)
    /// Is a directory.
    public static let isDirectory = Errno(rawValue: EISDIR)
    /// No such device or address: here, a FIFO or a device node where a file should be.
    public static let noDevice = Errno(rawValue: ENXIO)
    /// Broken pipe: the peer is gone.
    public static let brokenPipe = Errno(rawValue: EPIPE)
    /// Software caused connection abort: the client left before it was accepted.
    public static let connectionAborted = Errno(rawValue: ECONNABORTED)
    /// Cannot send after transport endpoint shutdown.
    public static let isShutDown = Errno(rawValue: ESHUTDOWN)
    /// Too many open files in the process.
    public static let tooManyFiles = Errno(rawValue: EMFILE)
    /// Value too large: a file has more bytes than the caller's limit.
    public static let tooLarge = Errno(rawValue: EOVERFLOW)

    /// The C library's text and the symbolic name.
    public var description: String {
        let text = unsafe strerror(rawValue).map { unsafe String(cString: $0) } ?? "Unknown error"
        let name = unsafe footing_error_name(rawValue).map { unsafe String(cString: $0) }
        return "\(text) (\(name ?? String(rawValue)))"
    }
}

/// Turns the `-errno` convention of the C layer into a thrown error.
@inlinable
func checked<Result: SignedInteger>(_ result: Result) throws(Errno) -> Result {
    if result < 0 {
        throw Errno(rawValue: Int32(-result))
    }
    return result
}

/// Repeats a call that a signal interrupted.
func retrying<Result: SignedInteger>(_ call: () -> Result) throws(Errno) -> Result {
    while true {
        let result = call()
        if result != -Result(EINTR) {
            return try checked(result)
        }
    }
}
