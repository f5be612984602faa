public import FootingAcceleration

/// What opens an encrypted disk: a passphrase, or the content of a key file.
public final class DiskKey: Sendable {
    let credential: Credential
    /// What a slot may ask for to try a passphrase.
    let limit: ScryptLimit

    /// Takes the secret over: it is wiped with the last reference to this.
    ///
    /// - Parameter limit: slots that ask for more are not tried.
    public init(_ credential: consuming Credential, limit: ScryptLimit = ScryptLimit()) {
        self.credential = credential
        self.limit = limit
    }

    /// Which of the two it is.
    public var kind: Credential.Kind { credential.kind }
}

/// How a new disk is to be encrypted, or a slot to be made.
public struct DiskEncryption: Sendable {
    /// What opens it.
    public var key: DiskKey
    /// What people call the slot; cut at 64 bytes.
    public var label = ""
    /// What a guess of a passphrase costs.
    public var cost: ScryptCost

    /// Encrypts with AES-256-GCM.
    public init(key: DiskKey, cost: ScryptCost = .standard) {
        self.key = key
        self.cost = cost
    }
}

/// A way to open an encrypted disk, as anybody can see it.
public struct DiskKeySlot: Sendable, Equatable {
    /// Its number.
    public let index: Int
    /// What opens it.
    public let kind: Credential.Kind
    /// What people call it.
    public let label: String
    /// When it was made, in seconds since 1970.
    public let createdUnixSeconds: UInt64
    /// Memory that each guess of a passphrase takes, in bytes; nil for a key file, or beyond 64
    /// bits.
    public let guessBytes: UInt64?
}
