public import FootingSystem

/// Why a disk operation failed: a small, stable kind for programs, and the rest for people.
public struct DiskError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What a caller can act on.
    public enum Kind: String, Sendable {
        /// The request makes no sense: out of bounds, misaligned, a bad option.
        case invalid
        /// The container's bytes contradict themselves: a checksum or a structure is wrong.
        case corrupt
        /// The kernel reported an input or output error.
        case inputOutput
        /// No space: the host's file system is full, or the container is.
        case noSpace
        /// The kernel refused memory, and it can be tried again.
        ///
        /// A write of at most 1 MiB changed nothing. Longer ones, and zeroes, go by pieces, each of
        /// which was done as a whole or not at all.
        case noMemory
        /// Another process has the container open.
        case busy
        /// Not a Footing container, or one of a version or with features this program does not
        /// know.
        case unsupported
        /// It is encrypted, and no key was given, or another one; or it is not, and one was given.
        case locked
        /// An earlier failure made it unsafe to go on; reopen the disk.
        case failed
        /// The disk was closed.
        case closed
    }

    /// What a caller can act on.
    public let kind: Kind
    /// What was being done, as in `write commit`.
    public let operation: String
    /// The container's path, or what stands for it.
    public var path: String?
    /// Byte offset in the container, where there is one.
    public let offset: UInt64?
    /// What is wrong and, where it helps, what to do.
    public let detail: String
    /// The kernel's error, where it gave one.
    public let cause: Errno?

    /// Makes an error.
    public init(
        _ kind: Kind,
        _ operation: String,
        offset: UInt64? = nil,
        _ detail: String,
        cause: Errno? = nil
    ) {
        self.kind = kind
        self.operation = operation
        self.offset = offset
        self.detail = detail
        self.cause = cause
    }

    /// An error of the store below, its kind taken from the kernel's number.
    init(_ operation: String, offset: UInt64? = nil, cause: Errno) {
        let isSpace = cause == .noSpace || cause == .quotaExceeded
        self.init(
            isSpace ? .noSpace : .inputOutput,
            operation,
            offset: offset,
            isSpace ? "the host has no space left for the container" : "",
            cause: cause
        )
    }

    /// Nobody can say what an encrypted disk holds without its key.
    static func withoutKey(_ operation: String) -> DiskError {
        DiskError(
            .locked,
            operation,
            "the disk is encrypted; it needs its passphrase (--passphrase-file) or key file "
                + "(--key-file)"
        )
    }

    /// One line: operation, path, offset, detail and cause.
    public var description: String {
        var text = operation
        if let path { text += " \(path)" }
        if let offset { text += " at byte \(offset)" }
        if !detail.isEmpty { text += ": \(detail)" }
        if let cause { text += ": \(cause)" }
        return text
    }

    /// The error number a block protocol reports for it.
    public var errno: Errno {
        switch kind {
        case .invalid: .invalidArgument
        case .noSpace: .noSpace
        case .noMemory: .noMemory
        default: .inputOutput
        }
    }
}

extension BufferSource {
    /// Makes a buffer for an operation.
    ///
    /// - Throws: kind `noMemory`.
    func buffer(
        for operation: String,
        count: Int,
        isHuge: Bool = false
    ) throws(DiskError) -> AlignedBuffer {
        do throws(Errno) {
            return try buffer(count: count, isHuge: isHuge)
        } catch {
            throw DiskError(
                .noMemory,
                operation,
                "the kernel refuses \(count) bytes of memory",
                cause: error
            )
        }
    }
}
