import FootingSystem
import Testing

@testable import FootingKubeVirt

/// Manifests that nobody wrote: parts of every case in another one's place.
@Suite struct RandomManifestTests {
    /// A path without indices: what stands at one pattern fits at any other place of it.
    private static func pattern(_ path: String) -> String {
        var result = ""
        var isIndex = false
        for character in path {
            if character == "[" { isIndex = true }
            if !isIndex || character == "[" { result.append(character) }
            if character == "]" { isIndex = false }
        }
        return result
    }

    private struct Parts {
        var documents: [(fixture: ConvertFixture, node: YAMLNode)] = []
        var byPattern: [String: [YAMLNode]] = [:]

        init() throws {
            for fixture in ConvertFixture.all {
                let found = try YAMLNode.documents(in: try fixture.manifest())
                let document = try #require(found.first)
                guard document["kind"]?.value == .string("VirtualMachineInstance") else { continue }
                documents.append((fixture, document))
                for (steps, path) in document.all() where !steps.isEmpty {
                    byPattern[RandomManifestTests.pattern(path), default: []]
                        .append(document.value(at: steps))
                }
            }
        }

        /// A case with some of its parts from others, or left out, and parts of others added.
        func manifest(_ numbers: inout SeededRandom) -> (fixture: ConvertFixture, node: YAMLNode) {
            var (fixture, node) = documents[Int.random(in: 0..<documents.count, using: &numbers)]
            for _ in 0..<Int.random(in: 1...8, using: &numbers) {
                let places = node.all()
                let place = places[Int.random(in: 0..<places.count, using: &numbers)]
                let pattern = RandomManifestTests.pattern(place.path)
                let adds = Bool.random(using: &numbers)
                let others = byPattern.filter { key, _ in
                    key.hasPrefix(pattern + ".") && !key.dropFirst(pattern.count + 1).contains(".")
                        && !key.hasSuffix("[")
                }
                node = node.replacing(place.steps[...]) { old in
                    guard adds, case .map(let members) = old.value,
                        let key = others.keys.sorted().randomElement(using: &numbers),
                        let part = others[key]?.randomElement(using: &numbers)
                    else {
                        return byPattern[pattern]?.randomElement(using: &numbers) ?? old
                    }
                    let name = String(key.dropFirst(pattern.count + 1))
                    return YAMLNode(
                        .map(
                            members.filter { $0.key != name }
                                + [YAMLMember(name, part, at: old.position)]
                        ),
                        at: old.position
                    )
                }
            }
            return (fixture, node)
        }
    }

    /// The domains of many random manifests, each with the rules that hold for any.
    private func domains(count: Int, seed: UInt64) throws -> [String] {
        let parts = try Parts()
        var numbers = SeededRandom(seed: seed)
        var domains: [String] = []
        for _ in 0..<count {
            let (fixture, node) = parts.manifest(&numbers)
            let bytes = [UInt8](node.json)
            let result: DomainConversion
            do {
                result = try fixture.convert(bytes, bestEffort: true)
            } catch {
                #expect(error is ConversionError)
                #expect(throws: ConversionError.self) { try fixture.convert(bytes) }
                continue
            }
            if result.leftOut.isEmpty {
                let strict = try fixture.convert(bytes)
                #expect(strict.xml == result.xml)
            } else {
                #expect(throws: ConversionError.notConverted(result.leftOut)) {
                    try fixture.convert(bytes)
                }
            }
            domains.append(result.xml)
        }
        return domains
    }

    @Test func `Random manifests give domains, or errors, by the same rules`() throws {
        let domains = try domains(count: 600, seed: 1)
        // Most are refused for a name or a volume that is not there.
        #expect(domains.count > 100)
        #expect(Set(domains).count > 50)
        for domain in domains {
            #expect(throws: Never.self) { try XMLDocument([UInt8](domain)) }
        }
    }
}
