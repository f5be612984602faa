public import FootingSystem

/// The ways to open an encrypted disk: up to eight slots in one block of 4 KiB.
///
/// ```
/// offset size
///      0    8  "FOOTKEYS"
///      8    4  version: 1
///     12    4  zero
///     16   16  identifier of the volume
///     32    8  generation: one more with each change; less than 2^62
///     40   24  zero
///     64 2048  eight slots (KeySlot)
///   2112 1948  zero
///   4060   32  HMAC-SHA-256 of all before it, by a key that the volume's key gives
///   4092    4  CRC-32C of all before it
/// ```
///
/// The sum finds damage without a key; the HMAC finds what somebody without the key has changed.
/// Nothing finds an older block put back whole: who removes a slot because its passphrase is known
/// to others must also see to it that no copy of the disk is left.
public struct KeySlots: Hashable, Sendable {
    /// The size of the block.
    public static let byteCount = 4096
    /// How many slots there are.
    public static let slotCount = 8
    /// No disk is changed so often, and one more is a number all the same.
    static let generationMaximum: UInt64 = 1 << 62

    static let magic = Array("FOOTKEYS".utf8)
    static let version: UInt32 = 1
    private static let slotsOffset = 64
    static let sealOffset = 4060
    static let sumOffset = 4092

    /// The volume they belong to.
    public let volume: Identifier
    /// How often they were changed: of two copies the higher one counts.
    public private(set) var generation: UInt64
    /// The slots; nil for one that is free.
    public private(set) var slots: [KeySlot?]
    /// The HMAC.
    private var seal: [UInt8]

    /// No slots yet: nothing can open the volume before the first is added.
    public init(volume: Identifier) {
        self.volume = volume
        generation = 0
        slots = Array(repeating: nil, count: Self.slotCount)
        seal = Array(repeating: 0, count: KeyDerivation.keyCount)
    }

    /// Reads a block that anybody may have written.
    ///
    /// - Throws: ``KeyError/notKeySlots``, ``KeyError/damaged(_:)`` or
    ///   ``KeyError/unsupportedVersion(_:)``.
    public init(parsing bytes: [UInt8]) throws(KeyError) {
        guard bytes.count == Self.byteCount, bytes.starts(with: Self.magic) else {
            throw .notKeySlots
        }
        guard bytes.get(UInt32.self, at: Self.sumOffset) == Self.sum(bytes) else {
            throw .damaged("the checksum differs")
        }
        let version = bytes.get(UInt32.self, at: 8)
        guard version == Self.version else { throw .unsupportedVersion(version) }
        volume = Identifier(
            high: bytes.get(UInt64.self, at: 16).byteSwapped,
            low: bytes.get(UInt64.self, at: 24).byteSwapped
        )
        generation = bytes.get(UInt64.self, at: 32)
        guard generation < Self.generationMaximum else {
            throw .damaged("they were changed \(generation) times")
        }
        slots = []
        for index in 0..<Self.slotCount {
            let start = Self.slotsOffset + index * KeySlot.byteCount
            slots.append(
                try KeySlot(parsing: bytes[start..<start + KeySlot.byteCount], index: index)
            )
        }
        seal = Array(bytes[Self.sealOffset..<Self.sumOffset])
        guard self.bytes == bytes else { throw .damaged("bytes that mean nothing") }
    }

    private static func sum(_ bytes: [UInt8]) -> UInt32 {
        unsafe bytes.withUnsafeBytes {
            unsafe Checksum.crc32c(UnsafeRawBufferPointer(rebasing: $0[..<sumOffset]))
        }
    }

    /// What is before the HMAC.
    private var sealedBytes: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.sealOffset)
        bytes.replaceSubrange(0..<8, with: Self.magic)
        bytes.put(Self.version, at: 8)
        bytes.replaceSubrange(16..<32, with: volume.bytes)
        bytes.put(generation, at: 32)
        for (index, slot) in slots.enumerated() {
            guard let slot else { continue }
            let start = Self.slotsOffset + index * KeySlot.byteCount
            bytes.replaceSubrange(start..<start + KeySlot.byteCount, with: slot.bytes())
        }
        return bytes
    }

    /// The block; it holds no secret that is not wrapped.
    public var bytes: [UInt8] {
        var bytes = sealedBytes + seal + [0, 0, 0, 0]
        bytes.put(Self.sum(bytes), at: Self.sumOffset)
        return bytes
    }
}

