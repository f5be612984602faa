internal import CCrypto
internal import CDeflate
internal import CFootingGCM
internal import CLZ4
internal import FootingSystem

/// The libraries as a program of ten lines would call them: what this module is measured against.
@safe
final class BareLibraries {
    private let lz4: UnsafeMutableRawPointer
    private let fast: OpaquePointer
    private let dense: OpaquePointer
    private let decompressor: OpaquePointer
    private let sealing: OpaquePointer
    private let opening: OpaquePointer
    /// A key for Intel's library, which is called where the module calls it.
    private let expanded: UnsafeMutableRawPointer?
    private let kind = VectorLibrary.shared?.kind ?? FOOTING_GCM_NONE
    private var nonce: (UInt64, UInt32) = (1, 0)

    init(key: borrowing SecretBytes) throws(AccelerationError) {
        let library = try CryptoLibrary.shared()
        unsafe lz4 = .allocate(byteCount: Int(LZ4_sizeofState()), alignment: 64)
        guard let fast = unsafe libdeflate_alloc_compressor(1),
            let dense = unsafe libdeflate_alloc_compressor(6),
            let decompressor = unsafe libdeflate_alloc_decompressor(),
            let sealing = unsafe EVP_CIPHER_CTX_new(), let opening = unsafe EVP_CIPHER_CTX_new()
        else { preconditionFailure("no memory for codecs") }
        unsafe self.fast = fast
        unsafe self.dense = dense
        unsafe self.decompressor = decompressor
        unsafe self.sealing = sealing
        unsafe self.opening = opening
        unsafe key.withBytes { bytes in
            let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
            unsafe EVP_CipherInit_ex2(sealing, library.cipher, start, nil, 1, nil)
            unsafe EVP_CipherInit_ex2(opening, library.cipher, start, nil, 0, nil)
        }
        guard kind != FOOTING_GCM_NONE else {
            unsafe expanded = nil
            return
        }
        unsafe expanded = .allocate(
            byteCount: Int(FOOTING_GCM_KEY_BYTES),
            alignment: Int(FOOTING_GCM_KEY_ALIGNMENT)
        )
        unsafe key.withBytes { unsafe footing_gcm_expand(kind, $0.baseAddress, expanded) }
    }

    deinit {
        unsafe lz4.deallocate()
        unsafe libdeflate_free_compressor(fast)
        unsafe libdeflate_free_compressor(dense)
        unsafe libdeflate_free_decompressor(decompressor)
        unsafe EVP_CIPHER_CTX_free(sealing)
        unsafe EVP_CIPHER_CTX_free(opening)
        unsafe expanded?.deallocate()
    }

    func compressLZ4(_ source: UnsafeRawBufferPointer, _ target: UnsafeMutableRawBufferPointer) {
        guard let input = source.baseAddress, let output = target.baseAddress else { return }
        unsafe LZ4_compress_fast_extState(
            lz4,
            input.assumingMemoryBound(to: CChar.self),
            output.assumingMemoryBound(to: CChar.self),
            Int32(source.count),
            Int32(source.count - 1),
            1
        )
    }

    func decompressLZ4(_ source: UnsafeRawBufferPointer, _ target: UnsafeMutableRawBufferPointer) {
        guard let input = source.baseAddress, let output = target.baseAddress else { return }
        unsafe LZ4_decompress_safe(
            input.assumingMemoryBound(to: CChar.self),
            output.assumingMemoryBound(to: CChar.self),
            Int32(source.count),
            Int32(target.count)
        )
    }

    func deflate(
        _ source: UnsafeRawBufferPointer,
        _ target: UnsafeMutableRawBufferPointer,
        isDense: Bool
    ) {
        let compressor = unsafe isDense ? dense : fast
        unsafe libdeflate_deflate_compress(
            compressor,
            source.baseAddress,
            source.count,
            target.baseAddress,
            source.count - 1
        )
    }

