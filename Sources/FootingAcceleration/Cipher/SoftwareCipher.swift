internal import FootingSystem

/// AES-256-GCM by libcrypto, which uses the processor's own instructions.
final class SoftwareCipher: BlockCipher {
    /// The key, as long as contexts may be made of it.
    private final class Key: Sendable {
        let bytes: SecretBytes
        init(_ bytes: consuming SecretBytes) { self.bytes = bytes }
    }

    private let key: Key
    private let sealing: ContextPool<CipherContext>
    private let opening: ContextPool<CipherContext>
    private let owner: CipherStatistics

    init(
        key: borrowing SecretBytes,
        clock: any TimeSource,
        statistics owner: CipherStatistics
    ) throws(AccelerationError) {
        let library = try CryptoLibrary.shared()
        let held: Key
        do throws(Errno) {
            held = Key(try key.copy())
        } catch {
            throw .unavailable("no memory for a key: \(error)")
        }
        self.key = held
        sealing = ContextPool(clock: clock) { () throws(AccelerationError) in
            try CipherContext(.seal, key: held.bytes, library)
        }
        opening = ContextPool(clock: clock) { () throws(AccelerationError) in
            try CipherContext(.open, key: held.bytes, library)
        }
        self.owner = owner
        owner.add(self)
    }

    deinit { owner.remove(self, statistics) }

    func lockKeys() -> Errno? { key.bytes.lock() }

    var statistics: AcceleratorStatistics {
        var sum = sealing.statistics
        sum.add(opening.statistics)
        return sum
    }

    func seal(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        nonce: BlockNonce,
        associatedData: UnsafeRawBufferPointer
    ) throws(AccelerationError) -> AuthenticationTag {
        unsafe Self.check(source, target, associatedData)
        var tag = AuthenticationTag(first: 0, last: 0)
        _ = try sealing.run(.seal, inputBytes: source.count, plainBytes: source.count) {
            (context) throws(AccelerationError) in
            tag = try unsafe context.seal(source, into: target, nonce, associatedData)
            return source.count
        }
        return tag
    }

    func open(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        nonce: BlockNonce,
        associatedData: UnsafeRawBufferPointer,
        tag: AuthenticationTag
    ) throws(AccelerationError) {
        unsafe Self.check(source, target, associatedData)
        _ = try opening.run(.open, inputBytes: source.count, plainBytes: source.count) {
            (context) throws(AccelerationError) in
            try unsafe context.open(source, into: target, nonce, associatedData, tag)
            return source.count
        }
    }

    private static func check(
        _ source: UnsafeRawBufferPointer,
        _ target: UnsafeMutableRawBufferPointer,
        _ associatedData: UnsafeRawBufferPointer
    ) {
        precondition(source.count <= BlockLimits.bytesMaximum, "no block: \(source.count) bytes")
        precondition(target.count == source.count, "a cipher keeps the size")
        precondition(associatedData.count <= BlockLimits.bytesMaximum, "too much beside the block")
    }
}

/// What the ciphers of an accelerator have done, those that are gone included.
final class CipherStatistics: Sendable {
    private struct Member {
        weak var cipher: SoftwareCipher?
    }

    private struct State {
        var gone = AcceleratorStatistics()
        var members: [ObjectIdentifier: Member] = [:]
    }

    private let state = Locked(State())

    func add(_ cipher: SoftwareCipher) {
        state.withLock { $0.members[ObjectIdentifier(cipher)] = Member(cipher: cipher) }
    }

    func remove(_ cipher: SoftwareCipher, _ statistics: AcceleratorStatistics) {
        state.withLock { state in
            state.members[ObjectIdentifier(cipher)] = nil
            state.gone.add(statistics)
        }
    }

    var sum: AcceleratorStatistics {
        // Taken out of the lock: the last reference to a cipher may be among them.
        let (gone, ciphers) = state.withLock { state in
            (state.gone, state.members.values.compactMap(\.cipher))
        }
        return ciphers.reduce(into: gone) { $0.add($1.statistics) }
    }
}
