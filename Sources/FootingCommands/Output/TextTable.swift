/// Rows with aligned columns, two spaces apart.
package struct TextTable {
    package enum Alignment: Sendable {
        /// Text.
        case left
        /// Numbers.
        case right
    }

    private let alignments: [Alignment]
    private var rows: [[String]] = []

    /// A table with a first row of titles.
    package init(_ columns: [(title: String, alignment: Alignment)]) {
        alignments = columns.map(\.alignment)
        rows = [columns.map(\.title)]
    }

    /// A table without titles, as for names and their values.
    package init(alignments: [Alignment]) {
        self.alignments = alignments
    }

    /// Adds a row with one cell for each column.
    package mutating func add(_ cells: [String]) {
        precondition(cells.count == alignments.count, "\(cells.count) cells: \(cells)")
        rows.append(cells)
    }

    /// All rows, each ended by a line feed, without spaces at the end of a line.
    package func text(indentation: Int = 0) -> String {
        let widths = alignments.indices.map { column in
            rows.map { $0[column].count }.max() ?? 0
        }
        return rows.map { row in
            let cells = row.indices.map { column in
                let padding = String(repeating: " ", count: widths[column] - row[column].count)
                return alignments[column] == .left ? row[column] + padding : padding + row[column]
            }
            let line = String(repeating: " ", count: indentation) + cells.joined(separator: "  ")
            let end = line.lastIndex { $0 != " " }.map { line.index(after: $0) } ?? line.startIndex
            return line[..<end] + "\n"
        }.joined()
    }
}
