/// One map of a manifest, and which of its keys were read.
///
/// A class of its own, so that the report holds what its readers know without holding the readers,
/// which hold the report.
final class FieldRecord {
    /// Where the map stands, as `spec.domain.devices.disks[0]`.
    let path: String
    /// The same for the tables of fields: relative to a VirtualMachineInstance, without indices.
    let pattern: String
    let members: [YAMLMember]
    private var readKeys: Set<String> = []

    init(path: String, pattern: String, members: [YAMLMember]) {
        self.path = path
        self.pattern = pattern
        self.members = members
    }

    /// The members whose keys were never asked for.
    var leftOver: [YAMLMember] { members.filter { !readKeys.contains($0.key) } }

    /// The path of a member.
    func path(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    /// The pattern of a member.
    func pattern(_ key: String) -> String { pattern.isEmpty ? key : "\(pattern).\(key)" }

    /// Takes a key for one that was asked for.
    func didRead(_ key: String) { readKeys.insert(key) }

    /// Takes keys for ones that nothing asked for.
    func leave(_ keys: [String]) { readKeys.subtract(keys) }
}
