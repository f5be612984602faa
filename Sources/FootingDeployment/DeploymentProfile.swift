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
    /// The longest time a commit waits for company, in microseconds.
    public let commitGatherMicroseconds: Value
    /// Acknowledged but unflushed data, at most, in bytes.
    public let unflushedBytesMaximum: Value
    /// The age of acknowledged but unflushed data, at most, in milliseconds.
    public let unflushedMillisecondsMaximum: Value
    /// The block cache, in bytes.
    public let cacheBudgetBytes: Value
    /// The map's cache, in bytes.
    public let mapBudgetBytes: Value
    /// Threads that wait for reads.
    public let readWorkers: Value
    /// A segment of the log, in bytes.
    public let segmentBytes: Value
    /// What offsets and lengths of writes are multiples of, in bytes.
    public let alignmentBytes: Value

    /// Every value, in the order above.
    public var values: [Value] {
        [
            commitGatherMicroseconds, unflushedBytesMaximum, unflushedMillisecondsMaximum,
            cacheBudgetBytes, mapBudgetBytes, readWorkers, segmentBytes, alignmentBytes,
        ]
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
        /// The cache's share of memory, as a divisor.
        let share: (divisor: UInt64, reason: String)

        init(
            gather: (UInt64, String),
            _ unflushedBytes: UInt64,
            _ share: (UInt64, String)
        ) {
            self.gather = gather
            self.unflushedBytes = unflushedBytes
            self.share = share
        }
    }

    private static func base(_ kind: DeploymentContext.Kind) -> Base {
        let shared = (UInt64(8), "an eighth: the machine has other work and a host that may ask")
        let owned = (UInt64(4), "a quarter: nobody asks for memory back")
        return switch kind {
        case .hyperscaleCloud:
            Base(gather: (500, "a network disk commits in about 1 ms"), 16 << 20, shared)
        case .bareMetalNVMe:
            Base(gather: (0, "local flash commits sooner than waiting pays"), 16 << 20, owned)
        case .edge:
            Base(
                gather: (2000, "fewer, larger writes wear flash less"),
                4 << 20,
                (16, "a sixteenth: little memory, shared with the application")
            )
        case .hypervisor:
            Base(gather: (200, "a paravirtual flush takes 0.1 to 1 ms"), 16 << 20, shared)
        case .hostedVM:
            Base(gather: (500, "an emulated disk flushes through its host's"), 16 << 20, shared)
        case .bareMetal:
            Base(
                gather: (200, "the disk's own flush decides; 200 µs never doubles it"),
                16 << 20,
                owned
            )
        }
    }

    /// Chooses the values for a context.
    public static func choose(
        context: DeploymentContext,
        report: HostReport
    ) -> DeploymentProfile {
        let base = base(context.kind)
        let budget = MemoryShare(report, divisor: base.share.divisor, reason: base.share.reason)
        let ground = Ground(report)
        return DeploymentProfile(
            name: context.kind.rawValue,
            commitGatherMicroseconds: Value(
                name: "commitGatherMicroseconds",
                number: base.gather.microseconds,
                reason: base.gather.reason
            ),
            unflushedBytesMaximum: Value(
                name: "unflushedBytesMaximum",
                number: base.unflushedBytes,
                reason: context.kind == .edge
                    ? "little memory, and a slow flash card takes this in a second"
                    : "what a disk of 100 MB/s writes in a sixth of a second"
            ),
            unflushedMillisecondsMaximum: Value(
                name: "unflushedMillisecondsMaximum",
                number: 1000,
                reason: "what may be lost without a flush stays under a second's work"
            ),
            cacheBudgetBytes: budget.cache,
            mapBudgetBytes: budget.map,
            readWorkers: ground.readWorkers(context.kind),
            segmentBytes: ground.segment(context.kind),
            alignmentBytes: ground.alignment
        )
    }
}

/// The part of memory that the engine may take.
private struct MemoryShare {
    /// Below this the cache would hold less than one segment and its map.
    private static let minimumBytes: UInt64 = 8 << 20
    /// Above this a block cache brings nothing that the page cache would not.
    private static let maximumBytes: UInt64 = 16 << 30

    let cache: DeploymentProfile.Value
    let map: DeploymentProfile.Value

    init(_ report: HostReport, divisor: UInt64, reason: String) {
        let total = report.memory.totalBytes.value
        let usable = report.memory.usableBytes
        let bytes: UInt64
        let why: String
        if let usable {
            bytes = min(max(usable / divisor, Self.minimumBytes), Self.maximumBytes)
            let of = usable == total ? "of MemTotal" : "of the control group's limit"
            why = "\(reason) (\(of), \(usable) bytes)"
        } else {
            bytes = Self.minimumBytes
            why = "the least: " + (report.memory.totalBytes.absence ?? "memory is unknown")
        }
        cache = .init(name: "cacheBudgetBytes", number: bytes / 5 * 4, reason: why)
        map = .init(
            name: "mapBudgetBytes",
            number: bytes / 5,
            reason: "a fifth of the engine's memory: 1 byte of map finds about 100 of data"
        )
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
            let count = min(max(queues * 4, 4), 32)
            let reason = "4 for each of the \(queues) queues of \(disk.name), 4 to 32"
            return .init(name: name, number: UInt64(count), reason: reason)
        }
        let count = min(max(processors * 2, 4), 32)
        return .init(
            name: name,
            number: UInt64(count),
            reason: "2 for each of \(processors) processors, 4 to 32; the disk's queues are unknown"
        )
    }

    func segment(_ kind: DeploymentContext.Kind) -> DeploymentProfile.Value {
        let name = "segmentBytes"
        if kind == .edge || disk?.interface == "mmc" {
            return .init(
                name: name,
                number: 4 << 20,
                reason: "the erase unit of common flash cards"
            )
        }
        if let disk, disk.sizeBytes <= 16 << 30 {
            let reason = "\(disk.name) is small: finer segments leave less space unused"
            return .init(name: name, number: 4 << 20, reason: reason)
        }
        return .init(name: name, number: 8 << 20, reason: "large enough that a seek does not count")
    }

    var alignment: DeploymentProfile.Value {
        let name = "alignmentBytes"
        guard let disk, let physical = disk.physicalBlockBytes.value, physical > 4096,
            physical <= 1 << 20, physical & (physical - 1) == 0
        else {
            return .init(name: name, number: 4096, reason: "a page, and at least a physical block")
        }
        return .init(
            name: name,
            number: UInt64(physical),
            reason: "the physical block of \(disk.name)"
        )
    }
}
