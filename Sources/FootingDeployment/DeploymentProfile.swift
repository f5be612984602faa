public import FootingHost

/// Named values for the disk engine, chosen from the context, each with its reason.
public struct DeploymentProfile: Sendable {
    /// One value and why it is what it is.
    public struct Value: Sendable {
        /// Its name, unit last.
        public let name: String
        /// The value in the unit that the name ends with; a count where it names none.
        public let number: UInt64
        /// Why.
        public let reason: String
    }

    /// The profile's name: that of the context's kind.
    public let name: String
    /// A commit that takes longer waits for company, up to a sixth of that time; in microseconds.
    public let gatherThresholdMicroseconds: Value
    /// Acknowledged but unflushed data, at most, in bytes.
    public let unflushedBytesMaximum: Value
    /// The age of acknowledged but unflushed data, at most, in milliseconds.
    public let unflushedMillisecondsMaximum: Value
    /// What a disk may use of memory for its caches and everything else it keeps, in bytes.
    public let memoryBudgetBytes: Value
    /// Threads that wait for reads.
    public let readWorkers: Value
    /// Log between two checkpoints, in bytes; a recovery replays at most twice that.
    public let checkpointLogBytes: Value

    /// Every value, in the order above.
    public var values: [Value] {
        [
            gatherThresholdMicroseconds, unflushedBytesMaximum, unflushedMillisecondsMaximum,
            memoryBudgetBytes, readWorkers, checkpointLogBytes,
        ]
    }

    /// The same values under another name.
    public func renamed(_ name: String) -> DeploymentProfile {
        DeploymentProfile(
            name: name,
            gatherThresholdMicroseconds: gatherThresholdMicroseconds,
            unflushedBytesMaximum: unflushedBytesMaximum,
            unflushedMillisecondsMaximum: unflushedMillisecondsMaximum,
            memoryBudgetBytes: memoryBudgetBytes,
            readWorkers: readWorkers,
            checkpointLogBytes: checkpointLogBytes
        )
    }

    /// The same with another number for one value, and the reason for it.
    ///
    /// - Parameter name: one of the names in ``values``.
    public func replacing(_ name: String, by number: UInt64, reason: String) -> DeploymentProfile {
        precondition(values.contains { $0.name == name }, "no value \(name)")
        func value(_ value: Value) -> Value {
            value.name == name ? Value(name: name, number: number, reason: reason) : value
        }
        return DeploymentProfile(
            name: self.name,
            gatherThresholdMicroseconds: value(gatherThresholdMicroseconds),
            unflushedBytesMaximum: value(unflushedBytesMaximum),
            unflushedMillisecondsMaximum: value(unflushedMillisecondsMaximum),
            memoryBudgetBytes: value(memoryBudgetBytes),
            readWorkers: value(readWorkers),
            checkpointLogBytes: value(checkpointLogBytes)
        )
    }

    /// A line for each value: name, value, and the reason as a comment.
    public func text() -> String {
        values.reduce(into: "# profile \(name)\n") { text, value in
            text += "\(value.name) = \(value.number)  # \(value.reason)\n"
        }
    }

    /// What sets one kind of place apart: one line for each.
    private struct Base {
        let gather: (microseconds: UInt64, reason: String)
        let unflushedBytes: UInt64
        let logBytes: UInt64

        init(gather: (UInt64, String), _ unflushedBytes: UInt64, log logBytes: UInt64) {
            self.gather = gather
            self.unflushedBytes = unflushedBytes
            self.logBytes = logBytes
        }
    }

    private static func base(_ kind: DeploymentContext.Kind) -> Base {
        switch kind {
        case .hyperscaleCloud:
            Base(gather: (500, "a network disk flushes in about 1 ms"), 16 << 20, log: 128 << 20)
        case .bareMetalNVMe:
            Base(gather: (200, "local flash flushes sooner than that"), 16 << 20, log: 256 << 20)
        case .edge:
            Base(
                gather: (200, "each write wears the flash: fewer, larger ones"),
                4 << 20,
                log: 32 << 20
            )
        case .hypervisor:
            Base(gather: (200, "a paravirtual flush takes 0.1 to 1 ms"), 16 << 20, log: 128 << 20)
        case .hostedVM:
            Base(
                gather: (500, "an emulated disk flushes through its host's"),
                16 << 20,
                log: 128 << 20
            )
        case .bareMetal:
            Base(gather: (200, "waiting pays only for slow flushes"), 16 << 20, log: 128 << 20)
        }
    }

