import FootingSystem
import Glibc

/// One end of a socket that speaks in lines, and waits for none of them for ever.
final class LineStream {
    private let socket: FileDescriptor
    private var buffer: [UInt8] = []

    /// A new socket pair: one end for this process, one for a child.
    struct Pair: ~Copyable {
        let ours: LineStream
        let theirs: FileDescriptor

        init() throws {
            let (first, second) = try Socket.pair()
            ours = LineStream(FileDescriptor(owning: first))
            theirs = FileDescriptor(owning: second)
        }
    }

    private init(_ socket: consuming FileDescriptor) {
        self.socket = socket
    }

    func send(_ line: String) throws {
        let bytes = Array((line + "\n").utf8)
        var done = 0
        while done < bytes.count {
            // Not write(2): a peer that has ended must be an error, not a signal.
            done += try unsafe bytes[done...].withUnsafeBytes {
                try unsafe socket.send($0, waits: true)
            }
        }
    }

    /// The next line, without its end.
    ///
    /// - Throws: ``GuestError``.
    func line(before deadline: Deadline) throws -> String {
        while true {
            if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
                let line = buffer[..<end].filter { $0 != UInt8(ascii: "\r") }
                buffer.removeSubrange(...end)
                return String(decoding: line, as: UTF8.self)
            }
            try fill(before: deadline)
        }
    }

    /// So many of the next bytes.
    func bytes(_ count: Int, before deadline: Deadline) throws -> [UInt8] {
        while buffer.count < count { try fill(before: deadline) }
        defer { buffer.removeFirst(count) }
        return Array(buffer[..<count])
    }

    private func fill(before deadline: Deadline) throws {
        let left = deadline.milliseconds
        guard left > 0 else { throw GuestError("no answer in time") }
        try socket.setTimeouts(receiveMilliseconds: Int32(left), sendMilliseconds: 10_000)
        var chunk = [UInt8](repeating: 0, count: 65536)
        let result: Result<Int, Errno> = unsafe chunk.withUnsafeMutableBytes { buffer in
            do throws(Errno) {
                return .success(try unsafe socket.receive(into: buffer, waits: true))
            } catch {
                return .failure(error)
            }
        }
        guard case .success(let count) = result else { throw GuestError("no answer in time") }
        guard count > 0 else { throw GuestError("the connection ended") }
        buffer += chunk[..<count]
    }
}

/// A point in time after which nobody waits.
struct Deadline {
    private let nanoseconds: UInt64
    /// Limits are for a machine with processors of its own; one that others share, as hosted
    /// runners are, can be without them for a minute.
    private static let patience: UInt64 = 4

    /// Four times so many seconds from now.
    static func after(seconds: Int) -> Deadline {
        let limit = UInt64(seconds) * patience * 1_000_000_000
        return Deadline(nanoseconds: SystemClock().nanoseconds + limit)
    }

    /// What is left; 0 if it has passed.
    var milliseconds: Int {
        let now = SystemClock().nanoseconds
        return now < nanoseconds ? Int((nanoseconds - now) / 1_000_000) : 0
    }

    private init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }
}

/// What went wrong with a guest, and what its consoles showed.
struct GuestError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
