internal import CZlib

/// Why an archive is not what it should be.
public struct ArchiveError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong, and where.
    public let description: String

    /// A text that says what is wrong, and where.
    public init(_ description: String) { self.description = description }
}

/// The gzip format (RFC 1952), whole buffers at a time.
public enum Gzip {
    /// A window of 32 KiB; 16 more asks zlib for the gzip format instead of its own.
    private static let windowBits: Int32 = 15 + 16
    private static let streamSize = unsafe Int32(MemoryLayout<z_stream>.size)

    /// The compressed form, the smallest that zlib makes; equal bytes give equal results.
    public static func compress(_ bytes: [UInt8]) -> [UInt8] {
        var stream = unsafe z_stream()
        let started = unsafe deflateInit2_(
            &stream,
            Z_BEST_COMPRESSION,
            Z_DEFLATED,
            windowBits,
            9,
            Z_DEFAULT_STRATEGY,
            ZLIB_VERSION,
            streamSize
        )
        precondition(started == Z_OK, "deflateInit2: \(started)")
        defer { unsafe deflateEnd(&stream) }
        var input = bytes
        let bound = Int(unsafe deflateBound(&stream, UInt(bytes.count)))
        return unsafe input.withUnsafeMutableBufferPointer { source in
            unsafe [UInt8](unsafeUninitializedCapacity: bound) { target, count in
                unsafe stream.next_in = source.baseAddress
                unsafe stream.avail_in = UInt32(source.count)
                unsafe stream.next_out = target.baseAddress
                unsafe stream.avail_out = UInt32(bound)
                let ended = unsafe deflate(&stream, Z_FINISH)
                precondition(ended == Z_STREAM_END, "deflate: \(ended)")
                count = unsafe bound - Int(stream.avail_out)
            }
        }
    }

    /// The bytes of a gzip file of one member.
    ///
    /// - Parameters:
    ///   - bytes: the file; whoever made it is not trusted.
    ///   - limitBytes: the most that may come out: a few bytes can stand for a thousand times more.
    public static func decompress(
        _ bytes: [UInt8],
        limitBytes: Int
    ) throws(ArchiveError) -> [UInt8] {
        var stream = unsafe z_stream()
        let started = unsafe inflateInit2_(&stream, windowBits, ZLIB_VERSION, streamSize)
        precondition(started == Z_OK, "inflateInit2: \(started)")
        defer { unsafe inflateEnd(&stream) }
        var input = bytes
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        let failure: ArchiveError? = unsafe input.withUnsafeMutableBufferPointer { source in
            unsafe stream.next_in = source.baseAddress
            unsafe stream.avail_in = UInt32(source.count)
            while true {
                let (code, count) = unsafe chunk.withUnsafeMutableBufferPointer { target in
                    unsafe stream.next_out = target.baseAddress
                    unsafe stream.avail_out = UInt32(target.count)
                    let code = unsafe inflate(&stream, Z_NO_FLUSH)
                    return unsafe (code, target.count - Int(stream.avail_out))
                }
                if output.count + count > limitBytes {
                    return ArchiveError("more than \(limitBytes) bytes once it is unpacked")
                }
                output += chunk[..<count]
                if code == Z_STREAM_END { break }
                // Without an error, no progress means that the input is used up.
                if code == Z_BUF_ERROR || (code == Z_OK && count == 0) {
                    return ArchiveError("cut off: the compressed data has no end")
                }
                if code != Z_OK { return ArchiveError("no valid gzip data (zlib error \(code))") }
            }
            let left = unsafe stream.avail_in
            return left > 0 ? ArchiveError("\(left) bytes after the compressed data") : nil
        }
        if let failure { throw failure }
        return output
    }
}