    /// Chooses the values for a context.
    public static func choose(
        context: DeploymentContext,
        report: HostReport
    ) -> DeploymentProfile {
        let base = base(context.kind)
        let isEdge = context.kind == .edge
        return DeploymentProfile(
            name: context.kind.rawValue,
            gatherThresholdMicroseconds: Value(
                name: "gatherThresholdMicroseconds",
                number: base.gather.microseconds,
                reason: base.gather.reason
            ),
            unflushedBytesMaximum: Value(
                name: "unflushedBytesMaximum",
                number: base.unflushedBytes,
                reason: isEdge
                    ? "little memory, and a slow flash card takes this in a second"
                    : "what a disk of 100 MB/s writes in a sixth of a second"
            ),
            unflushedMillisecondsMaximum: Value(
                name: "unflushedMillisecondsMaximum",
                number: 1000,
                reason: "what may be lost without a flush stays under a second's work"
            ),
            memoryBudgetBytes: memoryBudget(context.kind, report),
            readWorkers: Ground(report).readWorkers(context.kind),
            checkpointLogBytes: Value(
                name: "checkpointLogBytes",
                number: base.logBytes,
                reason: isEdge
                    ? "a flash card reads twice this in under two seconds: recovery stays short"
                    : "twice this is replayed after a crash, well under a second on most disks"
            )
        )
    }

    /// A part of what is free now, less where other programs are the machine's purpose.
    private static func memoryBudget(
        _ kind: DeploymentContext.Kind,
        _ report: HostReport
    ) -> Value {
        let name = "memoryBudgetBytes"
        let least: UInt64 = 32 << 20
        let isEdge = kind == .edge
        let part: UInt64 = isEdge ? 8 : 4
        let partName = isEdge ? "an eighth" : "a quarter"
        let available = report.memory.availableBytes.value
        let usable = report.memory.usableBytes
        guard let bytes = smallest(available, usable) else {
            let why = report.memory.totalBytes.absence ?? "memory is unknown"
            return Value(name: name, number: least, reason: "the least: \(why)")
        }
        let number = bytes / part & ~((2 << 20) - 1)
        let what =
            bytes == available
            ? "MemAvailable"
            : usable == report.memory.totalBytes.value ? "MemTotal" : "the control group's limit"
        guard number >= least else {
            return Value(
                name: name,
                number: least,
                reason: "the least: \(partName) of \(what) (\(bytes) bytes) is not enough"
            )
        }
        let reason =
            isEdge ? ": other programs need the rest" : ": clients keep caches of their own"
        return Value(
            name: name,
            number: number,
            reason: "\(partName) of \(what) (\(bytes) bytes)\(reason)"
        )
    }

    private static func smallest(_ first: UInt64?, _ second: UInt64?) -> UInt64? {
        guard let first, let second else { return first ?? second }
        return min(first, second)
    }
}

/// What the disk under the path, or the machine where none was named, is like.
private struct Ground {
    private let disk: BlockDevice?
    private let processors: Int

    init(_ report: HostReport) {
        let name = report.path?.disks.value?.first
        disk = report.hardware.block.first { $0.name == name }
        processors = report.hardware.processor.online.value?.count ?? 1
    }

    func readWorkers(_ kind: DeploymentContext.Kind) -> DeploymentProfile.Value {
        let name = "readWorkers"
        if kind == .edge {
            return .init(name: name, number: 2, reason: "a flash card serves one read at a time")
        }
        if let disk, let queues = disk.queues.value {
            let count = min(max(queues * 8, 8), 32)
            let reason = "8 for each of the \(queues) queues of \(disk.name), 8 to 32"
            return .init(name: name, number: UInt64(count), reason: reason)
        }
        let count = min(max(processors * 4, 8), 32)
        return .init(
            name: name,
            number: UInt64(count),
            reason: "4 for each of \(processors) processors, 8 to 32; the disk's queues are unknown"
        )
    }
}
