internal import FootingHost
internal import FootingSystem

/// The way to a virtio balloon's target, which is looked for again where it was lost.
///
/// A driver that is bound anew may use interrupts otherwise, which moves the device's ports, and a
/// device that was plugged in again has other ways. What never was is not looked for: each attempt
/// of one who may not would be a line in the kernel's log.
struct VirtioTargetSearch: Sendable {
    /// A way that is lost is looked for again so long after it was, in nanoseconds.
    private static let retryNanoseconds: UInt64 = 60_000_000_000

    private let find: @Sendable () -> Fact<VirtioBalloonTarget>
    private var target: Fact<VirtioBalloonTarget>
    /// Since when the way tells nothing, or when another one was looked for in vain.
    private var lostNanoseconds: UInt64?

    /// Looks for a way.
    ///
    /// - Parameter find: how.
    init(_ find: @escaping @Sendable () -> Fact<VirtioBalloonTarget>) {
        self.find = find
        target = find()
    }

    /// Where the target is read, or why it is not.
    var source: Fact<String> { target.map(\.source) }

    /// The target, in bytes.
    mutating func read(at nanoseconds: UInt64) -> Fact<UInt64> {
        guard let way = target.value else { return .absent(target.absence ?? "") }
        let told = way.read()
        if told.value != nil {
            lostNanoseconds = nil
            return told
        }
        let since = lostNanoseconds ?? nanoseconds
        lostNanoseconds = since
        guard nanoseconds.less(since) >= Self.retryNanoseconds else { return told }
        lostNanoseconds = nanoseconds
        let other = find()
        guard let way = other.value else { return told }
        target = other
        let again = way.read()
        if again.value != nil { lostNanoseconds = nil }
        return again
    }
}
