internal import FootingSystem

/// AES-256-GCM by libcrypto, which uses the processor's own instructions.
final class SoftwareCipher: BlockCipher {
    /// The key, as long as contexts may be made of it.
    private final class Key: Sendable {
        let bytes: SecretBytes
        init(_ bytes: consuming SecretBytes) { self.bytes = bytes }
    }

    /// Contexts for both directions, which count what is done with them.
    private final class Pools: CipherCounters {
        let sealing: ContextPool<CipherContext>
        let opening: ContextPool<CipherContext>

        init(_ key: Key, _ library: CryptoLibrary, _ clock: any TimeSource) {
            sealing = ContextPool(clock: clock) { () throws(AccelerationError) in
                try CipherContext(.seal, key: key.bytes, library)
            }
            opening = ContextPool(clock: clock) { () throws(AccelerationError) in
                try CipherContext(.open, key: key.bytes, library)
            }
        }

        var statistics: AcceleratorStatistics {
            var sum = sealing.statistics
            sum.add(opening.statistics)
            return sum
        }
    }

    private let key: Key
    private let pools: Pools
    private let owner: CipherStatistics

    init(
        key: borrowing SecretBytes,
        clock: any TimeSource,
        statistics owner: CipherStatistics
    ) throws(AccelerationError) {
        let library = try CryptoLibrary.shared()
        do throws(Errno) {
            self.key = Key(try key.copy())
        } catch {
            throw .unavailable("no memory for a key: \(error)")
        }
        pools = Pools(self.key, library, clock)
        self.owner = owner
        owner.add(pools)
    }

    deinit { owner.remove(pools) }

    func lockKeys() -> Errno? { key.bytes.lock() }

    func seal(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        nonce: BlockNonce,
        associatedData: UnsafeRawBufferPointer
    ) throws(AccelerationError) -> AuthenticationTag {
        unsafe BlockLimits.check(source, target, associatedData)
        var tag = AuthenticationTag(first: 0, last: 0)
        _ = try pools.sealing.run(.seal, inputBytes: source.count, plainBytes: source.count) {
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
        unsafe BlockLimits.check(source, target, associatedData)
        _ = try pools.opening.run(.open, inputBytes: source.count, plainBytes: source.count) {
            (context) throws(AccelerationError) in
            try unsafe context.open(source, into: target, nonce, associatedData, tag)
            return source.count
        }
    }
}

/// What one cipher has done.
protocol CipherCounters: AnyObject, Sendable {
    var statistics: AcceleratorStatistics { get }
}

/// What the ciphers of an accelerator have done, those that are gone included.
///
/// It keeps their counters, not them: a weak reference to a cipher would make each call's counting
/// of references a slow one.
final class CipherStatistics: Sendable {
    private struct State {
        var gone = AcceleratorStatistics()
        var members: [ObjectIdentifier: any CipherCounters] = [:]
    }

    private let state = Locked(State())

    func add(_ counters: any CipherCounters) {
        state.withLock { $0.members[ObjectIdentifier(counters)] = counters }
    }

    /// Keeps the sum of a cipher that goes.
    func remove(_ counters: any CipherCounters) {
        let last = counters.statistics
        state.withLock { state in
            state.members[ObjectIdentifier(counters)] = nil
            state.gone.add(last)
        }
    }

    var sum: AcceleratorStatistics {
        state.withLock { state in
            state.members.values.reduce(into: state.gone) { $0.add($1.statistics) }
        }
    }
}
