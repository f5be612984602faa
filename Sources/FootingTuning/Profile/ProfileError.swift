/// Why a profile is refused.
public struct ProfileError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The line of the file, from 1; nil where no line is to blame.
    public let line: Int?
    /// What is wrong, on what, and what would be right; without the last full stop.
    public let message: String

    init(line: Int? = nil, _ message: String) {
        self.line = line
        self.message = message
    }

    /// The same mistake, on a line.
    func at(line: Int) -> ProfileError { ProfileError(line: line, message) }

    /// The line and the message.
    public var description: String {
        line.map { "line \($0): \(message)" } ?? message
    }
}
