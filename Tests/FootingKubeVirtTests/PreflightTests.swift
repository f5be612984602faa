import Testing

@testable import FootingKubeVirt

@Suite struct PreflightTests {
    private func codes(_ spec: String, metadata: String = "name: vm") throws -> [Finding.Code] {
        let manifest = """
            kind: VirtualMachineInstance
            metadata: {\(metadata)}
            spec: \(spec)
            """
        let facts = try VirtualMachineFacts(parsing: [UInt8](manifest))
        return Preflight.findings(for: facts, isAssigned: false).map(\.code)
    }

    static let device = #"resources: {limits: {devices.kubevirt.io/mshv: "1"}}"#
    static let good = "cpu: {model: host-passthrough}, \(device)"

    static let rows: [(spec: String, codes: [Finding.Code])] = [
        ("{domain: {\(good)}}", []),
        ("{architecture: amd64, domain: {\(good)}}", []),
        ("{architecture: arm64, domain: {\(good)}}", [.architecture]),
        ("{architecture: s390x, domain: {\(good)}}", [.architecture]),
        ("{domain: {\(good), launchSecurity: {sev: {}}}}", [.confidential]),
        ("{domain: {\(good), launchSecurity: {snp: {}}}}", [.confidential]),
        ("{domain: {\(good), launchSecurity: {tdx: {}}}}", [.confidential]),
        ("{evictionStrategy: LiveMigrate, domain: {\(good)}}", [.migration]),
        ("{evictionStrategy: LiveMigrateIfPossible, domain: {\(good)}}", [.migration]),
        ("{evictionStrategy: None, domain: {\(good)}}", []),
        (
            "{domain: {cpu: {model: host-passthrough, cores: 255}, \(device)}}", []
        ),
        ("{domain: {cpu: {model: maximum, cores: 256}, \(device)}}", [.processors]),
        (
            "{domain: {cpu: {model: maximum, cores: 16, threads: 2, sockets: 8}, \(device)}}",
            [.processors]
        ),
        (
            "{domain: {cpu: {model: maximum, cores: 64, sockets: 1, maxSockets: 4}, \(device)}}",
            [.processors]
        ),
        (
            "{domain: {cpu: {model: maximum}, resources: {requests: {cpu: 255100m, "
                + "devices.kubevirt.io/mshv: 1}}}}", [.processors]
        ),
        (
            "{domain: {cpu: {model: maximum, cores: 4294967295, sockets: 4294967295}, \(device)}}",
            [.processors]
        ),
        (
            "{domain: {\(good), devices: {useVirtioTransitional: true}}}", [.transitionalVirtio]
        ),
        ("{domain: {\(good), devices: {useVirtioTransitional: false}}}", []),
        (
            "{domain: {\(good), features: {hyperv: {relaxed: {}, spinlocks: {}}}}}",
            [.enlightenments]
        ),
        ("{domain: {\(good), features: {hyperv: {spinlocks: {}, vendorid: {}}}}}", []),
        ("{domain: {\(good), features: {hypervPassthrough: {}}}}", [.enlightenments]),
        ("{domain: {\(good), features: {hypervPassthrough: {enabled: false}}}}", []),
        ("{domain: {\(device)}}", [.processorModel]),
        ("{domain: {cpu: {model: Skylake}, \(device)}}", [.processorModel]),
        ("{domain: {cpu: {model: maximum}}}", [.deviceResource]),
        (
            "{domain: {cpu: {model: maximum}, resources: {limits: {devices.kubevirt.io/mshv: 0}}}}",
            [.deviceResource]
        ),
        ("{}", []),
    ]

    @Test func `each obstacle is found, and no other`() throws {
        for row in Self.rows.dropLast() {
            #expect(try codes(row.spec) == row.codes, "\(row.spec)")
        }
        #expect(try codes("{}") == [.processorModel, .deviceResource])
    }

