internal import CCrypto
internal import CFooting
internal import FootingSystem

/// libcrypto, set up once, by the first who needs it.
///
/// In a context of its own, so that neither `openssl.cnf` nor what a host process has configured
/// decides which code runs: only the default provider, which is part of the library. Nothing is
/// read from the disk and nothing is loaded.
@safe
final class CryptoLibrary: @unchecked Sendable {
    // Sendable: the pointers never change, and libcrypto counts and locks what is behind them.

    let context: OpaquePointer
    let cipher: OpaquePointer

    private static let result = Result<CryptoLibrary, AccelerationError> {
        () throws(AccelerationError) in
        try CryptoLibrary()
    }

    /// The one of this process.
    ///
    /// - Throws: ``AccelerationError/unavailable(_:)`` if the library lacks AES-256-GCM.
    static func shared() throws(AccelerationError) -> CryptoLibrary { try result.get() }

    private init() throws(AccelerationError) {
        footing_crypto_setup()
        // Without its handler at exit, which would pull the rug from under threads that still run.
        let options = UInt64(OPENSSL_INIT_NO_LOAD_CONFIG) | UInt64(OPENSSL_INIT_NO_ATEXIT)
        guard OPENSSL_init_crypto(options, nil) == 1, let made = unsafe OSSL_LIB_CTX_new()
        else {
            throw Self.failure("libcrypto does not start")
        }
        guard let provider = unsafe OSSL_PROVIDER_load(made, "default"),
            let cipher = unsafe EVP_CIPHER_fetch(made, "AES-256-GCM", nil)
        else {
            unsafe OSSL_LIB_CTX_free(made)
            throw Self.failure("libcrypto has no AES-256-GCM")
        }
        // Loaded for good: it belongs to the context, which stays.
        _ = unsafe provider
        unsafe context = made
        unsafe self.cipher = cipher
    }

    /// What failed, with the library's reason; its list of errors is empty afterwards.
    static func failure(_ text: String) -> AccelerationError {
        let code = ERR_get_error()
        ERR_clear_error()
        guard code != 0, let reason = unsafe ERR_reason_error_string(code) else {
            return .unavailable(text)
        }
        return .unavailable("\(text): \(unsafe String(cString: reason))")
    }
}
