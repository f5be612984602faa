/// A field that the conversion does not carry over.
public struct FieldNote: Sendable, Hashable, CustomStringConvertible {
    /// Where it stands, as `spec.domain.devices.foo`.
    public let path: String
    /// Where in the text its name stands.
    public let position: YAMLPosition
    /// Why it is not carried over.
    public let reason: String

    /// The path, the place and the reason in one line.
    public var description: String { "\(path) (\(position)): \(reason)" }
}

/// Every map of a manifest that was opened, and so every field that was not read.
final class FieldReport {
    private var records: [FieldRecord] = []

    func add(_ record: FieldRecord) { records.append(record) }

    /// The fields that nothing asked for, in the order of the text.
    ///
    /// - Parameter table: the fields that are known to have no effect on a domain.
    /// - Returns: those without an effect, and all others.
    func leftOver(
        without table: FieldTable
    ) -> (withoutEffect: [FieldNote], notConverted: [FieldNote]) {
        var withoutEffect: [FieldNote] = []
        var notConverted: [FieldNote] = []
        for record in records {
            // The template of a VirtualMachine has metadata and a spec, and nothing of an instance
            // besides, whose pattern is its own too.
            let isTemplate = record.pattern.isEmpty && !record.path.isEmpty
            for member in record.leftOver {
                let pattern = record.pattern(member.key)
                let note = { (reason: String) in
                    FieldNote(
                        path: record.path(member.key),
                        position: member.position,
                        reason: reason
                    )
                }
                let reason = table.reasonWithoutEffect(pattern, in: record.pattern)
                if let reason, !isTemplate {
                    withoutEffect.append(note(reason))
                } else {
                    notConverted.append(
                        note(table.reasonNotConverted(pattern, in: record.pattern))
                    )
                }
            }
        }
        return (withoutEffect.sorted(by: Self.isBefore), notConverted.sorted(by: Self.isBefore))
    }

    private static func isBefore(_ left: FieldNote, _ right: FieldNote) -> Bool {
        (left.position.line, left.position.column, left.path)
            < (right.position.line, right.position.column, right.path)
    }
}