    /// What KubeVirt fills in: the manifest's processors, settings, what there may be.
    static let plugged: [(processors: String, settings: String, maximum: Int)] = [
        ("sockets: 64", "", 256), ("sockets: 63", "", 252), ("sockets: 64, maxSockets: 64", "", 64),
        ("sockets: 64", "vmRolloutStrategy: Stage", 64),
        // Sockets alone are multiplied: of none there are none more.
        ("cores: 64", "", 64), ("cores: 255", "", 255), ("cores: 32, threads: 2", "", 64),
        ("sockets: 1, cores: 64", "", 256), ("sockets: 1, cores: 64, threads: 1", "", 256),
        // 512 is the limit only where all three are named.
        ("sockets: 200", "", 800), ("sockets: 200, cores: 1, threads: 1", "", 512),
        ("sockets: 600, cores: 1, threads: 1", "", 600),
        ("cores: 64", "liveUpdateConfiguration: {maxCpuSockets: 8}", 512),
        ("cores: 4294967295, threads: 4294967295, sockets: 4294967295", "", 4_294_967_295),
        ("sockets: 64", "liveUpdateConfiguration: {maxCpuSockets: 96}", 96),
        ("sockets: 64", "liveUpdateConfiguration: {maxCpuSockets: 8}", 64),
        ("sockets: 64", "liveUpdateConfiguration: {maxHotplugRatio: 2}", 128),
    ]

