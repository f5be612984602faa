/// Finds the bodies of functions, initialisers, accessors and computed properties.
struct FunctionScanner {
    /// A body with the line its declaration starts at.
    struct Function: Equatable {
        let line: Int
        /// From the declaration's first line to the closing brace.
        let lineCount: Int
    }

    private static let keywords: Set<String> = [
        "func", "init", "deinit", "subscript", "get", "set", "willSet", "didSet", "var",
    ]
    /// Words that may begin the line between a declaration and its opening brace.
    private static let continuations: Set<String> = ["where", "throws", "async", "rethrows"]

    private let code: [UInt8]
    private let lines: [Int]

    private init(_ code: [UInt8]) {
        self.code = code
        var line = 1
        lines = code.map { byte in
            defer { line += byte == UInt8(ascii: "\n") ? 1 : 0 }
            return line
        }
    }

    /// Every body in the order of the declarations.
    static func functions(in text: String) -> [Function] {
        let scanner = FunctionScanner(SwiftText.blanked(text))
        return scanner.declarations().compactMap { start, keyword in
            guard let open = scanner.openingBrace(after: start + keyword.utf8.count, keyword),
                let close = scanner.closingBrace(of: open)
            else { return nil }
            let line = scanner.lines[start]
            return Function(line: line, lineCount: scanner.lines[close] - line + 1)
        }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        Character(UnicodeScalar(byte)).isLetter || (48...57).contains(byte) || byte == 95
            || byte >= 0x80
    }

    /// Where a keyword stands that can have a body.
    private func declarations() -> [(start: Int, keyword: String)] {
        var result: [(Int, String)] = []
        var at = 0
        while at < code.count {
            guard Self.isWord(code[at]) else {
                at += 1
                continue
            }
            let word = code[at...].prefix { Self.isWord($0) }
            let text = String(decoding: word, as: UTF8.self)
            let isMember = at > 0 && code[at - 1] == UInt8(ascii: ".")
            if Self.keywords.contains(text) && !isMember {
                result.append((at, text))
            }
            at = word.endIndex
        }
        return result
    }

    private func openingBrace(after start: Int, _ keyword: String) -> Int? {
        var depth = 0
        var at = start
        while at < code.count {
            switch Character(UnicodeScalar(code[at])) {
            case "(", "[": depth += 1
            case ")", "]":
                depth -= 1
                if depth < 0 { return nil }
            case "{" where depth == 0: return at
            case "}" where depth == 0, ";" where depth == 0: return nil
            case "=" where depth == 0 && keyword == "var": return nil
            case "," where depth == 0 && keyword == "var": return nil
            case "\n" where depth == 0 && !continues(at + 1): return nil
            default: break
            }
            at += 1
        }
        return nil
    }

    /// Whether the next line still belongs to the declaration's head.
    private func continues(_ start: Int) -> Bool {
        let rest = code[min(start, code.count)...].drop { $0 == 32 || $0 == 10 }
        guard let first = rest.first else { return false }
        if first == UInt8(ascii: "{") || rest.starts(with: "->".utf8) { return true }
        let word = String(decoding: rest.prefix { Self.isWord($0) }, as: UTF8.self)
        return Self.continuations.contains(word)
    }

    private func closingBrace(of open: Int) -> Int? {
        var depth = 0
        for at in open..<code.count {
            if code[at] == UInt8(ascii: "{") { depth += 1 }
            if code[at] == UInt8(ascii: "}") {
                depth -= 1
                if depth == 0 { return at }
            }
        }
        return nil
    }

    /// Bodies in C, where the style puts a function's braces in the first column.
    static func cFunctions(in text: String) -> [Function] {
        var result: [Function] = []
        var start: Int?
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            if line == "{" { start = index }
            if line == "}", let first = start {
                result.append(Function(line: first, lineCount: index - first + 2))
                start = nil
            }
        }
        return result
    }
}
