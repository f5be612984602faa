/// Whether a balloon is still on its way to its target, from what it did so far.
///
/// Some never quite meet it, and some give up: neither is movement.
struct BalloonAim: Sendable {
    /// A balloon that did not move for so long will not go there, in nanoseconds.
    private static let patienceNanoseconds: UInt64 = 30_000_000_000
    /// So close to the target it is there: one part in so many of the guest's memory, in bytes at
    /// least so much.
    private static let toleranceDivisor: UInt64 = 1024
    private static let toleranceMinimumBytes: UInt64 = 1 << 20

    /// Where it was, and was to go, when it last moved, and when that was.
    private var anchor: (currentBytes: UInt64, targetBytes: UInt64, nanoseconds: UInt64)?

    /// Takes a look.
    ///
    /// - Parameters:
    ///   - current: the balloon's size, in bytes.
    ///   - target: what the hypervisor wants in it, in bytes; nil where it does not tell.
    ///   - guestBytes: the guest's memory.
    ///   - nanoseconds: when.
    /// - Returns: whether the balloon is to go to its target from here.
    mutating func isOnItsWay(
        _ current: UInt64,
        to target: UInt64?,
        guestBytes: UInt64,
        at nanoseconds: UInt64
    ) -> Bool {
        guard let target else {
            anchor = nil
            return false
        }
        let tolerance = max(guestBytes / Self.toleranceDivisor, Self.toleranceMinimumBytes)
        func isFar(_ one: UInt64, _ other: UInt64) -> Bool {
            max(one, other) - min(one, other) > tolerance
        }
        if let last = anchor, !isFar(current, last.currentBytes), !isFar(target, last.targetBytes) {
            return isFar(current, target)
                && nanoseconds.less(last.nanoseconds) < Self.patienceNanoseconds
        }
        anchor = (current, target, nanoseconds)
        return isFar(current, target)
    }
}
