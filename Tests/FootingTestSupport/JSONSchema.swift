package import FootingSystem
internal import Foundation

/// The part of JSON Schema (draft 2020-12) that the project's own schemas use.
///
/// A keyword that is not known is an error: a schema must not seem to demand what nobody checks.
package struct JSONSchema {
    private let root: [String: Any]

    /// A keyword that nobody here knows.
    package struct Unknown: Error { package let keyword: String }

    /// Reads a schema of the project.
    ///
    /// - Parameter path: from the project's folder.
    package init(project path: String) throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        try self.init(contentsOf: folder.appendingPathComponent("../../\(path)").standardized.path)
    }

    /// Reads a schema.
    package init(contentsOf path: String) throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        root = try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
    }

    /// Keywords that demand nothing.
    private static let remarks: Set<String> = ["$schema", "$id", "$defs", "title", "description"]

    /// Every place where a value is not as the schema demands.
    package func problems(_ value: JSONValue) throws -> [String] {
        try problems(value, root, "$")
    }

    private func problems(
        _ value: JSONValue,
        _ schema: [String: Any],
        _ path: String
    ) throws -> [String] {
        var found: [String] = []
        for (keyword, demand) in schema where !Self.remarks.contains(keyword) {
            switch keyword {
            case "$ref":
                let name = String((demand as? String ?? "").dropFirst("#/$defs/".count))
                let definitions = root["$defs"] as? [String: [String: Any]]
                guard let target = definitions?[name] else {
                    throw Unknown(keyword: "$ref \(name)")
                }
                found += try problems(value, target, path)
            case "type":
                let types = demand as? [String] ?? [demand as? String ?? ""]
                if !types.contains(where: { Self.isType(value, $0) }) {
                    found.append("\(path): no \(types.joined(separator: " or ")): \(value.text())")
                }
            case "const":
                if value != .string(demand as? String ?? "") { found.append("\(path): not const") }
            case "enum":
                let choices = (demand as? [Any] ?? []).map { ($0 as? String).map(JSONValue.string) }
                if !choices.contains(where: { ($0 ?? .null) == value }) {
                    found.append("\(path): not one of the choices: \(value.text())")
                }
            case "minimum":
                if case .integer(let number) = value, number < demand as? Int64 ?? 0 {
                    found.append("\(path): \(number) is too small")
                }
            case "pattern":
                if case .string(let text) = value,
                    text.range(of: demand as? String ?? "", options: .regularExpression) == nil
                {
                    found.append("\(path): not of the form: \(text)")
                }
            case "items":
                guard case .array(let elements) = value else { break }
                let below = demand as? [String: Any] ?? [:]
                for (index, element) in elements.enumerated() {
                    found += try problems(element, below, "\(path)[\(index)]")
                }
            case "properties": found += try members(value, demand, path)
            case "required":
                guard case .object(let members) = value else { break }
                for name in demand as? [String] ?? [] where members[name] == nil {
                    found.append("\(path): \(name) is missing")
                }
            case "additionalProperties":
                guard case .object(let members) = value else { break }
                let known = (schema["properties"] as? [String: Any] ?? [:]).keys
                for name in members.keys where !known.contains(name) {
                    found.append("\(path): \(name) is not in the schema")
                }
            default: throw Unknown(keyword: keyword)
            }
        }
        return found
    }

    private func members(_ value: JSONValue, _ demand: Any, _ path: String) throws -> [String] {
        guard case .object(let members) = value else { return [] }
        var found: [String] = []
        for (name, below) in demand as? [String: [String: Any]] ?? [:] {
            if let member = members[name] {
                found += try problems(member, below, "\(path).\(name)")
            }
        }
        return found
    }

    private static func isType(_ value: JSONValue, _ type: String) -> Bool {
        switch (type, value) {
        case ("null", .null), ("boolean", .bool), ("string", .string), ("array", .array),
            ("object", .object), ("integer", .integer), ("integer", .unsigned),
            ("number", .integer), ("number", .unsigned), ("number", .number):
            true
        default: false
        }
    }
}
