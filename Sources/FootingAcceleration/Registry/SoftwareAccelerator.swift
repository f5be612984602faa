internal import CCrypto
internal import CDeflate
internal import CLZ4
public import FootingSystem

/// The processor: liblz4, libdeflate, libcrypto, and Intel's library where it is faster.
public final class SoftwareAccelerator: Accelerator {
    private let clock: any TimeSource
    private let codecs: ContextPool<CodecContext>
    private let ciphers: CipherStatistics

    /// Prepares nothing: what a call needs is made by the first that needs it.
    public init(clock: any TimeSource = SystemClock()) {
        self.clock = clock
        codecs = ContextPool(clock: clock) { () throws(AccelerationError) in
            try CodecContext()
        }
        ciphers = CipherStatistics()
    }

    /// `software`.
    public var name: String { "software" }

    /// The libraries behind it, with their versions.
    public static var libraries: [String] {
        let lz4 = unsafe LZ4_versionString().map { unsafe String(cString: $0) } ?? ""
        let crypto =
            unsafe OpenSSL_version(OPENSSL_VERSION).map { unsafe String(cString: $0) } ?? ""
        let vector = VectorLibrary.shared.map { [$0.description] } ?? []
        return ["liblz4 \(lz4)", "libdeflate \(LIBDEFLATE_VERSION_STRING)", crypto] + vector
    }

    /// Everything.
    public var operations: Set<AccelerationOperation> { Set(AccelerationOperation.allCases) }

    /// What it has done so far, with every key.
    public var statistics: AcceleratorStatistics {
        var sum = codecs.statistics
        sum.add(ciphers.sum)
        return sum
    }

    /// Compresses with liblz4 or libdeflate.
    public func compress(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        _ method: CompressionMethod,
        _ effort: CompressionEffort
    ) throws(AccelerationError) -> Int? {
        precondition((1...BlockLimits.bytesMaximum).contains(source.count), "no block")
        guard let operation = AccelerationOperation.compress(method, effort) else { return nil }
        return try codecs.run(operation, inputBytes: source.count, plainBytes: source.count) {
            (context) throws(AccelerationError) in
            if method == .deflate,
                try unsafe !Compressibility.isLikely(source, context, room: target)
            {
                return nil
            }
            return try unsafe context.compress(source, into: target, method, effort)
        }
    }

    /// Decompresses with liblz4 or libdeflate; copies what is not compressed.
    public func decompress(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        _ method: CompressionMethod
    ) throws(AccelerationError) {
        precondition((1...BlockLimits.bytesMaximum).contains(target.count), "no block")
        guard source.count <= BlockLimits.bytesMaximum else { throw .corrupt(method) }
        guard let operation = AccelerationOperation.decompress(method) else {
            guard source.count == target.count else { throw .corrupt(method) }
            unsafe target.copyMemory(from: source)
            return
        }
        _ = try codecs.run(operation, inputBytes: source.count, plainBytes: target.count) {
            (context) throws(AccelerationError) in
            guard unsafe context.decompress(source, into: target, method) else {
                throw .corrupt(method)
            }
            return target.count
        }
    }

    /// Prepares a key for the faster library.
    public func cipher(key: borrowing SecretBytes) throws(AccelerationError) -> any BlockCipher {
        if let library = VectorLibrary.shared {
            return try VectorCipher(key: key, library, clock: clock, statistics: ciphers)
        }
        return try SoftwareCipher(key: key, clock: clock, statistics: ciphers)
    }
}

/// What a block can be.
enum BlockLimits {
    /// The libraries count in 32 bits.
    static let bytesMaximum = 1 << 30

    /// Stops at what no caller of a cipher may ask for.
    static func check(
        _ source: UnsafeRawBufferPointer,
        _ target: UnsafeMutableRawBufferPointer,
        _ associatedData: UnsafeRawBufferPointer
    ) {
        precondition(source.count <= bytesMaximum, "no block: \(source.count) bytes")
        precondition(target.count == source.count, "a cipher keeps the size")
        precondition(associatedData.count <= bytesMaximum, "too much beside the block")
    }
}
