internal import CFooting

/// Asking for what must not be shown.
public enum SecretInput {
    /// Reads a line from the process's terminal without showing it.
    ///
    /// - Parameters:
    ///   - prompt: what stands before it.
    ///   - memory: where its bytes go, without the line feed.
    /// - Returns: how many there are; nil where the process has no terminal.
    /// - Throws: `EMSGSIZE` if it is longer than the memory. What interrupts it, as Ctrl-C does,
    ///   ends the process as it would anywhere, with the terminal as it was before.
    public static func read(
        prompt: String,
        into memory: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int? {
        let terminal: FileDescriptor
        do throws(Errno) {
            terminal = try FileDescriptor.open("/dev/tty", [.readWrite, .nonBlocking])
        } catch {
            return nil
        }
        let count = unsafe footing_read_secret(
            terminal.number,
            prompt,
            memory.baseAddress?.assumingMemoryBound(to: CChar.self),
            memory.count
        )
        if count < 0 { throw Errno(rawValue: Int32(-count)) }
        return count
    }
}

extension ProcessIdentity {
    /// Keeps the process's memory out of core dumps (`PR_SET_DUMPABLE`, prctl(2)).
    public static func hideMemory() throws(Errno) {
        let result = footing_hide_memory()
        if result < 0 { throw Errno(rawValue: -result) }
    }
}
