import Testing

@testable import FootingKubeVirt

/// No field is dropped in silence.
@Suite struct FieldTests {
    private static let position = YAMLPosition(line: 1, column: 1)

    /// Values that a field nobody knows may have.
    private static let strange: [YAMLValue] = [
        .null, .bool(false), .integer(0), .string(""), .list([]), .map([]),
        .map([YAMLMember("more", YAMLNode(.string("x"), at: position), at: position)]),
    ]

    private func notes(_ error: any Error) -> [FieldNote] {
        guard case .notConverted(let notes) = error as? ConversionError else { return [] }
        return notes
    }

    @Test(arguments: ConvertFixture.all)
    func `An unknown field in any map is reported`(fixture: ConvertFixture) throws {
        let manifest = try fixture.manifest()
        let document = try #require(try YAMLNode.documents(in: manifest).first)
        let original = try fixture.convert(manifest)
        let known = Set(original.withoutEffect.map(\.path))
        var count = 0
        for (steps, path) in document.all() {
            guard case .map(let members) = document.value(at: steps).value else { continue }
            let value = Self.strange[count % Self.strange.count]
            count += 1
            let changed = document.replacing(steps[...]) { node in
                let extra = YAMLMember(
                    "unheardOf",
                    YAMLNode(value, at: Self.position),
                    at: Self.position
                )
                return YAMLNode(.map(members + [extra]), at: node.position)
            }
            let bytes = [UInt8](changed.json)
            let field = path.isEmpty ? "unheardOf" : "\(path).unheardOf"
            // Within what has no effect as a whole, and is reported as such.
            let isOpaque = known.contains {
                path == $0 || path.hasPrefix("\($0).") || path.hasPrefix("\($0)[")
            }
            do {
                let result = try fixture.convert(bytes)
                let told = result.withoutEffect.map(\.path)
                #expect(isOpaque || told.contains(field), "\(field) is dropped")
                #expect(result.xml == original.xml)
            } catch {
                #expect(notes(error).map(\.path) == [field], "\(field): \(error)")
                let best = try fixture.convert(bytes, bestEffort: true)
                #expect(best.leftOut.map(\.path) == [field])
                #expect(best.leftOut.first?.reason == "unknown field")
                #expect(best.xml == original.xml)
            }
        }
        #expect(count >= 4)
    }

    /// Fields that another one of the same case outweighs, or that say the default.
    private static let outweighed: [String: Set<String>] = [
        "tuned": ["spec.domain.resources.requests.memory"],
        "running": [
            "spec.domain.resources.requests.memory", "status.runtimeUser",
            // It has no target.
            "status.volumeStatus[1].name",
        ],
        "pinned": [
            // One disk has one thread either way, and of the annotation the presence counts.
            "spec.domain.ioThreadsPolicy",
            "metadata.annotations.alpha.kubevirt.io/EmulatorThreadCompleteToEvenParity",
        ],
        "pool": [
            // The pool serves every disk; without nodes of its own a guest names no page size.
            "spec.domain.devices.disks[1].dedicatedIOThread",
            "spec.domain.memory.hugepages.pageSize",
        ],
        // The interface is absent.
        "network": ["spec.domain.devices.interfaces[2].name", "spec.networks[2].name"],
        // Its presence counts; the launcher writes the data to the file.
        "devices": ["metadata.annotations.kubevirt.io/ignitiondata"],
    ]

    private func other(_ value: YAMLValue) -> YAMLValue? {
        switch value {
        case .bool(let flag): .bool(!flag)
        case .integer(let number): .integer(number + 1)
        case .string(let text) where Self.words[text] != nil:
            Self.words[text].map { .string($0) }
        case .string(let text):
            if let quantity = Quantity(text), !text.isEmpty {
                .string("\(quantity.roundedUp + (1 << 20))")
            } else if text.utf8.count >= 12,
                text.contains(":") || text.split(separator: "-").count == 5,
                !text.contains(" "), text.last?.isHexDigit == true
            {
                // An address or a UUID.
                .string(text.dropLast() + (text.last == "1" ? "2" : "1"))
            } else {
                .string(text + "x")
            }
        default: nil
        }
    }

    /// Words of which a field takes a few, each with another that the same field takes.
    private static let words = [
        "auto": "shared", "virtio": "sata", "scsi": "sata", "sata": "scsi", "usb": "virtio",
        "none": "writethrough", "native": "threads", "report": "ignore", "open": "closed",
        "disable": "optional", "require": "optional", "delay": "catchup", "catchup": "delay",
        "discard": "delay", "merge": "delay", "guest": "wall", "wall": "guest",
        "reset": "shutdown", "shutdown": "reset", "Reboot": "Terminate", "Terminate": "Reboot",
        "down": "up", "up": "down", "absent": "up", "ich9": "ac97", "isa": "hyperv",
        "poweroff": "reset", "true": "false", "false": "true", "amd64": "s390x",
        "arm64": "amd64", "s390x": "amd64",
    ]

    /// The paths that are told, and what is below them.
    private func isTold(_ path: String, _ told: [FieldNote]) -> Bool {
        told.contains {
            path == $0.path || path.hasPrefix("\($0.path).") || path.hasPrefix("\($0.path)[")
        }
    }

