/// One place that can tell of pressure, and whether it does here.
public struct PressureSource: Sendable, Equatable {
    /// How it is listened to.
    public enum State: String, Sendable {
        /// It wakes the monitor.
        case waited
        /// It is read from time to time.
        case sampled
        /// It is not there, or may not be used.
        case absent
    }

    /// A path below the root, and which of its events.
    public var name: String
    /// How it is listened to.
    public var state: State
    /// Why it is not waited for, or how exactly it is.
    public var note: String
    /// How often it told of something.
    public var eventCount: UInt64 = 0

    init(_ name: String, _ state: State, _ note: String) {
        self.name = name
        self.state = state
        self.note = note
    }
}
