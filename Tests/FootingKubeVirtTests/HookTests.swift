import FootingSystem
import Testing

@testable import FootingKubeVirt

/// The hook on domains: identity, the one change, and trouble.
@Suite struct HookTests {
    static let on = ClusterConfiguration(gates: FeatureGates(listed: ["HyperVL1VH"]))
    static let machine = #"{"metadata":{"name":"vm","namespace":"ns"},"spec":{"domain":{}}}"#

    private func hook(
        _ cluster: ClusterConfiguration?,
        _ machine: FakeMachine,
        isStrict: Bool = false
    ) -> DomainHook {
        DomainHook(cluster: cluster, isStrict: isStrict, root: machine.root, clock: FixedClock())
    }

    private func manifest(_ annotations: [String: String] = [:], device: Bool = true) -> [UInt8] {
        let list = annotations.map { "\"\($0.key)\":\"\($0.value)\"" }.joined(separator: ",")
        let resources = device ? #""limits":{"devices.kubevirt.io/mshv":"1"}"# : ""
        return [UInt8](
            #"{"metadata":{"name":"vm","namespace":"ns","annotations":{\#(list)}},"#
                + #""spec":{"domain":{"cpu":{"model":"host-passthrough"},"#
                + #""resources":{\#(resources)}}}}"#
        )
    }

    /// Whatever asks for nothing.
    static let idle: [(name: String, cluster: ClusterConfiguration?, devices: [String])] = [
        ("no resource", nil, ["mshv"]),
        ("gate off", ClusterConfiguration(), ["mshv"]),
        ("gate disabled", .init(gates: FeatureGates(disabled: ["HyperVL1VH"])), ["mshv"]),
        ("other gates", .init(gates: FeatureGates(listed: ["Snapshot", "Mshv"])), ["mshv"]),
        (
            "KVM configured",
            .init(
                gates: .init(listed: ["HyperVL1VH", "ConfigurableHypervisor"]),
                hypervisor: "kvm"
            ),
            ["mshv"]
        ),
        (
            "KubeVirt's own choice",
            .init(gates: .init(listed: ["ConfigurableHypervisor"]), hypervisor: "hyperv-direct"),
            ["mshv"]
        ),
        ("no device", on, ["kvm"]),
    ]

    @Test(arguments: Fixture.domains) func `nothing to do: byte for byte`(_ name: String) throws {
        let domain = try Fixture.domain(name)
        for row in Self.idle {
            let machine = try FakeMachine(devices: row.devices)
            let outcome = hook(row.cluster, machine).run(
                manifest: [UInt8](Self.machine),
                domain: domain
            )
            #expect(outcome.domain == domain, "\(row.name)")
            #expect(outcome.record.changes.isEmpty, "\(row.name)")
            #expect(outcome.record.typeBefore == outcome.record.typeAfter)
        }
    }

    @Test func `gate off: whatever goes in comes out`() throws {
        let machine = try FakeMachine(devices: ["mshv"])
        let inputs: [[UInt8]] = [
            [], [0], [0xFF, 0xFE, 0x00], [UInt8]("<domain"), [UInt8]("<!DOCTYPE a><a/>"),
            [UInt8](repeating: 0x3C, count: 200_000),
        ]
        for input in inputs {
            for manifest in [nil, [UInt8]("{"), [0xFF]] as [[UInt8]?] {
                #expect(hook(nil, machine).run(manifest: manifest, domain: input).domain == input)
            }
        }
    }

    @Test(arguments: Fixture.domains) func `selected: the type and nothing else`(
        _ name: String
    ) throws {
        let domain = try Fixture.domain(name)
        let machine = try FakeMachine(devices: ["mshv"])
        let hook = hook(Self.on, machine)
        let outcome = hook.run(manifest: manifest(), domain: domain)
        let place = try #require(try XMLDocument(domain).root.attribute("type")?.place)
        let expected = domain[..<place.lowerBound] + [UInt8]("hyperv") + domain[place.upperBound...]
        let output = try #require(outcome.domain)
        #expect(output == Array(expected))
        #expect(outcome.record.typeAfter == "hyperv")
        #expect(outcome.record.reason == "L1VHSelected")
        #expect(outcome.record.changes.count == 1)
        // Twice is once: KubeVirt calls again with what libvirt made of it.
        let again = hook.run(manifest: manifest(), domain: output)
        #expect(again.domain == output)
        #expect(again.record.changes.isEmpty)
        #expect(again.record.typeBefore == "hyperv" && again.record.typeAfter == "hyperv")
    }

