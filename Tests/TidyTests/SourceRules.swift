/// The rules for source files; each gives the problems it finds, as `path:line: what is wrong`.
enum SourceRules {
    static let lineLengthMax = 100
    static let fileLengthMax = 600
    static let functionLengthMax = 70

    /// A rule: the file's path and its text in, problems out.
    typealias Rule = @Sendable (_ path: String, _ text: String) -> [String]

    private static func lines(_ text: String) -> [Substring] {
        text.split(separator: "\n", omittingEmptySubsequences: false)
    }

    private static func numbered(
        _ path: String,
        _ text: String,
        _ problem: (Substring) -> String?
    ) -> [String] {
        lines(text).enumerated().compactMap { index, line in
            problem(line).map { "\(path):\(index + 1): \($0)" }
        }
    }

    /// Lines that fit beside each other on a screen.
    static func lineLength(_ path: String, _ text: String) -> [String] {
        numbered(path, text) { line in
            // A tab of C takes up to eight columns.
            let length = line.reduce(0) { $0 + ($1 == "\t" ? 8 - $0 % 8 : 1) }
            return length > lineLengthMax ? "\(length) columns, \(lineLengthMax) at most" : nil
        }
    }

    /// No tabs in Swift, no spaces at a line's end, and a line feed at the file's.
    static func whiteSpace(_ path: String, _ text: String) -> [String] {
        var problems = numbered(path, text) { line in
            if path.hasSuffix(".swift") && line.contains("\t") { return "a tab" }
            if line.contains("\r") { return "a carriage return" }
            return line.last == " " || line.last == "\t" ? "space at the end of the line" : nil
        }
        if !text.isEmpty && !text.hasSuffix("\n") {
            problems.append("\(path): no line feed at the end")
        }
        return problems
    }

    /// Files that are read in one go.
    static func fileLength(_ path: String, _ text: String) -> [String] {
        let count = lines(text).count - 1
        return count > fileLengthMax ? ["\(path): \(count) lines, \(fileLengthMax) at most"] : []
    }

    /// Functions that fit on a screen.
    static func functionLength(_ path: String, _ text: String) -> [String] {
        let functions =
            path.hasSuffix(".swift")
            ? FunctionScanner.functions(in: text) : FunctionScanner.cFunctions(in: text)
        return functions.filter { $0.lineCount > functionLengthMax }.map {
            "\(path):\($0.line): a body of \($0.lineCount) lines, \(functionLengthMax) at most"
        }
    }

    /// Constructs that turn an error into a crash.
    static func crashes(_ path: String, _ text: String) -> [String] {
        guard path.hasSuffix(".swift") else { return [] }
        let code = String(decoding: SwiftText.blanked(text), as: UTF8.self)
        return ["fatalError(", "try!", "as!"].flatMap { construct in
            numbered(path, code) { line in
                contains(line, construct)
                    ? "'\(construct)': throw an error, or state a precondition" : nil
            }
        }
    }

    /// Notes to oneself: work is either done or written down where others see it.
    static func markers(_ path: String, _ text: String) -> [String] {
        // Put together, so that this file passes.
        let words = ["TO" + "DO", "FIX" + "ME", "XX" + "X"]
        return numbered(path, text) { line in
            let found = words.first { word in
                line.split { !$0.isLetter && !$0.isNumber }.contains { $0 == word }
            }
            return found.map { "'\($0)' left in the source" }
        }
    }

    /// Paths of somebody's machine.
    static func privatePaths(_ path: String, _ text: String) -> [String] {
        let places = ["work", "root", "home"].map { "/" + $0 + "/" }
        return numbered(path, text) { line in
            let words = line.split { " \"'`()[]=:,<>".contains($0) }
            let found = places.first { place in words.contains { $0.hasPrefix(place) } }
            return found.map { "'\($0)': a path of one machine" }
        }
    }

    /// A test that checks nothing always passes.
    static func assertions(_ path: String, _ text: String) -> [String] {
        let code = String(decoding: SwiftText.blanked(text), as: UTF8.self)
        let asserting = ["#expect", "#require", "Issue.record"]
        let isEmpty =
            contains(code[...], "@Test") && !asserting.contains { contains(code[...], $0) }
        return isEmpty ? ["\(path): tests without #expect, #require or Issue.record"] : []
    }

    private static func contains(_ text: Substring, _ part: String) -> Bool {
        let bytes = Array(text.utf8)
        let pattern = Array(part.utf8)
        guard bytes.count >= pattern.count else { return false }
        return (0...bytes.count - pattern.count).contains {
            bytes[$0] == pattern[0] && bytes[$0...].starts(with: pattern)
        }
    }
}
