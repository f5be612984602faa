/// Why a block could not be compressed, decompressed, encrypted or decrypted.
public enum AccelerationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The compressed bytes are not what a compressor made of so many bytes.
    case corrupt(CompressionMethod)
    /// The ciphertext, its associated data, the nonce or the tag was changed, or the key is wrong.
    case notAuthentic
    /// This implementation cannot do it now; another may.
    case unavailable(String)

    /// What happened, in words.
    public var description: String {
        switch self {
        case .corrupt(let method): "damaged \(method.name) data"
        case .notAuthentic: "authentication failed: changed data or another key"
        case .unavailable(let reason): reason
        }
    }
}
