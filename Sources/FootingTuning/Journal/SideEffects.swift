/// What the kernel sets anew when something else is written.
enum SideEffects {
    /// Where a scheduler's own attributes lie, below a queue's folder.
    static let schedulerFolder = "iosched"
    /// More than any scheduler has.
    static let schedulerAttributesMaximum = 64

    /// The attributes that change with one, beside those that go with their scheduler.
    ///
    /// A new scheduler brings its own number of requests, and write-back throttling is turned on
    /// and off with some (block/elevator.c, block/blk-wbt.c). `async_depth` follows the number of
    /// requests; it is the scheduler's (block/mq-deadline.c), or from Linux 7.0 on the queue's, and
    /// then goes with the scheduler as well (block/blk-mq.c, block/elevator.c). Of a pair of bytes
    /// and ratio, the one that is not written becomes 0.
    private static func named(_ attribute: String) -> [String] {
        switch attribute {
        case QueueAttribute.scheduler.rawValue:
            [
                QueueAttribute.requests.rawValue, QueueAttribute.writeBackLatency.rawValue,
                QueueAttribute.asyncDepth.rawValue,
            ]
        case QueueAttribute.requests.rawValue:
            [QueueAttribute.asyncDepth.rawValue, "\(schedulerFolder)/async_depth"]
        case MachineAttribute.dirtyBytes.rawValue: [MachineAttribute.dirtyRatio.rawValue]
        case MachineAttribute.dirtyRatio.rawValue: [MachineAttribute.dirtyBytes.rawValue]
        case MachineAttribute.dirtyBackgroundBytes.rawValue:
            [MachineAttribute.dirtyBackgroundRatio.rawValue]
        case MachineAttribute.dirtyBackgroundRatio.rawValue:
            [MachineAttribute.dirtyBackgroundBytes.rawValue]
        default: []
        }
    }

    /// The attributes that change with one.
    ///
    /// A scheduler's own go with it, and come back with its defaults (block/elevator.c).
    ///
    /// - Parameter schedulerNames: what is in the disk's ``schedulerFolder``.
    static func of(_ attribute: String, schedulerNames: () -> [String]) -> [String] {
        guard attribute == QueueAttribute.scheduler.rawValue else { return named(attribute) }
        let own = schedulerNames().map { "\(schedulerFolder)/\($0)" }.filter(isOfScheduler)
        return named(attribute) + own.sorted().prefix(schedulerAttributesMaximum)
    }

    /// Whether writing one attribute changes another one.
    static func moves(_ attribute: String, _ other: String) -> Bool {
        named(attribute).contains(other)
            || (attribute == QueueAttribute.scheduler.rawValue && isOfScheduler(other))
    }

    /// Whether a value means something under one scheduler only: what comes and goes with it.
    static func isTiedToScheduler(_ attribute: String) -> Bool {
        moves(QueueAttribute.scheduler.rawValue, attribute)
    }

    /// Whether it is one of a scheduler's own attributes: `iosched/read_expire`, never a path that
    /// leads elsewhere.
    static func isOfScheduler(_ attribute: String) -> Bool {
        let parts = attribute.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == schedulerFolder else { return false }
        return (1...64).contains(parts[1].utf8.count)
            && parts[1].utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || byte == UInt8(ascii: "_")
            }
    }

    /// Whether an attribute may have been changed by writing others of its group.
    static func canMove(_ attribute: String, in group: TuningJournal.Group) -> Bool {
        group.entries.contains { moves($0.attribute, attribute) }
    }

    /// Whether writing one attribute would move another one that is to stay.
    static func disturbs(_ attribute: String, _ others: some Sequence<String>) -> Bool {
        others.contains { moves(attribute, $0) }
    }
}
