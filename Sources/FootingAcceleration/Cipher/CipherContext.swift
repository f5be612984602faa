internal import CCrypto
internal import FootingSystem
internal import Glibc

/// One direction of a key, expanded once and used again with another nonce.
///
/// The expanded key lies in libcrypto's heap, which wipes it when the context goes.
@safe
final class CipherContext {
    enum Direction: Int32 {
        case open = 0
        case seal = 1
    }

    private let context: OpaquePointer

    init(
        _ direction: Direction,
        key: borrowing SecretBytes,
        _ library: CryptoLibrary
    ) throws(AccelerationError) {
        precondition(key.count == 32, "a key of \(key.count) bytes")
        guard let made = unsafe EVP_CIPHER_CTX_new() else {
            throw CryptoLibrary.failure("no memory for a cipher")
        }
        unsafe context = made
        let isReady = unsafe key.withBytes { bytes in
            unsafe EVP_CipherInit_ex2(
                made,
                library.cipher,
                bytes.baseAddress?.assumingMemoryBound(to: UInt8.self),
                nil,
                direction.rawValue,
                nil
            ) == 1
        }
        guard isReady else { throw CryptoLibrary.failure("the key was refused") }
    }

    deinit { unsafe EVP_CIPHER_CTX_free(context) }

    /// Starts a block: the nonce, and the associated data.
    private func begin(_ nonce: BlockNonce, _ associatedData: UnsafeRawBufferPointer) -> Bool {
        var words = nonce.words
        let isStarted = unsafe withUnsafeBytes(of: &words) { bytes in
            let nonce = unsafe bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
            return unsafe EVP_CipherInit_ex2(context, nil, nil, nonce, -1, nil) == 1
        }
        guard isStarted else { return false }
        return unsafe associatedData.isEmpty || update(associatedData, into: nil)
    }

    private func update(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawPointer?)
        -> Bool
    {
        var count: Int32 = 0
        let result = unsafe EVP_CipherUpdate(
            context,
            target?.assumingMemoryBound(to: UInt8.self),
            &count,
            source.baseAddress?.assumingMemoryBound(to: UInt8.self),
            Int32(source.count)
        )
        return result == 1 && Int(count) == source.count
    }

    /// Ends a block: makes the tag, or compares it.
    private func end() -> Bool {
        var nothing: (UInt64, UInt64) = (0, 0)
        var count: Int32 = 0
        return unsafe withUnsafeMutableBytes(of: &nothing) { bytes in
            let rest = unsafe bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
            return unsafe EVP_CipherFinal_ex(context, rest, &count) == 1
        }
    }

    func seal(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        _ nonce: BlockNonce,
        _ associatedData: UnsafeRawBufferPointer
    ) throws(AccelerationError) -> AuthenticationTag {
        guard unsafe begin(nonce, associatedData),
            unsafe source.isEmpty || update(source, into: target.baseAddress), end()
        else { throw CryptoLibrary.failure("encryption failed") }
        var tag: (UInt64, UInt64) = (0, 0)
        let size = Int32(AuthenticationTag.byteCount)
        let hasTag = unsafe withUnsafeMutableBytes(of: &tag) { bytes in
            unsafe EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, size, bytes.baseAddress) == 1
        }
        guard hasTag else { throw CryptoLibrary.failure("encryption gave no tag") }
        return AuthenticationTag(
            first: UInt64(littleEndian: tag.0),
            last: UInt64(littleEndian: tag.1)
        )
    }

    func open(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        _ nonce: BlockNonce,
        _ associatedData: UnsafeRawBufferPointer,
        _ tag: AuthenticationTag
    ) throws(AccelerationError) {
        guard unsafe begin(nonce, associatedData),
            unsafe source.isEmpty || update(source, into: target.baseAddress)
        else { throw CryptoLibrary.failure("decryption failed") }
        var expected = (tag.first.littleEndian, tag.last.littleEndian)
        let size = Int32(AuthenticationTag.byteCount)
        let isSet = unsafe withUnsafeMutableBytes(of: &expected) { bytes in
            unsafe EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, size, bytes.baseAddress) == 1
        }
        if isSet, end() { return }
        // What came out is not proved: nobody may see it.
        unsafe target.initializeMemory(as: UInt8.self, repeating: 0)
        ERR_clear_error()
        throw .notAuthentic
    }
}
