/// Two sources that contradict each other, and which of them was believed.
public struct Conflict: Sendable, Equatable {
    /// What they disagree about: `hypervisor`, `virtual machine`, `xenMode` or `container`.
    public let about: String
    /// What was believed.
    public let believed: Evidence
    /// What was not.
    public let rejected: Evidence
    /// Why.
    public let reason: String
}
