internal import FootingHost
public import FootingSystem

/// What a program can have of memory now, for a short while.
public struct MemoryRoom: Sendable, Equatable {
    /// What can be had without swapping, in bytes: of the machine, or of the control group that
    /// has less left.
    public let availableBytes: UInt64
    /// What is free of swap, in bytes: of the machine, or as much as the control groups allow.
    public let swapBytes: UInt64

    /// An account.
    public init(availableBytes: UInt64, swapBytes: UInt64) {
        self.availableBytes = availableBytes
        self.swapBytes = swapBytes
    }

    /// Looks.
    ///
    /// - Returns: nil where the machine does not tell.
    public static func look(_ root: HostRoot) -> MemoryRoom? {
        var buffer: [UInt8] = []
        guard let file = try? SampledFile("proc/meminfo", root),
            let text = try? file.read(into: &buffer), let machine = MemoryInfo(text)
        else { return nil }
        var swap = CounterText.kibibytes("SwapFree", in: text) ?? 0
        var available = machine.availableBytes
        if let groups = MemoryGroups.find(root).value {
            var limits = GroupLimits(groups, root)
            limits.refresh(&buffer)
            let total = machine.totalBytes
            let room = limits.headroom(machineBytes: total, isExact: true, &buffer)
            available = min(available, room?.availableBytes ?? .max)
            let allowed = limits.swapBytes(
                machineBytes: total,
                availableBytes: available,
                root,
                &buffer
            )
            swap = min(swap, allowed ?? .max)
        }
        return MemoryRoom(availableBytes: available, swapBytes: swap)
    }
}
