/// What is there for programs, of a machine or of a control group.
public struct Headroom: Sendable, Equatable {
    /// All that it has, in bytes: the memory of the guest, or the group's limit.
    public var sizeBytes: UInt64
    /// What can be had without harm, in bytes: what is free, and cached files that are clean.
    public var availableBytes: UInt64
    /// What is used beyond the size, in bytes: a group's limit may be lowered, and `memory.high` is
    /// none that holds.
    public var excessBytes: UInt64

    /// An account.
    public init(sizeBytes: UInt64, availableBytes: UInt64, excessBytes: UInt64 = 0) {
        self.sizeBytes = sizeBytes
        self.availableBytes = availableBytes
        self.excessBytes = excessBytes
    }

    /// Five times what a balloon was seen to take within a second (docs/memory.md).
    ///
    /// Half a second leaves most of it. Who takes more is told of by the kernel, not by looks.
    private static let plentyBytes: UInt64 = 2 << 30

    /// Whether so much is there that it need not be looked at often.
    var isPlenty: Bool { availableBytes >= max(Self.plentyBytes, sizeBytes / 2) }
}

/// What was told since the last reading.
public struct PressureEvents: OptionSet, Sendable, Equatable {
    /// The bits.
    public let rawValue: UInt16

    /// Wraps the bits.
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// Some tasks of the machine waited for memory (PSI).
    public static let machineStall = PressureEvents(rawValue: 1)
    /// All tasks of the machine did at once.
    public static let machineFullStall = PressureEvents(rawValue: 2)
    /// Some tasks of the own control group waited for memory (PSI).
    public static let groupStall = PressureEvents(rawValue: 4)
    /// All tasks of the own control group did at once.
    public static let groupFullStall = PressureEvents(rawValue: 8)
    /// The own group, or one below it, met its limit or throttle (`memory.events`: high, max), or
    /// one above it met its own (`memory.events.local`).
    public static let groupLimit = PressureEvents(rawValue: 16)
    /// The same had nothing left (oom, oom_kill).
    public static let groupOutOfMemory = PressureEvents(rawValue: 32)
    /// Reclaiming gets hard (`memory.pressure_level` of version 1: medium).
    public static let groupMedium = PressureEvents(rawValue: 64)
    /// The group is about to have nothing left (version 1: critical).
    public static let groupCritical = PressureEvents(rawValue: 128)
    /// The service manager asked for memory (`$MEMORY_PRESSURE_WATCH`).
    public static let serviceManager = PressureEvents(rawValue: 256)

    static let names: [(event: PressureEvents, name: String)] = [
        (.machineStall, "machine-stall"), (.machineFullStall, "machine-full-stall"),
        (.groupStall, "group-stall"), (.groupFullStall, "group-full-stall"),
        (.groupLimit, "group-limit"), (.groupOutOfMemory, "group-out-of-memory"),
        (.groupMedium, "group-medium"), (.groupCritical, "group-critical"),
        (.serviceManager, "service-manager"),
    ]

    /// The events by name, for people and documents.
    public var names: [String] {
        Self.names.filter { contains($0.event) }.map(\.name)
    }
}

/// All that a decision on memory rests on.
public struct MemoryReading: Sendable, Equatable {
    /// The machine; nil where it does not tell.
    public var machine: Headroom?
    /// The control group that has the least left; nil where none limits memory.
    public var group: Headroom?
    /// The balloon; nil where there is none.
    public var balloon: BalloonStatus?
    /// What was told since the reading before.
    public var events: PressureEvents
    /// How much of the last 10 s some task of the machine waited, in percent.
    public var machineStallPercent: Double?
    /// The same for the own control group.
    public var groupStallPercent: Double?

    /// A reading.
    public init(
        machine: Headroom? = nil,
        group: Headroom? = nil,
        balloon: BalloonStatus? = nil,
        events: PressureEvents = [],
        machineStallPercent: Double? = nil,
        groupStallPercent: Double? = nil
    ) {
        self.machine = machine
        self.group = group
        self.balloon = balloon
        self.events = events
        self.machineStallPercent = machineStallPercent
        self.groupStallPercent = groupStallPercent
    }

    /// Whether there is plenty of memory, of the machine and of the group.
    var hasPlenty: Bool { machine?.isPlenty == true && group?.isPlenty ?? true }
}