    func inflate(_ source: UnsafeRawBufferPointer, _ target: UnsafeMutableRawBufferPointer) {
        unsafe libdeflate_deflate_decompress(
            decompressor,
            source.baseAddress,
            source.count,
            target.baseAddress,
            target.count,
            nil
        )
    }

    func seal(_ source: UnsafeRawBufferPointer, _ target: UnsafeMutableRawBufferPointer) {
        nonce.0 &+= 1
        if unsafe expanded != nil { return unsafe sealByVector(source, target) }
        var tag: (UInt64, UInt64) = (0, 0)
        unsafe run(sealing, source, target)
        _ = unsafe withUnsafeMutableBytes(of: &tag) { bytes in
            unsafe EVP_CIPHER_CTX_ctrl(sealing, EVP_CTRL_AEAD_GET_TAG, 16, bytes.baseAddress)
        }
    }

    /// Decrypts; libcrypto without the right tag: the work is the same.
    func open(
        _ source: UnsafeRawBufferPointer,
        _ target: UnsafeMutableRawBufferPointer,
        _ block: footing_gcm_block,
        _ tag: AuthenticationTag
    ) {
        var proof = (tag.first, tag.last)
        unsafe withUnsafeMutableBytes(of: &proof) { proof in
            if unsafe expanded != nil {
                var block = unsafe block
                let tag = unsafe proof.baseAddress?.assumingMemoryBound(to: UInt8.self)
                let (from, to) = (source.baseAddress, target.baseAddress)
                let isRight = unsafe footing_gcm_open(
                    kind,
                    expanded,
                    &block,
                    from,
                    to,
                    source.count,
                    tag
                )
                precondition(isRight == 1, "a wrong tag wipes what was decrypted, which takes time")
                return
            }
            _ = unsafe EVP_CIPHER_CTX_ctrl(opening, EVP_CTRL_AEAD_SET_TAG, 16, proof.baseAddress)
            unsafe run(opening, source, target)
        }
    }

    private func sealByVector(
        _ source: UnsafeRawBufferPointer,
        _ target: UnsafeMutableRawBufferPointer
    ) {
        var address: (UInt64, UInt64) = (1, 2)
        var tag: (UInt64, UInt64) = (0, 0)
        unsafe withUnsafeBytes(of: &nonce) { nonce in
            unsafe withUnsafeBytes(of: &address) { address in
                unsafe withUnsafeMutableBytes(of: &tag) { tag in
                    var block = unsafe footing_gcm_block(
                        nonce: nonce.baseAddress,
                        associated: address.baseAddress,
                        associated_size: 16
                    )
                    let proof = unsafe tag.baseAddress?.assumingMemoryBound(to: UInt8.self)
                    let (from, to) = (source.baseAddress, target.baseAddress)
                    unsafe footing_gcm_seal(kind, expanded, &block, from, to, source.count, proof)
                }
            }
        }
    }

    private func run(
        _ context: OpaquePointer,
        _ source: UnsafeRawBufferPointer,
        _ target: UnsafeMutableRawBufferPointer
    ) {
        var count: Int32 = 0
        var address: (UInt64, UInt64) = (1, 2)
        unsafe withUnsafeBytes(of: &nonce) { bytes in
            let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
            _ = unsafe EVP_CipherInit_ex2(context, nil, nil, start, -1, nil)
        }
        unsafe withUnsafeBytes(of: &address) { bytes in
            let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
            _ = unsafe EVP_CipherUpdate(context, nil, &count, start, 16)
        }
        let output = unsafe target.baseAddress?.assumingMemoryBound(to: UInt8.self)
        unsafe EVP_CipherUpdate(
            context,
            output,
            &count,
            source.baseAddress?.assumingMemoryBound(to: UInt8.self),
            Int32(source.count)
        )
        unsafe EVP_CipherFinal_ex(context, output, &count)
    }
}
