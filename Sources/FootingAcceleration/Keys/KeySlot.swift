internal import FootingSystem

/// One way to open a disk: the volume's key, wrapped for a passphrase or a key file.
///
/// ```
/// offset size
///      0    1  kind: 0 free, 1 passphrase, 2 key file
///      1    1  scrypt: binary logarithm of N; 0 for a key file, as are r and p
///      2    2  zero
///      4    4  scrypt: r
///      8    4  scrypt: p
///     12    4  bytes of the label
///     16   32  salt
///     48   12  nonce: 4 and 8 bytes, big-endian
///     60    4  zero
///     64   32  the volume's key, encrypted by AES-256-GCM
///     96   16  its tag
///    112    8  when it was made, in seconds since 1970
///    120    8  zero
///    128   64  label, UTF-8, zeros after it
///    192   64  zero
/// ```
///
/// Numbers are little-endian. What is authenticated beside the key are the volume's identifier and
/// the slot with zeros in place of nonce, key and tag.
public struct KeySlot: Hashable, Sendable {
    /// Its size on the disk.
    static let byteCount = 256
    /// The longest label, in bytes.
    public static let labelCountMaximum = 64
    static let saltCount = 32

    /// What opens it.
    public let kind: Credential.Kind
    /// What a guess costs; zeros for a key file.
    public let cost: ScryptCost
    /// When it was made, in seconds since 1970.
    public let createdSeconds: UInt64
    /// What people call it.
    public let label: String

    let salt: [UInt8]
    var nonce = BlockNonce(epoch: 0, position: 0)
    var wrapped = [UInt8](repeating: 0, count: KeyDerivation.keyCount)
    var tag = AuthenticationTag(first: 0, last: 0)

    init(
        kind: Credential.Kind,
        cost: ScryptCost,
        createdSeconds: UInt64,
        label: String,
        salt: [UInt8]
    ) {
        self.kind = kind
        self.cost = cost
        self.createdSeconds = createdSeconds
        self.label = label
        self.salt = salt
    }

    static let noCost = ScryptCost(logarithmOfN: 0, r: 0, p: 0)

    /// The slot's bytes; `isOpen` leaves out what only the wrapping key gives.
    func bytes(isOpen: Bool = false) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.byteCount)
        bytes[0] = kind.rawValue
        bytes[1] = cost.logarithmOfN
        bytes.put(cost.r, at: 4)
        bytes.put(cost.p, at: 8)
        let text = Array(label.utf8)
        bytes.put(UInt32(text.count), at: 12)
        bytes.replaceSubrange(16..<48, with: salt)
        bytes.put(createdSeconds, at: 112)
        bytes.replaceSubrange(128..<128 + text.count, with: text)
        if isOpen { return bytes }
        bytes.put(nonce.epoch.byteSwapped, at: 48)
        bytes.put(nonce.position.byteSwapped, at: 52)
        bytes.replaceSubrange(64..<96, with: wrapped)
        bytes.put(tag.first, at: 96)
        bytes.put(tag.last, at: 104)
        return bytes
    }

    /// Reads a slot; nil for one that is free.
    init?(parsing bytes: ArraySlice<UInt8>, index: Int) throws(KeyError) {
        let bytes = Array(bytes)
        precondition(bytes.count == Self.byteCount, "no slot")
        let name = "slot \(index)"
        if bytes[0] == 0 {
            guard bytes.allSatisfy({ $0 == 0 }) else { throw .damaged("\(name) is not empty") }
            return nil
        }
        guard let kind = Credential.Kind(rawValue: bytes[0]) else {
            throw .damaged("\(name) has the kind \(bytes[0])")
        }
        self.kind = kind
        cost = ScryptCost(
            logarithmOfN: bytes[1],
            r: bytes.get(UInt32.self, at: 4),
            p: bytes.get(UInt32.self, at: 8)
        )
        if kind == .keyFile, cost != Self.noCost { throw .damaged("\(name) has a needless cost") }
        if kind == .passphrase, !cost.isPossible {
            throw .damaged("\(name) has a cost that scrypt does not know")
        }
        let count = Int(bytes.get(UInt32.self, at: 12))
        guard count <= Self.labelCountMaximum,
            let label = String(validating: bytes[128..<128 + count], as: UTF8.self)
        else { throw .damaged("\(name) has no label") }
        self.label = label
        salt = Array(bytes[16..<48])
        nonce = BlockNonce(
            epoch: bytes.get(UInt32.self, at: 48).byteSwapped,
            position: bytes.get(UInt64.self, at: 52).byteSwapped
        )
        wrapped = Array(bytes[64..<96])
        tag = AuthenticationTag(
            first: bytes.get(UInt64.self, at: 96),
            last: bytes.get(UInt64.self, at: 104)
        )
        createdSeconds = bytes.get(UInt64.self, at: 112)
        guard self.bytes() == bytes else { throw .damaged("\(name) has bytes that mean nothing") }
    }
}

extension [UInt8] {
    /// Stores a number little-endian.
    mutating func put(_ value: some FixedWidthInteger, at offset: Int) {
        for index in 0..<value.bitWidth / 8 {
            self[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
        }
    }

    /// The little-endian number at an offset.
    func get<Number: FixedWidthInteger & UnsignedInteger>(
        _ type: Number.Type,
        at offset: Int
    ) -> Number {
        (0..<Number.bitWidth / 8).reduce(0) { $0 | Number(self[offset + $1]) << (8 * $1) }
    }
}
