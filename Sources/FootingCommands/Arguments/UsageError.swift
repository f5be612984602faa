/// A command line that does not fit the declaration.
package struct UsageError: Error {
    /// One sentence without the full stop.
    package let message: String
    /// The parameter that was misused, whose help is repeated.
    package let parameter: ParameterModel?
    package let path: CommandPath

    package init(_ message: String, parameter: ParameterModel? = nil, at path: CommandPath) {
        self.message = message
        self.parameter = parameter
        self.path = path
    }

    /// The whole text for standard error.
    package func text(columns: Int) -> String {
        let help = HelpText(path: path, columns: columns)
        var lines = ["Error: \(message)"]
        if let parameter, !parameter.help.isEmpty {
            lines.append("Help:  \(parameter.label)  \(parameter.help)")
        }
        lines.append("Usage: \(help.usage)")
        lines.append("  See '\(path.text) --help' for more information.")
        return lines.joined(separator: "\n") + "\n"
    }
}

/// Guesses at what a misspelt word was meant to be.
package enum Spelling {
    /// `. Did you mean 'x'?`, or nothing where no candidate is near.
    package static func suggestion(for word: String, among candidates: [String]) -> String {
        let limit = max(1, word.count / 3)
        let nearest = candidates.map { ($0, distance(word, $0)) }
            .filter { $0.1 <= limit }
            .min { $0.1 < $1.1 }
        return nearest.map { ". Did you mean '\($0.0)'?" } ?? ""
    }

    /// Insertions, deletions, replacements and swaps of neighbours that lead from one to the other.
    package static func distance(_ first: String, _ second: String) -> Int {
        let first = Array(first)
        let second = Array(second)
        var rows = [Array(0...second.count)]
        for (row, character) in first.enumerated() {
            var next = [row + 1]
            for (column, other) in second.enumerated() {
                let replaced = rows[row][column] + (character == other ? 0 : 1)
                var best = min(replaced, rows[row][column + 1] + 1, next[column] + 1)
                let isSwap =
                    row > 0 && column > 0 && character == second[column - 1]
                    && first[row - 1] == other
                if isSwap {
                    best = min(best, rows[row - 1][column - 1] + 1)
                }
                next.append(best)
            }
            rows.append(next)
        }
        return rows[first.count][second.count]
    }
}
