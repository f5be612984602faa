public import FootingSystem

/// What makes every encryption with a key different: it must never repeat.
///
/// Twelve bytes: the epoch, then the position, both big-endian. It is unique by construction where
/// the epoch is made durable before the first write after every opening, and a position is written
/// once in an epoch.
public struct BlockNonce: Hashable, Sendable {
    /// Which opening of the disk.
    public let epoch: UInt32
    /// Where in the log.
    public let position: UInt64

    /// Takes both parts.
    public init(epoch: UInt32, position: UInt64) {
        self.epoch = epoch
        self.position = position
    }

    /// The bytes, in the order in which they lie in memory.
    var words: (UInt32, UInt32, UInt32) {
        (
            epoch.bigEndian,
            UInt32(truncatingIfNeeded: position >> 32).bigEndian,
            UInt32(truncatingIfNeeded: position).bigEndian
        )
    }
}

/// The sixteen bytes that prove a ciphertext, as two little-endian numbers.
public struct AuthenticationTag: Hashable, Sendable {
    /// The size.
    public static let byteCount = 16

    /// The first eight bytes.
    public var first: UInt64
    /// The last eight bytes.
    public var last: UInt64

    /// Takes both halves.
    public init(first: UInt64, last: UInt64) {
        self.first = first
        self.last = last
    }

    /// Reads sixteen bytes.
    public init(_ bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count == Self.byteCount, "a tag of \(bytes.count) bytes")
        first = UInt64(littleEndian: unsafe bytes.loadUnaligned(as: UInt64.self))
        last = UInt64(
            littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
        )
    }

    /// Writes sixteen bytes.
    public func store(into bytes: UnsafeMutableRawBufferPointer) {
        precondition(bytes.count == Self.byteCount, "a tag of \(bytes.count) bytes")
        unsafe bytes.storeBytes(of: first.littleEndian, as: UInt64.self)
        unsafe bytes.storeBytes(of: last.littleEndian, toByteOffset: 8, as: UInt64.self)
    }
}

/// AES-256-GCM (NIST SP 800-38D) with one key; any number of threads may use it at once.
public protocol BlockCipher: Sendable {
    /// Encrypts a block.
    ///
    /// - Parameters:
    ///   - source: the plain bytes, up to 1 GiB.
    ///   - target: as many bytes; may be the same memory, but not overlap otherwise.
    ///   - nonce: never used before with this key: a repetition reveals both blocks.
    ///   - associatedData: what belongs to the block and is not encrypted, as its address.
    /// - Returns: the proof that ``open(_:into:nonce:associatedData:tag:)`` needs.
    func seal(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        nonce: BlockNonce,
        associatedData: UnsafeRawBufferPointer
    ) throws(AccelerationError) -> AuthenticationTag

    /// Decrypts a block from bytes that are not trusted.
    ///
    /// - Throws: ``AccelerationError/notAuthentic`` if anything differs from what was sealed; the
    ///   target is then zeros, so that nobody uses what was not proved.
    func open(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        nonce: BlockNonce,
        associatedData: UnsafeRawBufferPointer,
        tag: AuthenticationTag
    ) throws(AccelerationError)

    /// Locks the memory of the key, again in a process that forked.
    ///
    /// - Returns: why a part of it cannot be locked; nil if all of it is.
    func lockKeys() -> Errno?
}

extension BlockCipher {
    /// Encrypts in place.
    public func seal(
        _ block: UnsafeMutableRawBufferPointer,
        nonce: BlockNonce,
        associatedData: UnsafeRawBufferPointer
    ) throws(AccelerationError) -> AuthenticationTag {
        try unsafe seal(
            UnsafeRawBufferPointer(block),
            into: block,
            nonce: nonce,
            associatedData: associatedData
        )
    }

    /// Decrypts in place.
    public func open(
        _ block: UnsafeMutableRawBufferPointer,
        nonce: BlockNonce,
        associatedData: UnsafeRawBufferPointer,
        tag: AuthenticationTag
    ) throws(AccelerationError) {
        try unsafe open(
            UnsafeRawBufferPointer(block),
            into: block,
            nonce: nonce,
            associatedData: associatedData,
            tag: tag
        )
    }
}
