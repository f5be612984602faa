public import FootingHost
public import FootingSystem

/// What a coordinator knows and did: plain values for a status command.
public struct CoordinatorStatus: Sendable, Equatable {
    /// A decision that changed the budget.
    public struct Entry: Sendable, Equatable {
        /// The budget before and after, and why.
        public var decision: Decision
        /// When, in seconds since 1970.
        public var unixSeconds: UInt64
        /// How long the holder took, in nanoseconds.
        public var durationNanoseconds: UInt64
        /// What was used before, in bytes.
        public var usedBytesBefore: UInt64
        /// What was used when it was done, in bytes.
        public var usedBytesAfter: UInt64
    }

    /// Whether it runs.
    public var isRunning: Bool
    /// What the holder uses and may use.
    public var use: MemoryUse
    /// The budget without any pressure, in bytes.
    public var maximumBudgetBytes: UInt64
    /// The last reading; its balloon is repeated in ``balloon`` with the reason of an absence.
    public var reading: MemoryReading
    /// The balloon, or why none is known.
    public var balloon: Fact<BalloonStatus>
    /// What tells of pressure here, and what does not and why.
    public var sources: [PressureSource]
    /// The last decisions, the oldest first.
    public var decisions: [Entry]
    /// How many there were in all.
    public var decisionCount: UInt64
}

extension CoordinatorStatus {
    /// The document for programs; sizes in bytes.
    public var json: JSONValue {
        [
            "running": .bool(isRunning),
            "budget": [
                "bytes": JSONValue(use.budgetBytes),
                "usedBytes": JSONValue(use.usedBytes),
                "floorBytes": JSONValue(use.floorBytes),
                "maximumBytes": JSONValue(maximumBudgetBytes),
            ],
            "memory": Self.json(reading.machine, stall: reading.machineStallPercent),
            "controlGroup": Self.json(reading.group, stall: reading.groupStallPercent),
            "balloon": Self.json(balloon),
            "sources": .array(sources.map(\.json)),
            "decisions": .array(decisions.map(\.json)),
            "decisionCount": JSONValue(decisionCount),
        ]
    }

    private static func json(_ room: Headroom?, stall: Double?) -> JSONValue {
        if room == nil, stall == nil { return .null }
        return [
            "sizeBytes": room.map { JSONValue($0.sizeBytes) } ?? .null,
            "availableBytes": room.map { JSONValue($0.availableBytes) } ?? .null,
            "stallPercent": stall.map { .number($0) } ?? .null,
        ]
    }

    private static func json(_ balloon: Fact<BalloonStatus>) -> JSONValue {
        switch balloon {
        case .absent(let reason): ["absent": .string(reason)]
        case .known(let status): status.json
        }
    }
}

extension BalloonStatus {
    /// The document for programs; sizes in bytes.
    public var json: JSONValue {
        [
            "currentBalloonBytes": JSONValue(currentBalloonBytes),
            "targetBalloonBytes": targetBalloonBytes.value.map { JSONValue($0) } ?? .null,
            "targetSource": targetSource.map { .string($0) } ?? .null,
            "targetAbsent": targetBalloonBytes.absence.map { .string($0) } ?? .null,
            "guestMemoryBytes": JSONValue(guestMemoryBytes),
            "isActive": .bool(isActive),
        ]
    }
}

extension PressureSource {
    var json: JSONValue {
        [
            "name": .string(name), "state": .string(state.rawValue), "note": .string(note),
            "eventCount": JSONValue(eventCount),
        ]
    }
}

extension CoordinatorStatus.Entry {
    var json: JSONValue {
        [
            "unixSeconds": JSONValue(unixSeconds),
            "budgetBytes": JSONValue(decision.budgetBytes),
            "previousBudgetBytes": JSONValue(decision.previousBudgetBytes),
            "cause": .string(decision.cause.rawValue),
            "reason": .string(decision.reason),
            "durationNanoseconds": JSONValue(durationNanoseconds),
            "usedBytesBefore": JSONValue(usedBytesBefore),
            "usedBytesAfter": JSONValue(usedBytesAfter),
        ]
    }
}
