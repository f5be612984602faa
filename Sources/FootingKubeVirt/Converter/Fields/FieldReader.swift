/// A map of a manifest that knows which of its keys were read.
///
/// The only way to a value is a method that notes its key, and the only way to a map or a list of
/// maps gives further readers that the report knows. So a key that no code asks for is left over,
/// and is told: nothing can be dropped in silence.
struct FieldReader {
    private let record: FieldRecord
    private let report: FieldReport

    init(
        _ node: YAMLNode,
        path: String,
        pattern: String,
        report: FieldReport
    ) throws(ConversionError) {
        guard case .map(let members) = node.value else {
            throw .invalid(path, node.position, "must be a map, not \(node.value.kindName)")
        }
        record = FieldRecord(path: path, pattern: pattern, members: members)
        self.report = report
        position = node.position
        report.add(record)
    }

    /// Where the map stands, as `spec.domain.devices.disks[0]`.
    var path: String { record.path }

    /// The same for the tables of fields: relative to a VirtualMachineInstance, without indices.
    var pattern: String { record.pattern }

    let position: YAMLPosition

    private var members: [YAMLMember] { record.members }

    /// Every key, in the order of the text.
    var keys: [String] { members.map(\.key) }

    /// The path of a member.
    func path(_ key: String) -> String { record.path(key) }

    /// The pattern of a member.
    func pattern(_ key: String) -> String { record.pattern(key) }

    private func node(_ key: String) -> YAMLNode? {
        record.didRead(key)
        guard let node = members.first(where: { $0.key == key })?.node, node.value != .null else {
            return nil
        }
        return node
    }

    /// Takes keys for ones that nothing asked for, so that they are told: what they say has no
    /// effect here.
    func leave(_ keys: String...) { record.leave(keys) }

    /// An error about a member.
    func error(_ key: String, _ reason: String) -> ConversionError {
        let place = members.first { $0.key == key }?.node.position ?? position
        return .invalid(path(key), place, reason)
    }

    private func mismatch(_ key: String, _ node: YAMLNode, _ wanted: String) -> ConversionError {
        error(key, "must be \(wanted), not \(node.value.kindName)")
    }

    /// A map, with the tables' pattern given anew where another object begins.
    func child(_ key: String, pattern: String? = nil) throws(ConversionError) -> FieldReader? {
        guard let node = node(key) else { return nil }
        return try FieldReader(
            node,
            path: path(key),
            pattern: pattern ?? self.pattern(key),
            report: report
        )
    }

    /// Whether a map is there that says all by its presence; what it holds is still reported.
    func isPresent(_ key: String) throws(ConversionError) -> Bool {
        try child(key) != nil
    }

    /// A list of maps; empty where it is absent.
    func children(_ key: String) throws(ConversionError) -> [FieldReader] {
        guard let node = node(key) else { return [] }
        guard case .list(let items) = node.value else { throw mismatch(key, node, "a list") }
        guard items.count <= Self.listMaximum else {
            throw error(key, "has more than \(Self.listMaximum) entries")
        }
        var readers: [FieldReader] = []
        for (index, item) in items.enumerated() {
            readers.append(
                try FieldReader(
                    item,
                    path: "\(path(key))[\(index)]",
                    pattern: "\(pattern(key))[]",
                    report: report
                )
            )
        }
        return readers
    }

    /// The maps of a map with free keys, by key; none where it is absent.
    func named(_ key: String) throws(ConversionError) -> [(name: String, reader: FieldReader)] {
        guard let reader = try child(key) else { return [] }
        guard reader.members.count <= Self.listMaximum else {
            throw error(key, "has more than \(Self.listMaximum) entries")
        }
        var readers: [(String, FieldReader)] = []
        for name in reader.keys {
            guard let child = try reader.child(name) else { continue }
            readers.append((name, child))
        }
        return readers
    }

    /// More disks or interfaces than any machine has.
    static let listMaximum = 1024

