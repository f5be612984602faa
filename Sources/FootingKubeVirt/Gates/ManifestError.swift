/// Why a manifest cannot be used.
public struct ManifestError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong, and with which field or where.
    public let description: String

    init(_ description: String) {
        self.description = description
    }

    /// The only document of one of the kinds, in YAML or JSON, or in a list of objects.
    static func document(of kinds: [String], in bytes: [UInt8]) throws(ManifestError) -> YAMLNode {
        let documents: [YAMLNode]
        do throws(YAMLError) {
            documents = try YAMLNode.documents(in: bytes)
        } catch {
            throw ManifestError("\(error)")
        }
        var found: [YAMLNode] = []
        for document in documents {
            let kind = try document["kind"]?.text("kind") ?? ""
            if kinds.contains(kind) { found.append(document) }
            guard kind.hasSuffix("List"), let items = document["items"] else { continue }
            for item in try items.elements("items") {
                let kind = try item["kind"]?.text("items[].kind") ?? ""
                if kinds.contains(kind) { found.append(item) }
            }
        }
        let names = kinds.joined(separator: " or ")
        guard let first = found.first else { throw ManifestError("there is no \(names) in it") }
        guard found.count == 1 else {
            throw ManifestError("there are \(found.count) objects of the kind \(names) in it")
        }
        return first
    }
}

extension YAMLNode {
    private func wrong(_ path: String, _ expected: String) -> ManifestError {
        ManifestError("\(path): \(expected) is expected, not \(value.kindName) (\(position))")
    }

    /// A text; nil for null, which Kubernetes treats as absent.
    func text(_ path: String) throws(ManifestError) -> String? {
        switch value {
        case .string(let text): return text
        case .null: return nil
        default: throw wrong(path, "a text")
        }
    }

    /// True or false; nil for null.
    func truth(_ path: String) throws(ManifestError) -> Bool? {
        switch value {
        case .bool(let truth): return truth
        case .null: return nil
        default: throw wrong(path, "true or false")
        }
    }

    /// A whole number that is not negative; nil for null.
    func count(_ path: String) throws(ManifestError) -> Int? {
        if value == .null { return nil }
        guard let number = value.wholeNumber else { throw wrong(path, "a whole number") }
        guard let count = UInt32(exactly: number) else {
            throw wrong(path, "a whole number from 0 to 4294967295")
        }
        return Int(count)
    }

    /// A list; an empty one for null.
    func elements(_ path: String) throws(ManifestError) -> [YAMLNode] {
        switch value {
        case .list(let elements): return elements
        case .null: return []
        default: throw wrong(path, "a list")
        }
    }

    /// A list of texts.
    func names(_ path: String) throws(ManifestError) -> [String] {
        var names: [String] = []
        for (index, element) in try elements(path).enumerated() {
            guard case .string(let name) = element.value else {
                throw element.wrong("\(path)[\(index)]", "a text")
            }
            names.append(name)
        }
        return names
    }

    /// A map of texts, such as labels.
    func texts(_ path: String) throws(ManifestError) -> [String: String] {
        switch value {
        case .map(let members):
            var texts: [String: String] = [:]
            for member in members {
                texts[member.key] = try member.node.text("\(path).\(member.key)") ?? ""
            }
            return texts
        case .null: return [:]
        default: throw wrong(path, "a map")
        }
    }

    /// The names in a map.
    func keys(_ path: String) throws(ManifestError) -> [String] {
        switch value {
        case .map(let members): return members.map(\.key)
        case .null: return []
        default: throw wrong(path, "a map")
        }
    }
}
