public import FootingSystem

/// Proves bytes that are not encrypted.
///
/// Any number of threads may use one at once.
public protocol Authenticator: Sendable {
    /// What only those who have the key can tell of the bytes.
    ///
    /// - Throws: ``KeyError/unavailable(_:)``.
    func sum(_ bytes: UnsafeRawBufferPointer) throws(KeyError) -> AuthenticationTag

    /// Locks the memory of the key, again in a process that forked.
    ///
    /// - Returns: why it cannot be locked; nil if it is.
    func lockKeys() -> Errno?
}

/// HMAC-SHA-256 with one key, of which 16 bytes count.
public final class MessageAuthenticator: Authenticator {
    private let key: SecretBytes

    /// Takes the key: 32 bytes that nothing else is done with.
    public init(key: consuming SecretBytes) { self.key = key }

    /// What only those who have the key can tell of the bytes.
    ///
    /// - Throws: ``KeyError/unavailable(_:)``.
    public func sum(_ bytes: UnsafeRawBufferPointer) throws(KeyError) -> AuthenticationTag {
        try unsafe KeyDerivation.authenticate(bytes, key: key)
    }

    /// Locks the memory of the key.
    public func lockKeys() -> Errno? { key.lock() }
}
