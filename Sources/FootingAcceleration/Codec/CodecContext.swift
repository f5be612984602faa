internal import CDeflate
internal import CLZ4
internal import FootingSystem
internal import Glibc

/// The working memory of one thread's compression, made once and used again.
@safe
final class CodecContext {
    /// liblz4's hash table, 16 KiB.
    private let state: UnsafeMutableRawPointer
    private let decompressor: OpaquePointer
    /// Made when they are first needed: the dense one takes some hundred KiB.
    private var fastCompressor: OpaquePointer?
    private var denseCompressor: OpaquePointer?

    /// libdeflate's levels: the fastest, and the one from which more time hardly pays.
    private static let levels: (fast: Int32, dense: Int32) = (1, 6)

    /// - Throws: kind `unavailable` if the kernel refuses the memory.
    init() throws(AccelerationError) {
        guard let state = unsafe aligned_alloc(64, (Int(LZ4_sizeofState()) + 63) / 64 * 64) else {
            throw Self.noMemory
        }
        guard let decompressor = unsafe libdeflate_alloc_decompressor() else {
            unsafe free(state)
            throw Self.noMemory
        }
        unsafe self.state = state
        unsafe self.decompressor = decompressor
    }

    private static var noMemory: AccelerationError {
        .unavailable("the kernel refuses the memory for a codec")
    }

    deinit {
        unsafe free(state)
        unsafe libdeflate_free_decompressor(decompressor)
        if let compressor = unsafe fastCompressor { unsafe libdeflate_free_compressor(compressor) }
        if let compressor = unsafe denseCompressor { unsafe libdeflate_free_compressor(compressor) }
    }

    private func compressor(
        _ effort: CompressionEffort
    ) throws(AccelerationError) -> OpaquePointer {
        let known = unsafe effort == .fast ? fastCompressor : denseCompressor
        if let known = unsafe known { return unsafe known }
        let level = effort == .fast ? Self.levels.fast : Self.levels.dense
        guard let made = unsafe libdeflate_alloc_compressor(level) else {
            throw Self.noMemory
        }
        if effort == .fast { unsafe fastCompressor = made } else { unsafe denseCompressor = made }
        return unsafe made
    }

    /// Compresses; nil unless it gets smaller and fits.
    ///
    /// - Parameter acceleration: of LZ4: how fast it gives up searching, from 1 on.
    func compress(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        _ method: CompressionMethod,
        _ effort: CompressionEffort,
        acceleration: Int32 = 1
    ) throws(AccelerationError) -> Int? {
        let room = min(target.count, source.count - 1)
        guard room > 0, let input = source.baseAddress, let output = target.baseAddress else {
            return nil
        }
        let count: Int
        switch method {
        case .none:
            return nil
        case .lz4:
            count = Int(
                unsafe LZ4_compress_fast_extState(
                    state,
                    input.assumingMemoryBound(to: CChar.self),
                    output.assumingMemoryBound(to: CChar.self),
                    Int32(source.count),
                    Int32(room),
                    acceleration
                )
            )
        case .deflate:
            count = try unsafe libdeflate_deflate_compress(
                compressor(effort),
                input,
                source.count,
                output,
                room
            )
        }
        precondition(count >= 0 && count <= room, "a compressor wrote \(count) of \(room) bytes")
        return count == 0 ? nil : count
    }

    /// Decompresses; false unless all of the source makes exactly the target.
    func decompress(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        _ method: CompressionMethod
    ) -> Bool {
        guard source.count > 0, let input = source.baseAddress, let output = target.baseAddress
        else { return false }
        switch method {
        case .none:
            guard source.count == target.count else { return false }
            unsafe target.copyMemory(from: source)
            return true
        case .lz4:
            let count = unsafe LZ4_decompress_safe(
                input.assumingMemoryBound(to: CChar.self),
                output.assumingMemoryBound(to: CChar.self),
                Int32(source.count),
                Int32(target.count)
            )
            return Int(count) == target.count
        case .deflate:
            var used = 0
            let result = unsafe libdeflate_deflate_decompress_ex(
                decompressor,
                input,
                source.count,
                output,
                target.count,
                &used,
                nil
            )
            return result == LIBDEFLATE_SUCCESS && used == source.count
        }
    }
}
