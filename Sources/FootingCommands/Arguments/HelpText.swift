/// The help of one command, in the form that swift-argument-parser made familiar.
struct HelpText {
    /// Columns before an entry's label.
    static let indentation = 2
    /// Columns before an entry's text.
    static let textColumn = 26

    let path: CommandPath
    let columns: Int

    /// The synopsis behind `USAGE:`; options are folded into one word where they fill a line.
    var usage: String {
        if !path.command.subcommands.isEmpty || path.command.program != nil {
            return "\(path.text) <subcommand>"
        }
        let full = ([path.text] + path.command.parameters.map(\.synopsis)).joined(separator: " ")
        if full.count + "USAGE: ".count <= columns { return full }
        let optional = path.command.parameters.filter { $0.kind != .argument && !$0.isRequired }
        let folded = path.command.parameters.filter { $0.kind == .argument || $0.isRequired }
        let words = [path.text] + (optional.isEmpty ? [] : ["[<options>]"]) + folded.map(\.synopsis)
        return words.joined(separator: " ")
    }

    /// The whole text, a line feed at its end.
    var text: String {
        var sections = [wrapped("OVERVIEW: " + path.command.overview)]
        if let discussion = path.command.discussion {
            sections.append(wrapped(discussion))
        }
        sections.append("USAGE: \(usage)\n")
        sections.append(section("ARGUMENTS", path.command.arguments.map(entry)))
        sections.append(section("OPTIONS", path.command.options.map(entry)))
        let commands = path.command.subcommands.map { entry(label: $0.name, text: $0.overview) }
        sections.append(section("SUBCOMMANDS", commands))
        if !commands.isEmpty {
            let words = [path.names[0], "help"] + path.names.dropFirst() + ["<subcommand>"]
            sections.append("  See '\(words.joined(separator: " "))' for detailed help.\n")
        }
        return sections.filter { !$0.isEmpty }.joined(separator: "\n")
    }

    private func section(_ title: String, _ entries: [String]) -> String {
        entries.isEmpty ? "" : "\(title):\n" + entries.joined()
    }

    private func entry(_ parameter: ParameterModel) -> String {
        var notes: [String] = []
        if case .choices(let choices) = parameter.completion {
            notes.append("values: " + choices.joined(separator: ", "))
        }
        if let value = parameter.defaultText {
            notes.append("default: \(value)")
        }
        let note = notes.isEmpty ? "" : " (\(notes.joined(separator: "; ")))"
        return entry(label: parameter.label, text: parameter.help + note)
    }

    private func entry(label: String, text: String) -> String {
        let margin = String(repeating: " ", count: Self.textColumn)
        let width = max(columns - Self.textColumn, 20)
        let lines = TextWrap.lines(text, columns: width)
        let start = String(repeating: " ", count: Self.indentation) + label
        var output: [String]
        if start.count < Self.textColumn {
            let padding = String(repeating: " ", count: Self.textColumn - start.count)
            output = [start + padding + (lines.first ?? "")]
            output += lines.dropFirst().map { margin + $0 }
        } else {
            output = [start] + lines.map { margin + $0 }
        }
        return output.joined(separator: "\n") + "\n"
    }

    private func wrapped(_ text: String) -> String {
        TextWrap.lines(text, columns: columns).joined(separator: "\n") + "\n"
    }
}

/// Breaks text into lines at spaces.
enum TextWrap {
    /// Lines of at most `columns` characters; a longer word stands alone, line feeds stay.
    static func lines(_ text: String, columns: Int) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).flatMap {
            paragraph($0, columns: columns)
        }
    }

    private static func paragraph(_ text: Substring, columns: Int) -> [String] {
        var lines = [""]
        for word in text.split(separator: " ") {
            let line = lines[lines.count - 1]
            if line.isEmpty {
                lines[lines.count - 1] = String(word)
            } else if line.count + 1 + word.count <= columns {
                lines[lines.count - 1] += " " + word
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }
}