// MARK: - Opening

/// An opened volume.
public struct UnlockedVolume: ~Copyable, Sendable {
    /// The slot that opened it.
    public let slot: Int
    /// Its key.
    public let key: VolumeKey

    /// The key alone.
    public consuming func takeKey() -> VolumeKey { key }
}

extension KeySlots {
    /// Finds the slot that a passphrase or key file opens, trying each of its kind once.
    ///
    /// - Parameter limit: slots that ask for more are not tried.
    /// - Throws: ``KeyError/wrongKey``, ``KeyError/tooCostly(memoryBytes:limitBytes:)``,
    ///   ``KeyError/tampered`` or ``KeyError/unavailable(_:)``.
    public func unlock(
        _ credential: borrowing Credential,
        limit: ScryptLimit = ScryptLimit()
    ) throws(KeyError) -> UnlockedVolume {
        var refusal = KeyError.wrongKey
        for (index, slot) in slots.enumerated() {
            guard let slot, slot.kind == credential.kind else { continue }
            if slot.kind == .passphrase, !limit.allows(slot.cost) {
                refusal = .graver(
                    refusal,
                    .tooCostly(
                        memoryBytes: slot.cost.memoryBytes ?? .max,
                        limitBytes: limit.memoryBytes
                    )
                )
                continue
            }
            do throws(KeyError) {
                let key = try unwrap(slot, credential)
                guard try isSealed(by: key) else { throw .tampered }
                return UnlockedVolume(slot: index, key: key)
            } catch .wrongKey {
                continue
            } catch .unavailable(let reason) {
                // One that asks for more memory than there is must not hide those that need less.
                refusal = .graver(refusal, .unavailable(reason))
            }
        }
        throw refusal
    }

    /// Whether somebody with the volume's key wrote them.
    ///
    /// - Throws: ``KeyError/unavailable(_:)``: then nobody can tell.
    public func isSealed(by key: borrowing VolumeKey) throws(KeyError) -> Bool {
        try makeSeal(key) == seal
    }

    private func unwrap(
        _ slot: KeySlot,
        _ credential: borrowing Credential
    ) throws(KeyError) -> VolumeKey {
        let wrappingKey = try credential.wrappingKey(salt: slot.salt, cost: slot.cost)
        let associated = volume.bytes + slot.bytes(isOpen: true)
        let library = try KeyDerivation.cryptoLibrary()
        do throws(AccelerationError) {
            let context = try CipherContext(.open, key: wrappingKey, library)
            return unsafe VolumeKey(
                try Self.opened(slot.wrapped) { source, target throws(AccelerationError) in
                    try unsafe associated.shown { beside throws(AccelerationError) in
                        try unsafe context.open(source, into: target, slot.nonce, beside, slot.tag)
                    }
                }
            )
        } catch .notAuthentic {
            throw .wrongKey
        } catch {
            throw KeyDerivation.unavailable(error)
        }
    }

    /// Locked memory for what the body decrypts.
    private static func opened(
        _ wrapped: [UInt8],
        _ body: (UnsafeRawBufferPointer, UnsafeMutableRawBufferPointer) throws(AccelerationError) ->
            Void
    ) throws(AccelerationError) -> SecretBytes {
        var result: SecretBytes
        do throws(Errno) {
            result = try SecretBytes(count: wrapped.count)
        } catch {
            throw .unavailable("no memory for a key: \(error)")
        }
        try unsafe wrapped.shown { source throws(AccelerationError) in
            try unsafe result.withMutableBytes { target throws(AccelerationError) in
                try unsafe body(source, target)
            }
        }
        return result
    }

    private func makeSeal(_ key: borrowing VolumeKey) throws(KeyError) -> [UInt8] {
        let sealingKey = try key.derived(for: "key slots", volume: volume)
        return try KeyDerivation.authenticate(sealedBytes, key: sealingKey)
    }
}

// MARK: - Changing