    @Test func `what the node has counts only where the pod gets it`() throws {
        let domain = try Fixture.domain("plain")
        let machine = try FakeMachine(misc: "119 mshv\n")
        let without = hook(Self.on, machine).run(manifest: manifest(device: false), domain: domain)
        #expect(without.domain == domain)
        #expect(without.record.reason == "MSHVNotAssigned")
        #expect(without.record.findings.map(\.code) == [.deviceResource])
        let with = hook(Self.on, machine).run(manifest: manifest(), domain: domain)
        #expect(with.record.typeAfter == "hyperv")
        #expect(with.record.findings.isEmpty)
        var settings = ClusterConfiguration.Settings()
        settings.assignsDevice = true
        let assigned = ClusterConfiguration(gates: Self.on.gates, settings: settings)
        let all = hook(assigned, machine).run(manifest: manifest(device: false), domain: domain)
        #expect(all.record.typeAfter == "hyperv")
    }

    @Test func `a device that cannot be looked at is no absence, and no reason to fail`() throws {
        let domain = try Fixture.domain("plain")
        let machine = try FakeMachine(misc: "119 mshv\n")
        try machine.loop("mshv")
        let outcome = hook(Self.on, machine).run(manifest: manifest(), domain: domain)
        #expect(outcome.domain == domain)
        #expect(outcome.record.reason == "MSHVNotReadable")
        #expect(outcome.record.findings.map(\.code) == [.device])
        let strict = hook(Self.on, machine, isStrict: true)
        #expect(strict.run(manifest: manifest(), domain: domain).domain == nil)
    }

    @Test func `a type that stays is no selection, whatever else is tuned`() throws {
        let machine = try FakeMachine(devices: ["mshv"])
        let text = try Fixture.domain("plain").text.replacing("\"kvm\"", with: "\"&#107;vm\"")
        let outcome = hook(Self.on, machine).run(
            manifest: manifest(["footing/queues": "2"]),
            domain: [UInt8](text)
        )
        #expect(outcome.domain?.text.contains("queues=\"2\"") == true)
        #expect(outcome.record.reason == "Unchanged" && outcome.record.typeAfter == "kvm")
        let condition = HypervisorCondition.json(outcome.record)
        #expect(condition.member("status")?.stringValue == "False")
    }

    static let trouble = [
        "", "<domain type='kvm'>", "<domain type='kvm'/><x/>", "<vm type='kvm'/>",
        "<domain type='xen'/>", "<domain type='mshv'/>", "<domain/>", "<domain type=''/>",
        "<domain xmlns='urn:q' type='kvm'/>",
        "<q:domain xmlns:q='urn:q' type='kvm'/>", "<domain q:type='kvm' xmlns:q='urn:q'/>",
        "<domain type='&#107;vm'/>", "<!DOCTYPE domain [<!ENTITY k 'kvm'>]><domain type='kvm'/>",
        "<?xml version='1.0' encoding='latin1'?><domain type='kvm'/>",
        "<domain type='kvm'>" + String(repeating: "<a>", count: 200),
        "<domain type='kvm'>" + String(repeating: "<a/>", count: 120_000) + "</domain>",
    ]

    @Test(arguments: trouble) func `trouble hands the domain on, and is told`(_ text: String) throws
    {
        let machine = try FakeMachine(devices: ["mshv"])
        let domain = [UInt8](text)
        let outcome = hook(Self.on, machine).run(manifest: manifest(), domain: domain)
        #expect(outcome.domain == domain)
        #expect(outcome.record.findings.contains { $0.code == .trouble })
        #expect(outcome.record.changes.isEmpty)
        // The reason says what was done, not what was meant.
        #expect(outcome.record.reason == "Unchanged")
        #expect(outcome.record.typeBefore == outcome.record.typeAfter)
        let strict = hook(Self.on, machine, isStrict: true)
        #expect(strict.run(manifest: manifest(), domain: domain).domain == nil)
    }

    @Test func `every beginning of a domain is handed on`() throws {
        let machine = try FakeMachine(devices: ["mshv"])
        let source = try Fixture.domain("plain")
        let end = try XMLDocument(source).root.endTag.upperBound
        let hook = hook(Self.on, machine)
        for count in stride(from: 0, to: end, by: 7) {
            let part = Array(source[..<count])
            #expect(hook.run(manifest: manifest(), domain: part).domain == part)
        }
    }

