/// What the controller wants, and why.
public struct Decision: Sendable, Equatable {
    /// What made it.
    public enum Cause: String, Sendable {
        /// Nothing calls for a change.
        case steady
        /// The balloon grows, or is to grow.
        case balloon
        /// The machine has too little left.
        case machineShort = "machine-short"
        /// The control group has too little left.
        case groupShort = "group-short"
        /// The kernel or the service manager told of pressure.
        case pressure
        /// More was allowed than is there to be had; nothing was released.
        case promise
        /// It has been quiet, and there is room again.
        case recovery
    }

    /// What may be used from now on, in bytes.
    public var budgetBytes: UInt64
    /// What might be used before, in bytes.
    public var previousBudgetBytes: UInt64
    /// What made it.
    public var cause: Cause
    /// The same for people, with the numbers.
    public var reason: String

    /// Whether there is anything to do.
    public var isChange: Bool { budgetBytes != previousBudgetBytes }
}

/// A size for a reason: in MiB, or in KiB where it is small.
func sizeText(_ bytes: UInt64) -> String {
    bytes >= 10 << 20 ? "\(bytes >> 20) MiB" : "\(bytes >> 10) KiB"
}
