public import FootingSystem

/// Why nothing was applied, or not everything undone.
public struct TuningError: Error, Sendable, CustomStringConvertible {
    /// What failed, on what, and why; without the last full stop.
    public let description: String

    /// A failure with a text of its own.
    public init(_ description: String) {
        self.description = description
    }

    static func damaged(_ what: String) -> TuningError {
        TuningError(
            "the journal is damaged (\(what)); nothing is written as long as it is there"
        )
    }
}

/// What was written, and what was not, and why.
public struct TuningOutcome: Sendable, Equatable {
    /// One value that was written, or would be.
    public struct Step: Sendable, Equatable {
        /// What was changed.
        public let target: String
        /// What was there.
        public let from: String
        /// What is there now.
        public let to: String
    }

    /// What was left alone.
    public struct Left: Sendable, Equatable {
        /// What it is.
        public let target: String
        /// Why.
        public let reason: String
        /// Whether it is as somebody else made it, so that `--force` would change it.
        public let isForeign: Bool
    }

    /// What was written, in order.
    public internal(set) var steps: [Step] = []
    /// What was left alone.
    public internal(set) var left: [Left] = []
    /// What was found and done on the way, as the remains of a crash.
    public internal(set) var notes: [String] = []

    /// Nothing yet.
    public init() {}

    /// Whether something is as somebody else made it.
    public var hasForeign: Bool { left.contains { $0.isForeign } }

    /// The members of a document.
    public var json: JSONValue {
        [
            "steps": .array(
                steps.map {
                    [
                        "target": .string($0.target), "from": .string($0.from),
                        "to": .string($0.to),
                    ]
                }
            ),
            "left": .array(
                left.map {
                    [
                        "target": .string($0.target), "reason": .string($0.reason),
                        "isForeign": .bool($0.isForeign),
                    ]
                }
            ),
            "notes": .array(notes.map { .string($0) }),
        ]
    }
}
