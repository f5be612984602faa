/// What the kernel sets anew when something else is written.
enum SideEffects {
    /// The attributes that change with one.
    ///
    /// A new scheduler brings its own number of requests, and write-back throttling is turned on
    /// and off with some (block/elevator.c, block/blk-wbt.c). Of a pair of bytes and ratio, the one
    /// that is not written becomes 0.
    static func of(_ attribute: String) -> [String] {
        switch attribute {
        case QueueAttribute.scheduler.rawValue:
            [QueueAttribute.requests.rawValue, QueueAttribute.writeBackLatency.rawValue]
        case MachineAttribute.dirtyBytes.rawValue: [MachineAttribute.dirtyRatio.rawValue]
        case MachineAttribute.dirtyRatio.rawValue: [MachineAttribute.dirtyBytes.rawValue]
        case MachineAttribute.dirtyBackgroundBytes.rawValue:
            [MachineAttribute.dirtyBackgroundRatio.rawValue]
        case MachineAttribute.dirtyBackgroundRatio.rawValue:
            [MachineAttribute.dirtyBackgroundBytes.rawValue]
        default: []
        }
    }

    /// Whether an attribute may have been changed by writing others of its group.
    static func canMove(_ attribute: String, in group: TuningJournal.Group) -> Bool {
        group.entries.contains { of($0.attribute).contains(attribute) }
    }

    /// Whether writing one attribute would move another one that is to stay.
    static func disturbs(_ attribute: String, _ others: some Sequence<String>) -> Bool {
        let moved = of(attribute)
        return others.contains { moved.contains($0) }
    }
}
