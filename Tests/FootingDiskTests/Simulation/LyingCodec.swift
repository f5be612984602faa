import FootingAcceleration
import FootingSystem

/// An accelerator that is wrong now and then, in a way that no checksum of stored bytes shows.
final class LyingCodec: Accelerator {
    enum Lie: CaseIterable {
        /// A byte of what was decompressed is another.
        case decompressesWrong
        /// Another block's bytes are compressed.
        case compressesAnother
    }

    private let lie: Lie
    private let real = SoftwareAccelerator()
    private let state = Locked((count: 0, last: [UInt8]()))

    init(_ lie: Lie) { self.lie = lie }

    var name: String { "lying" }
    var operations: Set<AccelerationOperation> { real.operations }
    var statistics: AcceleratorStatistics { real.statistics }

    /// Whether it lies this time.
    private func lies() -> Bool {
        state.withLock { state in
            state.count += 1
            return state.count % 100 == 0
        }
    }

    func compress(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        _ method: CompressionMethod,
        _ effort: CompressionEffort
    ) throws(AccelerationError) -> Int? {
        let last = state.withLock { state in
            defer { unsafe state.last = Array(source) }
            return state.last
        }
        guard lie == .compressesAnother, lies(), last.count == source.count else {
            return try unsafe real.compress(source, into: target, method, effort)
        }
        let buffer = AlignedBuffer(count: last.count)
        unsafe last.withUnsafeBytes { unsafe buffer.copy(from: $0, at: 0) }
        let bytes = unsafe UnsafeRawBufferPointer(buffer.slice(0..<last.count))
        return try unsafe real.compress(bytes, into: target, method, effort)
    }

    func decompress(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        _ method: CompressionMethod
    ) throws(AccelerationError) {
        try unsafe real.decompress(source, into: target, method)
        if lie == .decompressesWrong, lies() { unsafe target[100] ^= 1 }
    }

    func cipher(key: borrowing SecretBytes) throws(AccelerationError) -> any BlockCipher {
        try real.cipher(key: key)
    }
}
