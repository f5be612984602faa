internal import FootingHost

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

extension PressureSource {
    private static let targetName = "balloon target"

    /// What the hypervisor wants in the balloon.
    ///
    /// - Parameter source: where it is read, or why it is not.
    init(target source: Fact<String>) {
        switch source {
        case .known(let place): self.init(Self.targetName, .sampled, place)
        case .absent(let reason): self.init(Self.targetName, .absent, reason)
        }
    }

    /// Changes the balloon's target among sources to what was just read of it.
    static func note(_ balloon: Fact<BalloonStatus>, in sources: inout [PressureSource]) {
        guard let balloon = balloon.value,
            let index = sources.firstIndex(where: { $0.name == targetName })
        else { return }
        let place: Fact<String> =
            balloon.targetSource.map { .known($0) }
            ?? .absent(balloon.targetBalloonBytes.absence ?? "it cannot be read")
        let now = PressureSource(target: place)
        if sources[index] != now { sources[index] = now }
    }
}