extension KeySlots {
    /// Adds a way to open the volume.
    ///
    /// - Parameters:
    ///   - credential: what will open it.
    ///   - key: the volume's, as ``unlock(_:limit:)`` gave it.
    ///   - label: what people call it; cut at 64 bytes.
    ///   - cost: what a guess of a passphrase costs.
    ///   - nowSeconds: the time, in seconds since 1970.
    ///   - generator: a cryptographic one.
    /// - Returns: the slot's index.
    @discardableResult
    public mutating func add(
        _ credential: borrowing Credential,
        key: borrowing VolumeKey,
        label: String = "",
        cost: ScryptCost = .standard,
        nowSeconds: UInt64,
        using generator: inout some RandomNumberGenerator
    ) throws(KeyError) -> Int {
        guard let index = slots.firstIndex(of: nil) else { throw .noFreeSlot }
        let slot = try wrap(credential, key, label, cost, nowSeconds, &generator)
        try change(key) { $0[index] = slot }
        return index
    }

    /// Removes a way to open the volume.
    ///
    /// - Throws: ``KeyError/noSuchSlot(_:)``, or ``KeyError/lastSlot`` for the only one.
    public mutating func remove(_ index: Int, key: borrowing VolumeKey) throws(KeyError) {
        try check(index)
        guard slots.count(where: { $0 != nil }) > 1 else { throw .lastSlot }
        try change(key) { $0[index] = nil }
    }

    /// Puts another passphrase or key file in the place of one, in one change.
    public mutating func replace(
        _ index: Int,
        with credential: borrowing Credential,
        key: borrowing VolumeKey,
        label: String? = nil,
        cost: ScryptCost = .standard,
        nowSeconds: UInt64,
        using generator: inout some RandomNumberGenerator
    ) throws(KeyError) {
        try check(index)
        let name = label ?? slots[index]?.label ?? ""
        let slot = try wrap(credential, key, name, cost, nowSeconds, &generator)
        try change(key) { $0[index] = slot }
    }

    private func check(_ index: Int) throws(KeyError) {
        guard slots.indices.contains(index), slots[index] != nil else {
            throw .noSuchSlot(index)
        }
    }

    /// Changes the slots, and seals them anew; after an error nothing is changed.
    private mutating func change(
        _ key: borrowing VolumeKey,
        _ body: (inout [KeySlot?]) -> Void
    ) throws(KeyError) {
        var changed = self
        body(&changed.slots)
        guard generation + 1 < Self.generationMaximum else {
            throw .unusable("the key slots were changed too often")
        }
        changed.generation += 1
        changed.seal = try changed.makeSeal(key)
        self = changed
    }

    private func wrap(
        _ credential: borrowing Credential,
        _ key: borrowing VolumeKey,
        _ label: String,
        _ cost: ScryptCost,
        _ nowSeconds: UInt64,
        _ generator: inout some RandomNumberGenerator
    ) throws(KeyError) -> KeySlot {
        precondition(ScryptLimit().allows(cost), "a cost that no limit allows")
        var slot = KeySlot(
            kind: credential.kind,
            cost: credential.kind == .passphrase ? cost : KeySlot.noCost,
            createdSeconds: nowSeconds,
            label: Self.cut(label),
            salt: (0..<KeySlot.saltCount).map { _ in
                UInt8(truncatingIfNeeded: generator.next())
            }
        )
        slot.nonce = BlockNonce(
            epoch: UInt32(truncatingIfNeeded: generator.next()),
            position: generator.next()
        )
        let wrappingKey = try credential.wrappingKey(salt: slot.salt, cost: slot.cost)
        let associated = volume.bytes + slot.bytes(isOpen: true)
        let library = try KeyDerivation.cryptoLibrary()
        var wrapped = slot.wrapped
        do throws(AccelerationError) {
            let context = try CipherContext(.seal, key: wrappingKey, library)
            let result: Result<AuthenticationTag, AccelerationError> =
                unsafe wrapped.withUnsafeMutableBytes { target in
                    unsafe associated.withUnsafeBytes { beside in
                        unsafe key.secret.withBytes { plain in
                            do throws(AccelerationError) {
                                return .success(
                                    try unsafe context.seal(plain, into: target, slot.nonce, beside)
                                )
                            } catch {
                                return .failure(error)
                            }
                        }
                    }
                }
            slot.tag = try result.get()
        } catch {
            throw KeyDerivation.unavailable(error)
        }
        slot.wrapped = wrapped
        return slot
    }

    /// As much of a text as fits, without half a character.
    private static func cut(_ label: String) -> String {
        var label = label
        while label.utf8.count > KeySlot.labelCountMaximum { label.removeLast() }
        return label
    }
}
