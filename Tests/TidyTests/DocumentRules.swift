/// The rules for documents.
enum DocumentRules {
    /// Every requirement of the project's specification, in its order.
    static let requirements: [String] = [
        ("HOST", 9), ("MEM", 5), ("DISK", 6), ("TUNE", 9), ("ACC", 2), ("KV", 4), ("LIB", 1),
    ].flatMap { (area: String, count: Int) in (1...count).map { "\(area)-\($0)" } }

    /// The text without fenced blocks, where neither titles nor links are meant.
    private static func prose(_ text: String) -> [(line: Int, text: Substring)] {
        var isFenced = false
        var result: [(Int, Substring)] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            if line.drop(while: { $0 == " " }).hasPrefix("```") {
                isFenced.toggle()
            } else if !isFenced {
                result.append((index + 1, line))
            }
        }
        return result
    }

    /// One title, on the first line.
    static func title(_ path: String, _ text: String) -> [String] {
        let titles = prose(text).filter { $0.text.hasPrefix("# ") }
        guard titles.count == 1, titles[0].line == 1 else {
            return ["\(path): \(titles.count) titles; one '# ' belongs on the first line"]
        }
        return []
    }

    /// Relative links that lead nowhere.
    static func links(
        _ path: String,
        _ text: String,
        exists: (String) -> Bool
    ) -> [String] {
        let folder = path.split(separator: "/").dropLast()
        return prose(text).flatMap { line, text in
            targets(text).compactMap { target in
                let file = target.split(separator: "#", omittingEmptySubsequences: false)[0]
                if file.isEmpty || file.hasPrefix("http") || file.hasPrefix("mailto:") {
                    return nil
                }
                var parts = folder
                for part in file.split(separator: "/") where part != "." {
                    if part == ".." { _ = parts.popLast() } else { parts.append(part) }
                }
                let resolved = parts.joined(separator: "/")
                return exists(resolved) ? nil : "\(path):\(line): the link \(target) leads nowhere"
            }
        }
    }

    /// What stands between `](` and `)`.
    private static func targets(_ line: Substring) -> [Substring] {
        var result: [Substring] = []
        var rest = line
        while let bracket = rest.firstIndex(of: "]") {
            rest = rest[rest.index(after: bracket)...]
            guard rest.first == "(", let end = rest.firstIndex(of: ")") else { continue }
            result.append(rest[rest.index(after: rest.startIndex)..<end])
        }
        return result
    }

    /// Requirements that have no row in the table, more than one, or are unknown.
    static func requirementRows(_ path: String, _ text: String) -> [String] {
        let ids = prose(text).compactMap { _, line -> String? in
            guard line.hasPrefix("|") else { return nil }
            let cells = line.split(separator: "|", omittingEmptySubsequences: false)
            let first = cells[1].filter { $0 != " " && $0 != "`" }
            return first.contains { $0.isNumber } ? String(first) : nil
        }
        let known = Set(requirements)
        let unknown = ids.filter { !known.contains($0) }.map { "\(path): unknown id \($0)" }
        return unknown
            + requirements.compactMap { id in
                let count = ids.count { $0 == id }
                return count == 1 ? nil : "\(path): \(id) has \(count) rows instead of one"
            }
    }
}
