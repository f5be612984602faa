/// Swift source with everything but code blanked out, so that braces and words can be trusted.
///
/// Comments, the text of string literals and raw identifiers become spaces; line feeds stay, so
/// that line numbers hold. What stands in an interpolation is code. Regular expression literals are
/// not understood; the project has none.
struct SwiftText {
    private enum State {
        /// Code; `closing` is the depth at which a parenthesis ends an interpolation.
        case code(depth: Int, isInterpolation: Bool)
        case lineComment
        case blockComment(depth: Int)
        case string(hashes: Int, isMultiline: Bool)
    }

    private let source: [UInt8]
    private var at = 0
    private var states: [State] = [.code(depth: 0, isInterpolation: false)]
    private var output: [UInt8] = []

    private init(_ text: String) {
        source = Array(text.utf8)
        output.reserveCapacity(source.count)
    }

    /// The blanked text, as many bytes as the source.
    static func blanked(_ text: String) -> [UInt8] {
        var scanner = SwiftText(text)
        while scanner.at < scanner.source.count {
            scanner.step()
        }
        return scanner.output
    }

    private func starts(_ text: String) -> Bool {
        source[at...].starts(with: text.utf8)
    }

    private mutating func keep(_ count: Int = 1) {
        output += source[at..<min(at + count, source.count)]
        at += count
    }

    private mutating func blank(_ count: Int = 1) {
        let end = min(at + count, source.count)
        output += source[at..<end].map { $0 == UInt8(ascii: "\n") ? $0 : UInt8(ascii: " ") }
        at = end
    }

    private mutating func step() {
        switch states[states.count - 1] {
        case .code(let depth, let isInterpolation):
            stepCode(depth, isInterpolation)
        case .lineComment:
            if starts("\n") { states.removeLast() }
            blank()
        case .blockComment(let depth):
            stepBlockComment(depth)
        case .string(let hashes, let isMultiline):
            stepString(hashes, isMultiline)
        }
    }

    private mutating func stepBlockComment(_ depth: Int) {
        if starts("/*") {
            states[states.count - 1] = .blockComment(depth: depth + 1)
            blank(2)
        } else if starts("*/") {
            states.removeLast()
            if depth > 1 { states.append(.blockComment(depth: depth - 1)) }
            blank(2)
        } else {
            blank()
        }
    }

    private mutating func stepCode(_ depth: Int, _ isInterpolation: Bool) {
        if starts("//") {
            states.append(.lineComment)
        } else if starts("/*") {
            states.append(.blockComment(depth: 1))
            blank(2)
        } else if starts("`") {
            skipRawIdentifier()
        } else if starts("\"") || starts("#") {
            openString()
        } else if starts("(") {
            states[states.count - 1] = .code(depth: depth + 1, isInterpolation: isInterpolation)
            keep()
        } else if starts(")") {
            if isInterpolation && depth == 1 {
                states.removeLast()
            } else {
                states[states.count - 1] = .code(depth: depth - 1, isInterpolation: isInterpolation)
            }
            keep()
        } else {
            keep()
        }
    }

    private mutating func skipRawIdentifier() {
        let end = source[(at + 1)...].firstIndex { $0 == UInt8(ascii: "`") || $0 == 10 }
        blank((end ?? source.count - 1) - at + 1)
    }

    /// A quote, or number signs that may lead to one.
    private mutating func openString() {
        let hashes = source[at...].prefix { $0 == UInt8(ascii: "#") }.count
        let quotes = source[(at + hashes)...].prefix { $0 == UInt8(ascii: "\"") }.count
        guard quotes > 0 else { return keep(max(hashes, 1)) }
        let isMultiline = quotes >= 3
        // Two quotes are an empty string: the second one closes it in the next step.
        blank(hashes + (isMultiline ? 3 : 1))
        states.append(.string(hashes: hashes, isMultiline: isMultiline))
    }

    private mutating func stepString(_ hashes: Int, _ isMultiline: Bool) {
        let marks = String(repeating: "#", count: hashes)
        let quotes = isMultiline ? "\"\"\"" : "\""
        if starts(quotes + marks) {
            blank(quotes.count + hashes)
            states.removeLast()
        } else if starts("\\" + marks + "(") {
            blank(1 + hashes)
            keep()
            states.append(.code(depth: 1, isInterpolation: true))
        } else if starts("\\" + marks) {
            blank(2 + hashes)
        } else if starts("\n"), !isMultiline {
            // Not Swift, but the rest of the file should still be looked at.
            states.removeLast()
            blank()
        } else {
            blank()
        }
    }
}