    @Test func `defaults that KubeVirt fills in count`() throws {
        for row in Self.plugged {
            let cluster = try ClusterConfiguration(
                parsing: [UInt8]("kind: KubeVirt\nspec: {configuration: {\(row.settings)}}")
            )
            let manifest =
                "kind: VirtualMachine\nspec: {template: {spec: {domain: "
                + "{cpu: {model: maximum, \(row.processors)}}}}}"
            let facts = try VirtualMachineFacts(parsing: [UInt8](manifest))
            #expect(
                facts.processorsMaximum(filledIn: cluster) == row.maximum,
                "\(row.processors)"
            )
            let codes = Preflight.findings(for: facts, isAssigned: true, defaults: cluster)
                .map(\.code)
            #expect(codes == (row.maximum > 255 ? [.processors] : []), "\(row.processors)")
        }
        let cluster = try ClusterConfiguration(
            parsing: [UInt8](
                "kind: KubeVirt\nspec: {configuration: {evictionStrategy: LiveMigrate}}"
            )
        )
        for (strategy, codes) in [("", [Finding.Code.migration]), ("evictionStrategy: None, ", [])]
        {
            let manifest = "{spec: {\(strategy)domain: {cpu: {model: maximum}}}}"
            let facts = try VirtualMachineFacts(parsing: [UInt8](manifest))
            let findings = Preflight.findings(for: facts, isAssigned: true, defaults: cluster)
            #expect(findings.map(\.code) == codes)
        }
    }

    /// A cluster's settings, a manifest's own, and what is found.
    static let defaults: [(settings: String, spec: String, codes: [Finding.Code])] = [
        ("", "", [.processorModel]), ("cpuModel: host-passthrough", "", []),
        ("cpuModel: host-model", "", [.processorModel]),
        ("cpuModel: Skylake", "cpu: {model: maximum}", []),
        ("cpuModel: maximum", "cpu: {model: Skylake}", [.processorModel]),
        (
            "cpuModel: maximum, architectureConfiguration: {defaultArchitecture: arm64}", "",
            [.architecture]
        ),
        // Which plugs no processors.
        (
            "cpuModel: maximum, architectureConfiguration: {defaultArchitecture: arm64}",
            "cpu: {sockets: 64}", [.architecture]
        ),
    ]

    @Test func `the model and the architecture of the cluster count too`() throws {
        for row in Self.defaults {
            let cluster = try ClusterConfiguration(
                parsing: [UInt8]("kind: KubeVirt\nspec: {configuration: {\(row.settings)}}")
            )
            let facts = try VirtualMachineFacts(
                parsing: [UInt8]("{spec: {domain: {\(row.spec)}}}")
            )
            let findings = Preflight.findings(for: facts, isAssigned: true, defaults: cluster)
            #expect(findings.map(\.code) == row.codes, "\(row.settings) \(row.spec)")
        }
    }

    @Test func `findings say what to do`() throws {
        let facts = try VirtualMachineFacts(parsing: [UInt8](#"{"spec":{"domain":{}}}"#))
        let findings = Preflight.findings(for: facts, isAssigned: false)
        #expect(findings.allSatisfy { !$0.text.isEmpty && $0.remedy != nil })
        #expect(findings.contains { $0.text.contains("Failed to open /dev/mshv") })
        #expect(Preflight.findings(for: facts, isAssigned: true).map(\.code) == [.processorModel])
    }

    static let versions: [(libvirt: String?, qemu: String?, codes: [Finding.Code])] = [
        (nil, nil, []), ("11.10.0", "10.2.0", []), ("11.10", "10.2", []),
        ("11.10.0-12.el9", nil, []), ("12.0.0", "11.0.0", []), ("11.9.0", nil, [.libvirt]),
        ("11.9.99", "10.1.0-20.el9", [.libvirt, .qemu]), ("9.0.0", "7.2.9", [.libvirt, .qemu]),
        ("11.11", "10.10", []),
    ]

    @Test func `versions are compared as numbers`() {
        for row in Self.versions {
            let findings = Preflight.findings(
                libvirt: row.libvirt.flatMap { Preflight.Version($0) },
                qemu: row.qemu.flatMap { Preflight.Version($0) }
            )
            #expect(findings.map(\.code) == row.codes)
        }
        for text in ["", "11", "a.b", "11.x", "-1.0", "11..0", " 11.10", "99999999999999999999.1"] {
            #expect(Preflight.Version(text) == nil, "\(text)")
        }
    }

    @Test func `a domain shows obstacles too`() throws {
        let domain = """
            <domain type='hyperv'><vcpu current='4'>512</vcpu><launchSecurity type='sev'/>
            <devices><disk model='virtio-transitional'/></devices></domain>
            """
        let findings = Preflight.findings(for: try XMLDocument([UInt8](domain)))
        #expect(findings.map(\.code) == [.processors, .transitionalVirtio, .confidential])
        let plain = try XMLDocument(try Fixture.domain("plain"))
        #expect(Preflight.findings(for: plain).isEmpty)
    }
}

@Suite struct VirtualMachineFactsTests {
    private func facts(_ text: String) throws -> VirtualMachineFacts {
        try VirtualMachineFacts(parsing: [UInt8](text))
    }

    @Test func `a VirtualMachine is read from its template`() throws {
        let facts = try facts(
            """
            apiVersion: kubevirt.io/v1
            kind: VirtualMachine
            metadata: {name: vm, namespace: ns, annotations: {footing/io: threads}}
            spec:
              template:
                metadata: {annotations: {footing/queues: auto}}
                spec:
                  evictionStrategy: External
                  domain: {cpu: {cores: 2}, devices: {disks: [{name: a, cache: none}, {name: b}]}}
            """
        )
        #expect(facts.fullName == "ns/vm")
        // Those of the VirtualMachine itself are not handed on to its instances.
        #expect(facts.annotations == ["footing/queues": "auto"])
        #expect(facts.processorsMaximum == 2)
        #expect(facts.diskCaches == ["a": "none"])
        #expect(facts.evictionStrategy == "External")
    }

    @Test func `what KubeVirt gives to a hook needs no kind`() throws {
        let facts = try facts(
            #"{"metadata":{"name":"vm","namespace":"ns"},"spec":{"domain":{"resources":"#
                + #"{"requests":{"cpu":"1500m"}}}},"status":{"nodeName":"n1"}}"#
        )
        #expect(facts.node == "n1")
        #expect(facts.processorsMaximum == 2)
    }

    @Test func `JSON holds what YAML does not`() throws {
        for scalar in ["\u{7F}", "\u{80}", "\u{85}", "\u{9F}", "\u{2028}", "\u{FEFF}", "\u{FFFF}"] {
            let text = #"{"metadata":{"name":"a","annotations":{"x":"1\#(scalar) 2\u007f"}}}"#
            #expect(try facts(text).annotations == ["x": "1\(scalar) 2\u{7F}"], "\(text)")
        }
    }

    static let wrong = [
        "", "kind: Pod", "kind: VirtualMachine\nspec: {}", "{",
        #"{"metadata":{"name":1}}"#, #"{"spec":{"domain":{"cpu":{"cores":-1}}}}"#,
        #"{"spec":{"domain":{"cpu":{"cores":"2"}}}}"#, #"{"metadata":{"annotations":[]}}"#,
        #"{"spec":{"domain":{"devices":{"disks":{}}}}}"#, "[1]\n---\n[2]",
    ]

    @Test(arguments: wrong) func `a mistake is an error, not a guess`(_ text: String) {
        let error = #expect(throws: ManifestError.self) { try facts(text) }
        #expect(error?.description.isEmpty == false)
    }
}
