import Testing

@testable import FootingKubeVirt

/// KubeVirt's rule for gates, and its choice of a hypervisor.
@Suite struct GateTests {
    typealias Rule = FeatureGates.Verdict.Rule

    struct Case: Sendable, CustomTestStringConvertible {
        let stage: FeatureGate.Stage?
        let isListed: Bool
        let isDisabled: Bool
        let isOn: Bool
        let rule: Rule

        init(
            _ stage: FeatureGate.Stage?,
            _ isListed: Bool,
            _ isDisabled: Bool,
            _ isOn: Bool,
            _ rule: Rule
        ) {
            self.stage = stage
            self.isListed = isListed
            self.isDisabled = isDisabled
            self.isOn = isOn
            self.rule = rule
        }

        var testDescription: String {
            "\(stage?.rawValue ?? "unknown") listed \(isListed) disabled \(isDisabled)"
        }
    }

    /// Every stage, listed or not, disabled or not.
    static let cases: [Case] = [
        Case(nil, false, false, false, .unknown),
        Case(nil, true, false, false, .unknown),
        Case(nil, false, true, false, .unknown),
        Case(nil, true, true, false, .unknown),
        Case(.alpha, false, false, false, .byDefault),
        Case(.alpha, true, false, true, .listed),
        Case(.alpha, false, true, false, .disabled),
        Case(.alpha, true, true, true, .listed),
        Case(.beta, false, false, true, .beta),
        Case(.beta, true, false, true, .listed),
        Case(.beta, false, true, false, .disabled),
        Case(.beta, true, true, true, .listed),
        Case(.generalAvailability, false, false, true, .generalAvailability),
        Case(.generalAvailability, true, false, true, .generalAvailability),
        Case(.generalAvailability, false, true, true, .generalAvailability),
        Case(.generalAvailability, true, true, true, .generalAvailability),
        Case(.deprecated, false, false, false, .byDefault),
        Case(.deprecated, true, false, true, .listed),
        Case(.deprecated, false, true, false, .disabled),
        Case(.deprecated, true, true, true, .listed),
        Case(.discontinued, false, false, false, .byDefault),
        Case(.discontinued, true, false, true, .listed),
        Case(.discontinued, false, true, false, .disabled),
        Case(.discontinued, true, true, true, .listed),
    ]

    @Test(arguments: cases) func `the first rule that applies decides`(_ test: Case) {
        let gates = FeatureGates(
            listed: test.isListed ? ["Other", "Gate"] : ["Other"],
            disabled: test.isDisabled ? ["Another", "Gate"] : []
        )
        let verdict = gates.verdict("Gate", test.stage)
        #expect(verdict.isOn == test.isOn)
        #expect(verdict.rule == test.rule)
        #expect(verdict.explanation.hasPrefix(test.isOn ? "on" : "off"))
    }

    @Test func `names are compared as they are`() {
        let gates = FeatureGates(listed: ["hyperVL1VH", "HyperVL1VH ", ""])
        #expect(!gates.isOn(.hyperVL1VH))
        #expect(FeatureGates(listed: ["HyperVL1VH"]).isOn(.hyperVL1VH))
    }

    @Test func `the table of gates has no name twice`() {
        let names = FeatureGate.all.map(\.name)
        #expect(Set(names).count == names.count)
        // 85 that KubeVirt 1.9 registers, and Footing's own.
        #expect(names.count == 86)
        #expect(FeatureGate.named("HyperVL1VH")?.stage == .alpha)
        #expect(FeatureGate.named("ConfigurableHypervisor")?.stage == .alpha)
        #expect(FeatureGate.named("Snapshot")?.stage == .beta)
        #expect(FeatureGate.named("LiveMigration")?.stage == .generalAvailability)
        #expect(FeatureGate.named("HyperVLayered") == nil)
    }

    /// KubeVirt's own table (`pkg/virt-config/configuration_test.go`), and Footing's gate.
    static let hypervisors: [(gates: [String], hypervisor: String?, wish: HypervisorWish)] = [
        ([], nil, .kernel(.gateOff(.byDefault))),
        ([], "kvm", .kernel(.gateOff(.byDefault))),
        ([], "hyperv-direct", .kernel(.gateOff(.byDefault))),
        (["ConfigurableHypervisor"], nil, .kernel(.gateOff(.byDefault))),
        (["ConfigurableHypervisor"], "", .kernel(.configured)),
        (["ConfigurableHypervisor"], "kvm", .kernel(.configured)),
        (["ConfigurableHypervisor"], "hyperv-direct", .hyperVDirect),
        (["ConfigurableHypervisor"], "xen", .kernel(.unknownHypervisor("xen"))),
        (["HyperVL1VH"], nil, .transparent),
        (["HyperVL1VH"], "kvm", .transparent),
        (["HyperVL1VH"], "hyperv-direct", .transparent),
        (["HyperVL1VH", "ConfigurableHypervisor"], nil, .transparent),
        (["HyperVL1VH", "ConfigurableHypervisor"], "kvm", .kernel(.configured)),
        (["HyperVL1VH", "ConfigurableHypervisor"], "hyperv-direct", .hyperVDirect),
    ]

