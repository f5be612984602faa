public import FootingSystem

/// What opens a key slot: a passphrase, or the content of a key file.
public struct Credential: ~Copyable, Sendable {
    /// Which of the two.
    public enum Kind: UInt8, Sendable, CaseIterable {
        /// Something that people remember: guessing it is made expensive by scrypt.
        case passphrase = 1
        /// Random bytes, as of `head -c 64 /dev/urandom`: nobody guesses these.
        case keyFile = 2
    }

    /// A key file has at least so many bytes, all of which count.
    public static let keyFileCountMinimum = 32

    /// Which of the two.
    public let kind: Kind
    let secret: SecretBytes

    /// Takes a passphrase's bytes as they are: whoever asks for it leaves out the line feed.
    ///
    /// - Throws: ``KeyError/unusable(_:)`` for an empty one.
    public static func passphrase(
        _ bytes: consuming SecretBytes
    ) throws(KeyError) -> Credential {
        guard bytes.count > 0 else { throw .unusable("an empty passphrase protects nothing") }
        return Credential(kind: .passphrase, secret: bytes)
    }

    /// Takes a key file's content.
    ///
    /// - Throws: ``KeyError/unusable(_:)`` for one with fewer than 32 bytes.
    public static func keyFile(_ bytes: consuming SecretBytes) throws(KeyError) -> Credential {
        guard bytes.count >= keyFileCountMinimum else {
            throw .unusable(
                "a key file of \(bytes.count) bytes, \(keyFileCountMinimum) at least"
            )
        }
        return Credential(kind: .keyFile, secret: bytes)
    }

    /// The key that wraps the volume's key in a slot.
    func wrappingKey(salt: [UInt8], cost: ScryptCost) throws(KeyError) -> SecretBytes {
        switch kind {
        case .passphrase: try KeyDerivation.scrypt(secret, salt: salt, cost: cost)
        case .keyFile:
            try KeyDerivation.expand(secret, salt: salt, purpose: Array("footing key file".utf8))
        }
    }
}

/// The key of a volume: random, never stored but wrapped, and never used but to make others.
public struct VolumeKey: ~Copyable, Sendable {
    let secret: SecretBytes

    init(_ secret: consuming SecretBytes) { self.secret = secret }

    /// Draws a new one.
    ///
    /// - Parameter generator: a cryptographic one, as `SystemRandomNumberGenerator`.
    public init(using generator: inout some RandomNumberGenerator) throws(KeyError) {
        do throws(Errno) {
            secret = try SecretBytes(randomCount: KeyDerivation.keyCount, using: &generator)
        } catch {
            throw .unavailable("no memory for a key: \(error)")
        }
    }

    /// A key of 32 bytes for one purpose; other purposes and volumes have others.
    ///
    /// - Parameter purpose: as `blocks`; part of the disk's format.
    public borrowing func derived(
        for purpose: String,
        volume: Identifier
    ) throws(KeyError) -> SecretBytes {
        try KeyDerivation.expand(
            secret,
            salt: volume.bytes,
            purpose: Array("footing \(purpose)".utf8)
        )
    }
}

extension Identifier {
    /// The sixteen bytes, in the order in which they are written.
    var bytes: [UInt8] {
        [high, low].flatMap { half in
            stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: half >> $0) }
        }
    }
}
