package import FootingSystem

/// Why a command did not do what it was asked to, written for the person who asked.
package struct CommandError: Error, Equatable {
    package enum Kind: Equatable {
        /// It was tried and failed: exit status 1.
        case failure
        /// The options do not go together: exit status 64, with the usage.
        case usage
        /// What was asked for is not there, and that was printed as the result: exit status 1.
        case answer
    }

    package let kind: Kind
    /// What failed, on what, why, and what to do; one or two sentences without the last full stop.
    package let message: String

    /// The answer is "no"; it is printed already, and no error.
    package static let answerIsNo = CommandError(kind: .answer, message: "")

    private init(kind: Kind, message: String) {
        self.kind = kind
        self.message = message
    }

    /// A failure with a text of its own.
    package init(_ message: String) {
        kind = .failure
        self.message = message
    }

    /// Options that do not go together, or a value that only makes sense with another.
    package init(usage message: String) {
        kind = .usage
        self.message = message
    }

    /// A failure put together from its parts.
    ///
    /// `CommandError("cannot open", "disk.footing", .noSuchFile, remedy: "create it with ...")`
    /// reads `cannot open 'disk.footing': No such file or directory (ENOENT). Create it with ...`.
    package init(_ failed: String, _ subject: String, _ cause: Errno, remedy: String? = nil) {
        self.init(failed, subject, cause.description, remedy: remedy)
    }

    /// The same with a cause in words.
    package init(_ failed: String, _ subject: String, _ cause: String, remedy: String? = nil) {
        let advice = remedy.map { ". " + $0.prefix(1).uppercased() + $0.dropFirst() } ?? ""
        self.init("\(failed) '\(subject)': \(cause)\(advice)")
    }
}
