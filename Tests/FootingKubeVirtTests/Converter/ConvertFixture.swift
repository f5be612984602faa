import Testing
import FootingSystem

@testable import FootingKubeVirt

/// The cases in `Fixtures/Convert`: a manifest, what a cluster would know, and the domain.
///
/// Written for these tests. Where upstream's converter takes the same input, its domain is the same
/// but for what `asKubeVirt` stands for: `Scripts/compare_domains.py` compares the two.
struct ConvertFixture: CustomTestStringConvertible {
    let name: String
    var file: String { name == "running" ? "running.json" : "\(name).yaml" }
    var testDescription: String { name }

    static let all = [
        "minimal", "tuned", "pinned", "pool", "windows", "arm", "mainframe", "network", "devices",
        "machine", "running", "root", "efi-open", "efi-locked", "kernel", "seeded", "usb",
        "sidecar",
    ].map(ConvertFixture.init)

    private static var folder: String {
        let path = #filePath
        let parts = path.split(separator: "/").dropLast(2)
        return "/" + parts.joined(separator: "/") + "/Fixtures/Convert"
    }

    static func path(_ file: String) -> String { "\(folder)/\(file)" }

    private static func bytes(_ file: String) throws -> [UInt8] {
        try HostRoot(path: folder).bytes(file)
    }

    static func text(_ file: String) throws -> String { try bytes(file).text }

    func manifest() throws -> [UInt8] { try Self.bytes(file) }

    func context() -> [UInt8]? { try? Self.bytes("\(name).context.yaml") }

    func domain() throws -> String { try Self.bytes("\(name).xml").text }

    func convert(_ bytes: [UInt8], bestEffort: Bool = false) throws -> DomainConversion {
        try DomainConverter.convert(manifest: bytes, context: context(), bestEffort: bestEffort)
    }
}

extension YAMLNode {
    /// The value as JSON.
    var json: String {
        switch value {
        case .null: "null"
        case .bool(let flag): "\(flag)"
        case .integer(let number): "\(number)"
        case .decimal(let text): text
        case .string(let text): Self.quoted(text)
        case .list(let items): "[" + items.map(\.json).joined(separator: ",") + "]"
        case .map(let members):
            "{" + members.map { Self.quoted($0.key) + ":" + $0.node.json }.joined(separator: ",")
                + "}"
        }
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\\(scalar)"
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    /// A step down.
    enum Step: Hashable {
        case key(String)
        case index(Int)
    }

    /// Every value below and this one, each with its way and its path as the converter writes it.
    func all(_ steps: [Step] = [], _ path: String = "") -> [(steps: [Step], path: String)] {
        var found = [(steps, path)]
        switch value {
        case .map(let members):
            for member in members {
                let next = path.isEmpty ? member.key : "\(path).\(member.key)"
                found += member.node.all(steps + [.key(member.key)], next)
            }
        case .list(let items):
            for (index, item) in items.enumerated() {
                found += item.all(steps + [.index(index)], "\(path)[\(index)]")
            }
        default: break
        }
        return found
    }

    /// The same with another value somewhere.
    func replacing(_ steps: ArraySlice<Step>, _ change: (YAMLNode) -> YAMLNode) -> YAMLNode {
        guard let step = steps.first else { return change(self) }
        let rest = steps.dropFirst()
        switch (step, value) {
        case (.key(let key), .map(let members)):
            return YAMLNode(
                .map(
                    members.map { member in
                        member.key == key
                            ? YAMLMember(
                                key,
                                member.node.replacing(rest, change),
                                at: member.position
                            ) : member
                    }
                ),
                at: position
            )
        case (.index(let index), .list(var items)):
            items[index] = items[index].replacing(rest, change)
            return YAMLNode(.list(items), at: position)
        default: return self
        }
    }

    func value(at steps: [Step]) -> YAMLNode {
        var node = self
        for step in steps {
            switch (step, node.value) {
            case (.key(let key), _): node = node[key] ?? node
            case (.index(let index), .list(let items)): node = items[index]
            default: break
            }
        }
        return node
    }
}
