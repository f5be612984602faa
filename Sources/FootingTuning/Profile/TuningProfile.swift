public import FootingSystem

/// What a place allows and asks for, field by field.
public struct TuningProfile: Sendable, Equatable {
    /// The schema of ``json``.
    public static let schema = "footing.profile/1"
    /// The number that a file's first line names.
    static let format = 1

    /// What it is called: small letters, digits and dashes.
    public let name: String
    /// The value of each field of ``ProfileField/all``, in that order.
    private(set) var values: [ProfileValue]

    /// The values of another profile under a new name.
    init(name: String, base: TuningProfile?) {
        self.name = name
        values = base?.values ?? Self.standard
    }

    private static let standard = ProfileField.all.map { field in
        do throws(ProfileError) {
            return try field.value(field.standard)
        } catch {
            preconditionFailure("the standard of a field: \(error)")
        }
    }

    /// The same values under another name.
    public func renamed(_ name: String) -> TuningProfile {
        TuningProfile(name: name, base: self)
    }

    /// A field's value.
    public subscript(field: String) -> ProfileValue {
        guard let index = ProfileField.all.firstIndex(where: { $0.name == field }) else {
            preconditionFailure("no field \(field)")
        }
        return values[index]
    }

    /// The rules that `footing apply` may follow.
    public var rules: [String] { self["rules"].names }

    /// The sentence that says what it is for.
    public var description: String {
        if case .text(let text) = self["description"] { return text }
        return ""
    }

    /// Gives a field another value.
    ///
    /// - Throws: ``ProfileError`` for a field that there is not, with what there is instead, and
    ///   for a value out of its range, with the range.
    public mutating func set(_ name: String, _ text: String) throws(ProfileError) {
        guard
            let index = ProfileField.all.firstIndex(where: {
                $0.name.utf8.elementsEqual(name.utf8)
            })
        else {
            let names = ProfileField.all.map(\.name).joined(separator: ", ")
            let isPlain = name.utf8.allSatisfy { (0x20...0x7e).contains($0) }
            let shown = isPlain ? "'\(name.prefix(40))'" : "such a name"
            throw ProfileError("there is no field \(shown); the fields are \(names)")
        }
        values[index] = try ProfileField.all[index].value(text)
    }

    /// Gives fields other values: `connections=5,unflushed-bytes=4M`.
    public mutating func set(assignments: String) throws(ProfileError) {
        var seen: Set<String> = []
        for assignment in assignments.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = assignment.split(
                separator: "=",
                maxSplits: 1,
                omittingEmptySubsequences: false
            )
            guard parts.count == 2 else {
                throw ProfileError("'\(assignment.prefix(40))' is not FIELD=VALUE")
            }
            let field = ProfileParser.trimmed(String(parts[0]))
            guard seen.insert(field).inserted else {
                throw ProfileError("'\(field.prefix(40))' is set twice")
            }
            try set(field, ProfileParser.trimmed(String(parts[1])))
        }
    }

    /// A field and its value, as a file has them.
    public func text(of field: String) -> String {
        guard let known = ProfileField.named(field) else { preconditionFailure("no \(field)") }
        return "\(field) = \(known.text(self[field]))"
    }

    /// The same without some of its rules.
    public func without(rules unwanted: [String]) -> TuningProfile {
        var profile = self
        let rest = rules.filter { !unwanted.contains($0) }
        do throws(ProfileError) {
            try profile.set("rules", rest.isEmpty ? "none" : rest.joined(separator: " "))
        } catch {
            preconditionFailure("the profile's own rules: \(error)")
        }
        return profile
    }

    /// What the profile asks for and nothing heeds yet, as `bandwidth = 10M`.
    public var unheeded: [String] {
        var fields = zip(ProfileField.all, values).compactMap { field, value -> String? in
            guard field.usedBy == nil else { return nil }
            let standard = (try? field.value(field.standard)).map { field.text($0) }
            let text = field.text(value)
            return text == standard ? nil : "\(field.name) = \(text)"
        }
        // 'all' is what there is; who names it expects it.
        if case .names(let names) = self["features"], names.contains(Feature.remote.rawValue) {
            fields.append("features = \(Feature.remote.rawValue)")
        }
        return fields
    }

    /// The profile as a file, which ``ProfileParser/parse(_:)`` reads as the same.
    public func text() -> String {
        var text = """
            # A profile for footing; see docs/tuning.md.
            format = \(Self.format)
            name = \(name)

            """
        for (field, value) in zip(ProfileField.all, values) {
            let user = field.usedBy.map { "Used by \($0)." } ?? "Nothing uses it yet."
            text += "\n# \(field.help) \(user)\n"
            if case .names = field.kind {} else { text += "# \(field.range)\n" }
            text += "\(field.name) = \(field.text(value))\n"
        }
        return text
    }

    /// The document `footing.profile/1`.
    public var json: JSONValue {
        let fields = zip(ProfileField.all, values).map { field, value -> JSONValue in
            [
                "name": .string(field.name),
                "value": .string(field.text(value)),
                "range": .string(field.range),
                "help": .string(field.help),
                "usedBy": field.usedBy.map { .string($0) } ?? .null,
            ]
        }
        return [
            "schema": .string(Self.schema), "name": .string(name),
            "description": .string(description), "fields": .array(fields),
        ]
    }
}
