public import FootingSystem

/// One place where two documents differ.
public struct Difference: Sendable, Equatable {
    /// Where: names and, in lists, what names the element, with dots between.
    public let path: String
    /// What was there; nil if nothing was.
    public let before: JSONValue?
    /// What is there; nil if nothing is.
    public let after: JSONValue?

    /// The members that name an element of a list, in the order of preference.
    private static let names = ["name", "slot", "id", "fact"]

    /// Every place where two documents differ, in the order of their paths.
    ///
    /// - Parameter ignored: paths that are not compared; a path below one of them is not either.
    public static func all(
        _ before: JSONValue,
        _ after: JSONValue,
        ignoring ignored: Set<String> = []
    ) -> [Difference] {
        var found: [Difference] = []
        compare("", before, after, ignored, &found)
        return found
    }

    private static func compare(
        _ path: String,
        _ before: JSONValue?,
        _ after: JSONValue?,
        _ ignored: Set<String>,
        _ found: inout [Difference]
    ) {
        guard before != after, !ignored.contains(path) else { return }
        let first = before.flatMap { members($0) }
        let second = after.flatMap { members($0) }
        guard let first, let second else {
            found.append(Difference(path: path, before: before, after: after))
            return
        }
        for name in Set(first.keys).union(second.keys).sorted() {
            let below = path.isEmpty ? name : "\(path).\(name)"
            compare(below, first[name], second[name], ignored, &found)
        }
    }

    /// The members of an object, or of a list whose elements all have a name of their own.
    private static func members(_ value: JSONValue) -> [String: JSONValue]? {
        switch value {
        case .object(let members): return members.dictionary
        case .array(let elements):
            // An empty list is one of named elements: what appears in it is named by the other.
            var result: [String: JSONValue] = [:]
            for element in elements {
                guard case .object(let members) = element,
                    let name = names.lazy.compactMap({ members[$0].flatMap { text($0) } }).first,
                    result.updateValue(element, forKey: name) == nil
                else { return nil }
            }
            return result
        default: return nil
        }
    }

    private static func text(_ value: JSONValue) -> String? {
        switch value {
        case .string(let text): text
        case .integer(let number): String(number)
        default: nil
        }
    }

    /// The difference in words: `block.vdb: appeared`, `cpu.online: [0] -> [0,1]`.
    public var text: String {
        switch (before, after) {
        case (nil, .some(let value)):
            Self.members(value) == nil ? "\(path): \(value.line())" : "\(path): appeared"
        case (.some, nil): "\(path): gone"
        default: "\(path): \(before?.line() ?? "") -> \(after?.line() ?? "")"
        }
    }

    /// `{"path", "before", "after"}`; null where nothing was or is.
    public var json: JSONValue {
        ["path": .string(path), "before": before ?? .null, "after": after ?? .null]
    }
}
