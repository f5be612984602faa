internal import FootingSystem
internal import Synchronization

/// Where a command reports: results on standard output, everything else on standard error.
///
/// Passed in, so that tests read what a user would see.
final class Console: Sendable {
    /// The width that text is wrapped to.
    let columns: Int
    /// Columns of the terminal that shows progress; nil where there is none.
    let progressColumns: Int?

    private let sink: @Sendable (StandardStream, String) throws(Errno) -> Void
    // An error number; 0: none yet. A lock of an optional would be a type to make at run time.
    private let failure = Atomic<Int32>(0)

    init(
        columns: Int,
        progressColumns: Int?,
        sink: @escaping @Sendable (StandardStream, String) throws(Errno) -> Void
    ) {
        self.columns = columns
        self.progressColumns = progressColumns
        self.sink = sink
    }

    /// The process's own streams.
    static func standard() -> Console {
        Console(
            columns: StandardStream.output.terminalColumns ?? 80,
            progressColumns: StandardStream.error.terminalColumns
        ) { stream, text throws(Errno) in
            try stream.write(text)
        }
    }

    /// The first error that standard output gave, such as `ENOSPC`: the result is then incomplete.
    var outputFailure: Errno? {
        let number = failure.load(ordering: .relaxed)
        return number == 0 ? nil : Errno(rawValue: number)
    }

    /// Writes a result as it is.
    func write(_ text: String) {
        do throws(Errno) {
            try sink(.output, text)
        } catch {
            _ = failure.compareExchange(
                expected: 0,
                desired: error.rawValue,
                ordering: .relaxed
            )
        }
    }

    /// Writes a result and a line feed.
    func print(_ line: String = "") {
        write(line + "\n")
    }

    /// Writes a result as JSON with sorted keys.
    func print(_ value: JSONValue) {
        write(value.text() + "\n")
    }

    /// Writes a remark of a program that goes on, on one line whatever it tells: names and reasons
    /// may come from others.
    func remark(_ text: String) {
        writeError("footing: \(TerminalText.harmless(text, keepsLineFeeds: false))\n")
    }

    /// Writes a remark or an error; there is nobody left to tell if this fails.
    func writeError(_ text: String) {
        try? sink(.error, text)
    }
}