    /// A text that XML can hold; nil where it is absent.
    func string(_ key: String) throws(ConversionError) -> String? {
        guard let node = node(key) else { return nil }
        guard case .string(let text) = node.value else {
            throw mismatch(key, node, "a text (in quotes, if it looks like something else)")
        }
        guard text.unicodeScalars.allSatisfy(Self.isXML) else {
            throw error(key, "has a character that XML cannot hold")
        }
        return text
    }

    /// A text that is not empty; Kubernetes treats an empty one as absent.
    func word(_ key: String) throws(ConversionError) -> String? {
        guard let text = try string(key), !text.isEmpty else { return nil }
        return text
    }

    /// A name that libvirt takes for an alias, and that is one step of a path.
    func name(_ key: String = "name") throws(ConversionError) -> String {
        guard let text = try optionalName(key) else { throw error(key, "is required") }
        return text
    }

    /// The same; nil where it is absent.
    func optionalName(_ key: String) throws(ConversionError) -> String? {
        guard let text = try word(key) else { return nil }
        let allowed = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
                UInt8(ascii: "."):
                true
            default: false
            }
        }
        guard allowed, text.utf8.count <= 253, text != ".", text != ".." else {
            throw error(key, "must be a name of letters, digits, “-”, “_” and “.”")
        }
        return text
    }

    /// One of a few words; nil where it is absent or empty.
    func choice(_ key: String, _ allowed: [String]) throws(ConversionError) -> String? {
        guard let text = try word(key) else { return nil }
        guard allowed.contains(text) else {
            throw error(key, "must be one of \(allowed.joined(separator: ", "))")
        }
        return text
    }

    /// True or false; nil where it is absent.
    func bool(_ key: String) throws(ConversionError) -> Bool? {
        guard let node = node(key) else { return nil }
        guard case .bool(let flag) = node.value else { throw mismatch(key, node, "true or false") }
        return flag
    }

    /// A whole number in a range; nil where it is absent.
    func integer(_ key: String, in range: ClosedRange<Int>) throws(ConversionError) -> Int? {
        guard let node = node(key) else { return nil }
        guard let number = node.value.wholeNumber else {
            throw mismatch(key, node, "a whole number")
        }
        guard let value = Int(exactly: number), range.contains(value) else {
            throw error(key, "must be from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// A list of whole numbers in a range; nil where it is absent.
    func integers(_ key: String, in range: ClosedRange<Int>) throws(ConversionError) -> [Int]? {
        guard let node = node(key) else { return nil }
        guard case .list(let items) = node.value else { throw mismatch(key, node, "a list") }
        var values: [Int] = []
        for item in items {
            guard let number = item.value.wholeNumber, let value = Int(exactly: number),
                range.contains(value)
            else {
                throw error(
                    key,
                    "must be whole numbers from \(range.lowerBound) to \(range.upperBound)"
                )
            }
            values.append(value)
        }
        return values
    }

    /// An amount of a resource, not less than nothing; nil where it is absent.
    func quantity(_ key: String) throws(ConversionError) -> Quantity? {
        guard let node = node(key) else { return nil }
        let text: String
        switch node.value {
        case .string(let words):
            // Kubernetes takes the spaces around it off.
            var rest = words[...]
            while rest.first == " " { rest.removeFirst() }
            while rest.last == " " { rest.removeLast() }
            text = String(rest)
        case .integer(let number): text = String(number)
        case .decimal(let words): text = words
        default: throw mismatch(key, node, "an amount like 1Gi or 500m")
        }
        guard let quantity = Quantity(text) else {
            throw error(key, "must be an amount like 1Gi or 500m, up to 2^63 - 1")
        }
        guard quantity >= Quantity(0) else { throw error(key, "is less than nothing") }
        return quantity
    }

    /// What XML 1.0 allows in a document.
    private static func isXML(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09, 0x0A, 0x0D, 0x20...0xD7FF, 0xE000...0xFFFD, 0x10000...0x10FFFF: true
        default: false
        }
    }
}