    @Test func `a manifest that cannot be read costs its wishes alone`() throws {
        let machine = try FakeMachine(devices: ["mshv"])
        let domain = try Fixture.domain("plain")
        let outcome = hook(Self.on, machine).run(manifest: [UInt8]("{"), domain: domain)
        #expect(outcome.record.typeAfter == "hyperv")
        #expect(outcome.record.findings.contains { $0.code == .trouble })
    }

    @Test func `strictness fails on a finding, and only then`() throws {
        let machine = try FakeMachine(devices: ["mshv"])
        let domain = try Fixture.domain("plain")
        let strict = hook(Self.on, machine, isStrict: true)
        #expect(strict.run(manifest: manifest(), domain: domain).domain != nil)
        #expect(strict.run(manifest: manifest(device: false), domain: domain).domain == nil)
        var settings = ClusterConfiguration.Settings()
        settings.isStrict = true
        let cluster = ClusterConfiguration(gates: Self.on.gates, settings: settings)
        let byResource = hook(cluster, machine)
        #expect(byResource.run(manifest: manifest(device: false), domain: domain).domain == nil)
    }

    @Test func `a decision is one line of JSON that can be read back`() throws {
        let machine = try FakeMachine(devices: ["mshv"])
        let domain = try Fixture.domain("plain")
        let record = hook(Self.on, machine).run(manifest: manifest(), domain: domain).record
        let line = record.line
        #expect(!line.contains("\n"))
        let json = try JSONValue(parsing: [UInt8](line))
        #expect(json.member("schema")?.stringValue == "footing.kubevirt-decision/1")
        #expect(json.member("time")?.stringValue == "2026-11-21T15:35:07Z")
        #expect(json.member("hypervisor")?.stringValue == "mshv")
        let back = try #require(DecisionRecord(line: line))
        #expect(back.name == "vm" && back.namespace == "ns")
        #expect(back.typeAfter == "hyperv" && back.reason == "L1VHSelected")
        #expect(back.unixSeconds == record.unixSeconds)
    }

    @Test func `a line stays short whatever the manifest holds`() throws {
        let machine = try FakeMachine(devices: ["mshv"])
        var annotations: [String: String] = [:]
        for number in 0..<500 {
            annotations["footing/unknown-\(number)"] = String(repeating: "é\\u0001", count: 200)
        }
        annotations["footing/io"] = String(repeating: "\\u0007", count: 20_000)
        let outcome = hook(Self.on, machine).run(
            manifest: manifest(annotations),
            domain: try Fixture.domain("large")
        )
        #expect(outcome.record.findings.count > 500)
        #expect(outcome.record.line.utf8.count <= DecisionRecord.lineBytesMaximum)
        #expect(DecisionRecord(line: outcome.record.line)?.typeAfter == "hyperv")
    }
}

@Suite struct HookArgumentsTests {
    private func read(_ words: String...) -> HookArguments {
        HookArguments(words.map { [UInt8]($0) }, names: ["vmi", "domain"])
    }

    @Test func `both forms, in any order`() {
        let first = read("--vmi", "{}", "--domain", "<a/>")
        #expect(first.values == ["vmi": [UInt8]("{}"), "domain": [UInt8]("<a/>")])
        #expect(first.unknown.isEmpty)
        #expect(read("--domain=<a b='c=d'/>", "--vmi=").values["domain"]?.text == "<a b='c=d'/>")
        #expect(read("--domain=", "--vmi=").values["vmi"] == [])
    }

    @Test func `a value may look like an option`() {
        #expect(read("--vmi", "--domain", "--domain", "x").values["vmi"]?.text == "--domain")
    }

    @Test func `what is not known is passed over`() {
        let words = read("--new", "value", "--other=1", "stray", "--vmi", "{}", "--last")
        #expect(words.values == ["vmi": [UInt8]("{}")])
        #expect(words.unknown == ["--new", "--other", "stray", "--last"])
    }

    @Test func `a name without a value has none`() {
        #expect(read("--domain").values.isEmpty)
        #expect(read().values.isEmpty)
    }

    @Test func `bytes stay as they are`() {
        let words: [[UInt8]] = [[UInt8]("--domain"), [0xFF, 0x00, 0xC3]]
        #expect(HookArguments(words, names: ["domain"]).values["domain"] == [0xFF, 0x00, 0xC3])
    }
}
