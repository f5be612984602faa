internal import CFooting
import Glibc

/// Another program that runs until it has done its work.
public enum ChildProcess {
    /// How a program ended.
    public struct Result: Sendable {
        /// Its exit status, or 128 and the number of the signal that ended it.
        public let status: Int32
        /// The end of what it said, on its standard output and error.
        public let lastOutput: String
    }

    /// What is kept of what it says.
    private static let keptBytes = 4096

    /// Runs a program and waits for it.
    ///
    /// - Parameters:
    ///   - words: its name, looked up in `PATH`, and its arguments.
    ///   - input: a descriptor that it has as number 3; it is the caller's to close.
    ///   - said: called with what it says, as it says it.
    /// - Throws: `ENOENT` if there is no such program.
    public static func run(
        _ words: [String],
        input: Int32? = nil,
        said: (String) -> Void = { _ in }
    ) throws(Errno) -> Result {
        var number: Int32 = -1
        var copies = unsafe words.map { unsafe strdup($0) }
        defer { for index in unsafe copies.indices { unsafe free(copies[index]) } }
        unsafe copies.append(nil)
        let pointers = unsafe copies.map { unsafe UnsafePointer<CChar>($0) }
        let process = try checked(unsafe footing_spawn(pointers, input ?? -1, &number))
        let output = FileDescriptor(owning: number)
        let buffer = AlignedBuffer(count: 4096)
        var kept: [UInt8] = []
        while true {
            // Who cannot be read any more is waited for all the same.
            guard let count = try? unsafe output.read(into: buffer.bytes), count > 0 else { break }
            unsafe kept += buffer.bytes[..<count]
            kept.removeFirst(max(kept.count - keptBytes, 0))
            said(unsafe String(decoding: buffer.bytes[..<count], as: UTF8.self))
        }
        let status = try retrying { footing_await_process(process) }
        return Result(status: status, lastOutput: String(decoding: kept, as: UTF8.self))
    }
}
