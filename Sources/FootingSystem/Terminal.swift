internal import CFooting

/// The two streams a program reports on.
public enum StandardStream: Int32, Sendable {
    /// Results, descriptor 1.
    case output = 1
    /// Errors and progress, descriptor 2.
    case error = 2

    /// Columns of the terminal behind the stream; nil where it is a file or a pipe.
    public var terminalColumns: Int? {
        let columns = footing_terminal_columns(rawValue)
        return columns > 0 ? Int(columns) : nil
    }

    /// Writes the whole text.
    public func write(_ text: String) throws(Errno) {
        let file = FileDescriptor(owning: rawValue)
        let result: Result<Void, Errno>
        do throws(Errno) {
            result = .success(try file.write(text))
        } catch {
            result = .failure(error)
        }
        // The stream belongs to the process: it stays open, whatever happened.
        _ = file.release()
        try result.get()
    }

    /// Writes all the bytes, which need not be text.
    public func write(_ bytes: [UInt8]) throws(Errno) {
        let file = FileDescriptor(owning: rawValue)
        let result: Result<Void, Errno> = unsafe bytes.withUnsafeBytes { buffer in
            do throws(Errno) {
                return .success(try unsafe file.write(buffer))
            } catch {
                return .failure(error)
            }
        }
        _ = file.release()
        try result.get()
    }
}

/// The process's environment.
public enum Environment {
    /// The value of a variable; nil where it is not set.
    public static func value(_ name: String) -> String? {
        unsafe footing_environment(name).map { unsafe String(cString: $0) }
    }
}
