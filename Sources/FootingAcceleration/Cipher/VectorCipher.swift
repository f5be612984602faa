internal import FootingSystem
internal import Synchronization

/// AES-256-GCM by Intel's library, with the statistics of its calls.
///
/// A call has nothing to take and give back, as the key is read only: a lock would cost a tenth of
/// the half microsecond that 4 KiB take. So the statistics are counters of their own.
final class VectorCipher: BlockCipher {
    /// What one direction has done.
    private struct Direction: ~Copyable {
        /// Calls that have begun with a disk's whole block: nearly all.
        ///
        /// One number for the call and its bytes, as each takes a fiftieth of the call.
        let blockCount = Atomic<UInt64>(0)
        /// The others.
        let otherCount = Atomic<UInt64>(0)
        let otherBytes = Atomic<UInt64>(0)
        let failures = Atomic<UInt64>(0)
        /// Bytes of calls that gave none.
        let refusedBytes = Atomic<UInt64>(0)
        let timedNanoseconds = Atomic<UInt64>(0)
        let timedBytes = Atomic<UInt64>(0)

        var statistics: OperationStatistics {
            var sum = OperationStatistics()
            // Before what they are a part of.
            sum.failureCount = failures.load(ordering: .acquiring)
            let refused = refusedBytes.load(ordering: .acquiring)
            let blocks = blockCount.load(ordering: .relaxed)
            sum.count = blocks &+ otherCount.load(ordering: .relaxed)
            sum.inputBytes = blocks &* 4096 &+ otherBytes.load(ordering: .relaxed)
            sum.outputBytes = sum.inputBytes - refused
            sum.timedNanoseconds = timedNanoseconds.load(ordering: .relaxed)
            sum.timedBytes = timedBytes.load(ordering: .relaxed)
            return sum
        }
    }

    private final class Counters: CipherCounters {
        let sealing = Direction()
        let opening = Direction()

        var statistics: AcceleratorStatistics {
            var sum = AcceleratorStatistics()
            sum[.seal] = sealing.statistics
            sum[.open] = opening.statistics
            return sum
        }
    }

    /// One call in so many is timed.
    private static let timingInterval: UInt64 = 16

    private let key: VectorKey
    private let counters = Counters()
    private let clock: any TimeSource
    private let owner: CipherStatistics

    init(
        key: borrowing SecretBytes,
        _ library: VectorLibrary,
        clock: any TimeSource,
        statistics owner: CipherStatistics
    ) throws(AccelerationError) {
        self.key = try VectorKey(key, library)
        self.clock = clock
        self.owner = owner
        owner.add(counters)
    }

    deinit { owner.remove(counters) }

    func lockKeys() -> Errno? { key.lock() }

    func seal(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        nonce: BlockNonce,
        associatedData: UnsafeRawBufferPointer
    ) throws(AccelerationError) -> AuthenticationTag {
        unsafe BlockLimits.check(source, target, associatedData)
        let start = begin(counters.sealing, source.count)
        let tag = unsafe key.seal(source, into: target, nonce, associatedData)
        end(counters.sealing, source.count, start)
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
        let start = begin(counters.opening, source.count)
        let isAuthentic = unsafe key.open(source, into: target, nonce, associatedData, tag)
        end(counters.opening, source.count, start)
        if isAuthentic { return }
        counters.opening.failures.wrappingAdd(1, ordering: .releasing)
        counters.opening.refusedBytes.wrappingAdd(UInt64(source.count), ordering: .releasing)
        throw .notAuthentic
    }

    /// Counts a call; when it began, if it is among those that are timed.
    private func begin(_ direction: borrowing Direction, _ bytes: Int) -> UInt64? {
        let count: UInt64
        if bytes == 4096 {
            count = direction.blockCount.wrappingAdd(1, ordering: .relaxed).newValue
        } else {
            direction.otherBytes.wrappingAdd(UInt64(bytes), ordering: .relaxed)
            count = direction.otherCount.wrappingAdd(1, ordering: .relaxed).newValue
        }
        return count % Self.timingInterval == 0 ? clock.nanoseconds : nil
    }

    private func end(_ direction: borrowing Direction, _ bytes: Int, _ start: UInt64?) {
        guard let start else { return }
        direction.timedNanoseconds.wrappingAdd(clock.nanoseconds - start, ordering: .relaxed)
        direction.timedBytes.wrappingAdd(UInt64(bytes), ordering: .relaxed)
    }
}
