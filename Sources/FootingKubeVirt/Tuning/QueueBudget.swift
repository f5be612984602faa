/// How many queues the disks of a virtual machine get.
///
/// Each queue takes memory of guest and host, an interrupt vector and two event descriptors, and
/// one for each processor on each disk multiplies: 64 processors and 20 disks would have 1,280.
public struct QueueBudget: Sendable, Hashable {
    /// Queues of one disk: more serve no disk here any faster than the processors that fill them.
    public static let perDiskMaximum = 16
    /// Queues of all disks and network interfaces of one virtual machine.
    public static let perMachineMaximum = 128
    /// Memory of the guest for each queue, in bytes: a small guest gets few.
    public static let bytesPerQueue: UInt64 = 64 << 20

    /// The queues that each disk gets, at least one.
    public let perDisk: Int
    /// What the number follows from, in words.
    public let explanation: String

    /// Divides.
    ///
    /// - Parameters:
    ///   - request: what the annotation says.
    ///   - processors: virtual processors.
    ///   - disks: virtio-blk disks that are tuned.
    ///   - others: queues that are there already, of other disks and of network interfaces.
    ///   - memoryBytes: the guest's memory; nil where that is not known.
    public init(
        request: TuningRequest.Amount,
        processors: Int,
        disks: Int,
        others: Int,
        memoryBytes: UInt64?
    ) {
        precondition(disks > 0, "no disk to give queues to")
        let left = max(Self.perMachineMaximum - others, 0) / disks
        let affordable = memoryBytes.map { Int(clamping: $0 / Self.bytesPerQueue) / disks }
        let wanted: (Int, String) =
            switch request {
            case .automatic: (processors, "one for each of \(processors) processors")
            case .exactly(let count): (min(count, processors), "as asked for")
            }
        var limits: [(Int, String)] = [
            wanted,
            (Self.perDiskMaximum, "at most \(Self.perDiskMaximum) for a disk"),
            (
                left,
                "at most \(Self.perMachineMaximum) for all devices, \(others) of them taken"
            ),
        ]
        if case .exactly(let count) = request, count > processors {
            limits[0].1 = "as asked for, but no more than \(processors) processors"
        }
        if let affordable {
            limits.append((affordable, "one for each 64 MiB of memory"))
        }
        let least = limits.min { $0.0 < $1.0 } ?? wanted
        perDisk = max(least.0, 1)
        explanation = least.1
    }
}
