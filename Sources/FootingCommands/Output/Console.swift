package import FootingSystem
internal import Synchronization

/// Where a command reports: results on standard output, everything else on standard error.
///
/// Passed in, so that tests read what a user would see.
package final class Console: Sendable {
    /// The width that text is wrapped to.
    package let columns: Int
    /// Columns of the terminal that shows progress; nil where there is none.
    package let progressColumns: Int?

    private let sink: @Sendable (StandardStream, String) throws(Errno) -> Void
    // An error number; 0: none yet. A lock of an optional would be a type to make at run time.
    private let failure = Atomic<Int32>(0)

    package init(
        columns: Int,
        progressColumns: Int?,
        sink: @escaping @Sendable (StandardStream, String) throws(Errno) -> Void
    ) {
        self.columns = columns
        self.progressColumns = progressColumns
        self.sink = sink
    }

    /// The process's own streams.
    package static func standard() -> Console {
        Console(
            columns: StandardStream.output.terminalColumns ?? 80,
            progressColumns: StandardStream.error.terminalColumns
        ) { stream, text throws(Errno) in
            try stream.write(text)
        }
    }

    /// The first error that standard output gave, such as `ENOSPC`: the result is then incomplete.
    package var outputFailure: Errno? {
        let number = failure.load(ordering: .relaxed)
        return number == 0 ? nil : Errno(rawValue: number)
    }

    /// Writes a result as it is.
    package func write(_ text: String) {
        do throws(Errno) {
            try sink(.output, text)
        } catch {
            keep(error)
        }
    }

    private func keep(_ error: Errno) {
        _ = failure.compareExchange(expected: 0, desired: error.rawValue, ordering: .relaxed)
    }

    /// Writes a result byte by byte as it is, UTF-8 or not.
    package func write(bytes: [UInt8]) {
        if let text = String(validating: bytes, as: UTF8.self) { return write(text) }
        do throws(Errno) {
            try StandardStream.output.write(bytes)
        } catch {
            keep(error)
        }
    }

    /// Writes a result and a line feed.
    package func print(_ line: String = "") {
        write(line + "\n")
    }

    /// Writes a result as JSON with sorted keys.
    package func print(_ value: JSONValue) {
        write(value.text() + "\n")
    }

    /// Writes a remark of a program that goes on, on one line whatever it tells: names and reasons
    /// may come from others.
    package func remark(_ text: String) {
        writeError("footing: \(TerminalText.harmless(text, keepsLineFeeds: false))\n")
    }

    /// Writes a remark or an error; there is nobody left to tell if this fails.
    package func writeError(_ text: String) {
        try? sink(.error, text)
    }
}
