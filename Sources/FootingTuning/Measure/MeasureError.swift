internal import FootingSystem

/// Why a place could not be measured.
public struct MeasureError: Error, Sendable, CustomStringConvertible {
    /// What failed, on what, and why; without the last full stop.
    public let description: String

    /// A failure with a text of its own.
    public init(_ description: String) {
        self.description = description
    }

    /// Somebody wanted no more.
    static let stopped = MeasureError("the measurement was stopped")

    init(_ failed: String, _ cause: Errno) {
        description = "\(failed): \(cause)"
    }
}
