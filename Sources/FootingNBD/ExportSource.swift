/// Exports beside the server's own, opened when a client asks for one.
public protocol ExportSource: Sendable {
    /// What there is, for `LIST`.
    func list() -> [ExportListing]

    /// Opens an export; it is let go of when the client leaves.
    ///
    /// - Returns: nil if there is none of that name, or it cannot be opened.
    func open(_ name: String) -> (any Export)?
}

/// A line of the answer to `LIST`.
public struct ExportListing: Sendable, Equatable {
    /// The name by which a client asks for it.
    public let name: String
    /// A line about it for people.
    public let summary: String

    /// A line.
    public init(name: String, summary: String) {
        self.name = name
        self.summary = summary
    }
}
