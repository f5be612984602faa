public import FootingHost
public import FootingSystem

/// What changed at one time, and why it was looked for.
public struct DetectionChange: Sendable {
    /// The schema of ``json``.
    public static let schema = "footing.host-change/1"

    /// When it was seen, in seconds since 1970.
    public let unixSeconds: UInt64
    /// The signals that led to it.
    public let causes: [HostSignal]
    /// What is different; empty if the machine was moved or restored and is the same.
    public let differences: [Difference]
    /// What holds from now on.
    public let detection: Detection

    /// The document `footing.host-change/1`.
    public var json: JSONValue {
        [
            "schema": .string(Self.schema),
            "unixSeconds": JSONValue(unixSeconds),
            "causes": .array(
                causes.map { ["source": .string($0.source.rawValue), "what": .string($0.what)] }
            ),
            "changes": .array(differences.map(\.json)),
        ]
    }

    /// One line for people: what changed, then why.
    public var text: String {
        let what =
            differences.isEmpty
            ? "nothing in the report changed" : differences.map(\.text).joined(separator: "; ")
        let why = causes.map { "\($0.source.rawValue): \($0.what)" }.joined(separator: "; ")
        return "\(what)  (\(why))"
    }
}

/// Looks again whenever the machine may have changed.
///
/// Signals come in swarms: a disk that appears brings its partitions, its queues and its mounts.
/// After the first one the watch waits until it is quiet, but not for ever, and looks once.
public final class DetectionWatch: Sendable {
    /// How long a swarm is waited out.
    public struct Patience: Sendable {
        /// The time without a signal that ends a swarm, in milliseconds.
        public var quietMilliseconds: Int32 = 200
        /// The longest swarm, in milliseconds.
        public var limitMilliseconds: Int32 = 2000

        /// 200 ms of quiet, 2 s at most.
        public init() {}
    }

    /// What moves all the time and is no change of the place, and what only repeats another change.
    public static let ignored: Set<String> = [
        "memory.availableBytes", "memory.balloon.currentBytes",
        "absent", "environment.evidence", "virtualization.evidence", "cloud.evidence",
    ]

    private let signals: any HostSignalSource
    private let time: any TimeSource
    private let patience: Patience
    private let look: @Sendable () -> Detection
    private let last: Locked<JSONValue>
    /// The first look.
    public let first: Detection

    /// Looks for the first time.
    ///
    /// - Parameters:
    ///   - signals: what may have changed the place.
    ///   - time: the clock that the patience goes by.
    ///   - patience: how long a swarm of signals is waited out.
    ///   - look: gathers the facts and decides.
    public init(
        signals: any HostSignalSource,
        time: any TimeSource = SystemClock(),
        patience: Patience = Patience(),
        look: @escaping @Sendable () -> Detection
    ) {
        self.signals = signals
        self.time = time
        self.patience = patience
        self.look = look
        first = look()
        last = Locked(first.json())
    }

    /// Waits for the next change.
    ///
    /// - Returns: nil when the signals end.
    public func next() throws(Errno) -> DetectionChange? {
        while true {
            guard let causes = try swarm() else { return nil }
            let detection = look()
            let document = detection.json()
            let before = last.withLock { last in
                let before = last
                last = document
                return before
            }
            let differences = Difference.all(before, document, ignoring: Self.ignored)
            // A machine that was copied is another one, even if it looks the same.
            let isNotable = causes.contains { $0.source == .generation || $0.source == .clock }
            guard !differences.isEmpty || isNotable else { continue }
            return DetectionChange(
                unixSeconds: time.unixSeconds,
                causes: causes,
                differences: differences,
                detection: detection
            )
        }
    }

    /// The signals of one swarm, each once.
    private func swarm() throws(Errno) -> [HostSignal]? {
        var causes: [HostSignal] = []
        var began: UInt64?
        while true {
            let isQuietOver = causes.isEmpty
            let timeout = isQuietOver ? 1000 : patience.quietMilliseconds
            guard let found = try signals.wait(milliseconds: timeout) else { return nil }
            let now = time.nanoseconds
            if found.isEmpty, !causes.isEmpty { return causes }
            if !found.isEmpty, began == nil { began = now }
            for signal in found where causes.count < 32 && !causes.contains(signal) {
                causes.append(signal)
            }
            if let began, now - began >= UInt64(patience.limitMilliseconds) * 1_000_000 {
                return causes
            }
        }
    }
}
