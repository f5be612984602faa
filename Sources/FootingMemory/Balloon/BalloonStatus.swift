public import FootingHost

/// The state of a balloon.
public struct BalloonStatus: Sendable, Equatable {
    /// What is in it now, in bytes.
    public var currentBalloonBytes: UInt64
    /// What the hypervisor wants in it, in bytes; Hyper-V does not show it to the guest, and a
    /// virtio device has to be asked, which not everybody may.
    public var targetBalloonBytes: Fact<UInt64>
    /// What the guest has now, in bytes.
    public var guestMemoryBytes: UInt64
    /// Whether it moves: it did within the last 5 seconds, or it is not near its target yet and
    /// neither of them stood still for 30.
    public var isActive: Bool
    /// Where the target was read, for people; nil where it is not known.
    public var targetSource: String?

    /// A state.
    public init(
        currentBalloonBytes: UInt64,
        targetBalloonBytes: Fact<UInt64>,
        guestMemoryBytes: UInt64,
        isActive: Bool,
        targetSource: String? = nil
    ) {
        self.currentBalloonBytes = currentBalloonBytes
        self.targetBalloonBytes = targetBalloonBytes
        self.guestMemoryBytes = guestMemoryBytes
        self.isActive = isActive
        self.targetSource = targetSource
    }
}