    /// Changes every value of a case that is read, one at a time.
    ///
    /// - Returns: how many give another domain, which give the same one, and which an error.
    private func changes(
        of document: YAMLNode,
        _ fixture: ConvertFixture
    ) throws -> (effects: Int, silent: [String], refused: [String]) {
        let original = try fixture.convert([UInt8](document.json), bestEffort: true)
        var effects = 0
        var silent: [String] = []
        var refused: [String] = []
        for (steps, path) in document.all() {
            guard let value = other(document.value(at: steps).value),
                !isTold(path, original.withoutEffect + original.leftOut)
            else { continue }
            let changed = document.replacing(steps[...]) { YAMLNode(value, at: $0.position) }
            do {
                let result = try fixture.convert([UInt8](changed.json), bestEffort: true)
                if result.xml == original.xml { silent.append(path) } else { effects += 1 }
            } catch {
                refused.append("\(fixture.name) \(path): \(Self.withoutPlace(error))")
            }
        }
        return (effects, silent, refused)
    }

    private static func withoutPlace(_ error: any Error) -> String {
        guard case .invalid(let path, _, let reason) = error as? ConversionError else {
            return "\(error)"
        }
        return "\(path) \(reason)"
    }

    @Test func `Every field that is read has an effect, or an error that is listed`() throws {
        var refused: [String] = []
        for fixture in ConvertFixture.all {
            let manifest = try fixture.manifest()
            let document = try #require(try YAMLNode.documents(in: manifest).first)
            let found = try changes(of: document, fixture)
            let outweighed = Self.outweighed[fixture.name] ?? []
            #expect(Set(found.silent) == outweighed, "\(fixture.name): no effect")
            refused += found.refused
            #expect(found.effects > 0)
        }
        let expected = try ConvertFixture.text("refused.txt")
        #expect(refused.joined(separator: "\n") + "\n" == expected)
    }

    /// The same instance on another architecture; nil for what is no instance.
    private func moved(_ document: YAMLNode, to architecture: String) -> YAMLNode? {
        guard document["kind"]?.value == .string("VirtualMachineInstance"),
            case .map(let members)? = document["spec"]?.value
        else { return nil }
        let name = YAMLNode(.string(architecture), at: Self.position)
        return document.replacing([.key("spec")]) { spec in
            YAMLNode(
                .map(
                    members.filter { $0.key != "architecture" }
                        + [YAMLMember("architecture", name, at: Self.position)]
                ),
                at: spec.position
            )
        }
    }

    @Test(arguments: ["amd64", "arm64", "s390x"])
    func `No field is dropped on another architecture`(architecture: String) throws {
        var silent: [String] = []
        var converted = 0
        for fixture in ConvertFixture.all {
            let manifest = try fixture.manifest()
            let document = try #require(try YAMLNode.documents(in: manifest).first)
            guard let moved = moved(document, to: architecture),
                let found = try? changes(of: moved, fixture)
            else { continue }
            converted += 1
            let outweighed = Self.outweighed[fixture.name] ?? []
            silent += found.silent.filter { !outweighed.contains($0) }
                .map { "\(fixture.name) \($0)" }
        }
        #expect(converted > 10)
        #expect(silent.isEmpty)
    }

    @Test func `Every entry of the tables is told with its reason`() throws {
        let result = try ConvertFixture(name: "tuned").convert(
            ConvertFixture(name: "tuned").manifest()
        )
        let notes = result.withoutEffect.map(\.description)
        #expect(
            notes.first
                == "spec.domain.resources.requests.example.com/device (line 26, column 9): the "
                + "pod's share of the node"
        )
        for (field, reason) in FieldTable.known.withoutEffect.merging(
            FieldTable.known.notConverted,
            uniquingKeysWith: { first, _ in first }
        ) {
            #expect(!reason.isEmpty)
            // The metadata of an instance has the same keys in both tables; nothing else has.
            #expect(
                FieldTable.known.withoutEffect[field] == nil
                    || FieldTable.known.notConverted[field] == nil,
                "\(field) is in both tables"
            )
        }
    }

    @Test(arguments: [
        (
            "Instance\nspec: {domain: {devices: {gpus: [{name: g, claimName: c}]}, ",
            "}}", "spec.domain.devices.gpus[0].claimName"
        ),
        (
            "\nspec: {instancetype: {name: x}, template: {spec: {domain: {devices: {}, ",
            "}}}}", "spec.instancetype"
        ),
    ])
    func `A field beyond the subset says more than unknown`(
        start: String,
        end: String,
        path: String
    ) throws {
        let head = "apiVersion: kubevirt.io/v1\nmetadata: {name: a}\nkind: VirtualMachine"
        let manifest = head + start + "memory: {guest: 1Gi}" + end
        let error = #expect(throws: ConversionError.self) {
            try DomainConverter.convert(manifest: [UInt8](manifest))
        }
        let notes = notes(try #require(error))
        #expect(notes.first?.path == path)
        #expect(notes.first?.reason.hasPrefix("not converted: ") == true)
    }

    @Test func `An unknown field of the context is an error`() {
        for (text, path) in [
            ("speed: 1", "speed"), ("volumes: {a: {blok: true}}", "volumes.a.blok"),
            (
                "topology: {cells: [{id: 0, cpus: [{id: 0, core: 1}]}]}",
                "topology.cells[0].cpus[0].core"
            ),
        ] {
            let error = #expect(throws: ConversionError.self) {
                try ConversionContext(reading: [UInt8](text))
            }
            guard case .invalidContext(path, _, "unknown field") = error else {
                Issue.record("\(text): \(String(describing: error))")
                continue
            }
        }
    }
}