    @Test func `which hypervisor is asked for`() {
        for row in Self.hypervisors {
            let cluster = ClusterConfiguration(
                gates: FeatureGates(listed: row.gates),
                hypervisor: row.hypervisor
            )
            #expect(cluster.wish == row.wish, "\(row.gates) \(row.hypervisor ?? "-")")
        }
        let disabled = ClusterConfiguration(gates: FeatureGates(disabled: ["HyperVL1VH"]))
        #expect(disabled.wish == .kernel(.gateOff(.disabled)))
    }
}

/// A KubeVirt resource in YAML and JSON.
@Suite struct ClusterConfigurationTests {
    static let yaml = """
        apiVersion: kubevirt.io/v1
        kind: KubeVirt
        metadata:
          name: kubevirt
          annotations:
            footing/strict: "true"
            footing/device-resource: assigned
        spec:
          configuration:
            developerConfiguration:
              useEmulation: true
              featureGates: [Sidecar, HyperVL1VH]
              disabledFeatureGates:
              - Snapshot
            hypervisors:
            - name: hyperv-direct
            - name: kvm
            unknownField: {a: [1]}
        """
    static let json = """
        {"kind":"KubeVirt","metadata":{"annotations":{"footing/strict":"true",\
        "footing/device-resource":"assigned"}},"spec":{"configuration":\
        {"developerConfiguration":{"useEmulation":true,"featureGates":["Sidecar","HyperVL1VH"],\
        "disabledFeatureGates":["Snapshot"]},"hypervisors":[{"name":"hyperv-direct"}]}}}
        """

    @Test(arguments: [
        yaml, json, "---\nkind: Namespace\n---\n" + yaml + "\n---\n",
        #"{"kind":"List","items":[{"kind":"Pod"},\#(json)]}"#,
    ])
    func `is read from YAML, JSON, several documents and a list`(_ text: String) throws {
        let cluster = try ClusterConfiguration(parsing: [UInt8](text))
        #expect(cluster.gates.listed == ["Sidecar", "HyperVL1VH"])
        #expect(cluster.gates.disabled == ["Snapshot"])
        #expect(cluster.hypervisor == "hyperv-direct")
        #expect(cluster.allowsEmulation)
        #expect(cluster.settings.isStrict)
        #expect(cluster.settings.assignsDevice)
    }

    @Test(arguments: [
        "kind: KubeVirt", "kind: KubeVirt\nspec: {}", "kind: KubeVirt\nspec:\n  configuration:\n",
        "kind: KubeVirt\nspec: {configuration: {developerConfiguration: {featureGates: null}}}",
        "kind: KubeVirt\nspec: {configuration: {hypervisors: []}}",
    ])
    func `what is not there is off`(_ text: String) throws {
        #expect(try ClusterConfiguration(parsing: [UInt8](text)) == ClusterConfiguration())
    }

    static let wrong: [(text: String, words: String)] = [
        ("", "there is no KubeVirt in it"),
        ("kind: Pod", "there is no KubeVirt in it"),
        ("kind: KubeVirt\n---\nkind: KubeVirt", "2 objects"),
        ("kind: [KubeVirt", "line 2"),
        ("kind: 1", "kind: a text is expected, not a whole number"),
        (
            "kind: KubeVirt\nspec: {configuration: {developerConfiguration: {featureGates: A}}}",
            "spec.configuration.developerConfiguration.featureGates: a list is expected, not a text"
        ),
        (
            "kind: KubeVirt\nspec: {configuration: {developerConfiguration: "
                + "{featureGates: [A, on]}}}",
            "featureGates[1]: a text is expected, not true or false"
        ),
        (
            "kind: KubeVirt\nspec: {configuration: {developerConfiguration: {useEmulation: 1}}}",
            "useEmulation: true or false is expected"
        ),
        (
            "kind: KubeVirt\nspec: {configuration: {hypervisors: {name: kvm}}}",
            "hypervisors: a list is expected"
        ),
    ]

    @Test func `a mistake is named with its field`() {
        for row in Self.wrong {
            let error = #expect(throws: ManifestError.self) {
                try ClusterConfiguration(parsing: [UInt8](row.text))
            }
            #expect(error?.description.contains(row.words) == true, "\(error?.description ?? "")")
        }
    }
}
