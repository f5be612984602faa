/// One implementation of compression and encryption: the processor's, or a device's.
///
/// Any number of threads may call one at once. Construction never fails: what cannot work has no
/// ``operations``, and a direct call then throws ``AccelerationError/unavailable(_:)``.
public protocol Accelerator: Sendable {
    /// Its name, as `software`.
    var name: String { get }

    /// What it is able to do now.
    var operations: Set<AccelerationOperation> { get }

    /// What it has done so far.
    var statistics: AcceleratorStatistics { get }

    /// Compresses a block.
    ///
    /// - Parameters:
    ///   - source: the block, 1 byte to 1 GiB.
    ///   - target: where the result goes; what lies behind the result is undefined afterwards.
    ///   - method: the form.
    ///   - effort: the time it may take.
    /// - Returns: the bytes that the result takes, always fewer than `source`; nil if it does not
    ///   fit into `target`, or would save nothing or next to nothing.
    func compress(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        _ method: CompressionMethod,
        _ effort: CompressionEffort
    ) throws(AccelerationError) -> Int?

    /// Decompresses a block whose size is known, from bytes that are not trusted.
    ///
    /// - Parameters:
    ///   - source: what ``compress(_:into:_:_:)`` made, the whole of it.
    ///   - target: as many bytes as the block had; undefined after an error.
    /// - Throws: ``AccelerationError/corrupt(_:)`` unless exactly `target` came out of exactly
    ///   `source`.
    func decompress(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        _ method: CompressionMethod
    ) throws(AccelerationError)

    /// Prepares a key for encryption and decryption.
    ///
    /// - Parameter key: 32 bytes; copied.
    func cipher(key: borrowing SecretBytes) throws(AccelerationError) -> any BlockCipher

    /// Prepares a key for proofs of what is not encrypted.
    ///
    /// - Parameter key: 32 bytes; taken over.
    func authenticator(key: consuming SecretBytes) -> any Authenticator
}

extension Accelerator {
    /// Whether it is able to do anything.
    public var isAvailable: Bool { !operations.isEmpty }

    /// The processor's HMAC: structures are few and small.
    public func authenticator(key: consuming SecretBytes) -> any Authenticator {
        MessageAuthenticator(key: key)
    }
}
