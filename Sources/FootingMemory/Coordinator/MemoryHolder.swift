/// What keeps memory that it can do without: the disk engine, with its caches and its buffers.
///
/// Calls come from one thread at a time. What is beyond a smaller budget is given back before the
/// call returns, but for what is on its way to a device: that may take longer.
public protocol MemoryHolder: Sendable {
    /// What it uses and may use now.
    var memoryUse: MemoryUse { get }

    /// Sets what it may use from now on, and gives back to the kernel what is more.
    ///
    /// - Parameter bytes: less than ``MemoryUse/floorBytes`` counts as that.
    func setMemoryBudget(_ bytes: UInt64)
}

/// How much memory a holder uses, in bytes.
public struct MemoryUse: Sendable, Equatable {
    /// What it may use.
    public var budgetBytes: UInt64
    /// What it has from the kernel now.
    public var usedBytes: UInt64
    /// What it cannot work without.
    public var floorBytes: UInt64

    /// An account.
    public init(budgetBytes: UInt64, usedBytes: UInt64, floorBytes: UInt64) {
        self.budgetBytes = budgetBytes
        self.usedBytes = usedBytes
        self.floorBytes = floorBytes
    }
}
