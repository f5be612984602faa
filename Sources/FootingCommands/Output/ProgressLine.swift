/// One line on standard error that says how far a long task is; nothing unless it is a terminal.
struct ProgressLine {
    private let console: Console
    private var shown = ""

    init(_ console: Console) {
        self.console = console
    }

    /// Replaces the line; the same text again costs nothing.
    mutating func show(_ text: String) {
        guard let columns = console.progressColumns, text != shown else { return }
        // One column stays free: a full line would wrap, and the next one could not replace it.
        console.writeError("\r" + text.prefix(max(columns - 1, 1)) + "\u{1b}[K")
        shown = text
    }

    /// Shows `done` of `total` with the percentage; once for each whole percent.
    mutating func show(_ task: String, done: UInt64, total: UInt64) {
        guard total > 0 else { return }
        let percent = min(100, Double(done) * 100 / Double(total))
        show("\(task) \(Int(percent)) % of \(ByteSize.text(total))")
    }

    /// Shows which share of a task is done, 0 to 1; once for each whole percent.
    mutating func show(_ task: String, share: Double) {
        show("\(Int(min(max(share, 0), 1) * 100)) %  \(task)")
    }

    /// Takes the line away, before anything else is written.
    mutating func clear() {
        guard !shown.isEmpty else { return }
        console.writeError("\r\u{1b}[K")
        shown = ""
    }
}
