import FootingSystem
import Testing

@testable import FootingKubeVirt

@Suite struct ObservabilityTests {
    private func record(
        _ name: String = "vm",
        type: String = "hyperv",
        reason: String = "L1VHSelected"
    ) -> DecisionRecord {
        var record = DecisionRecord(
            unixSeconds: 1_795_275_307,
            machine: nil,
            typeBefore: "kvm",
            typeAfter: type,
            reason: reason,
            explanation: "because",
            device: "present"
        )
        record.name = name
        record.namespace = "ns"
        return record
    }

    @Test func `the condition is one of Kubernetes'`() {
        let text = HypervisorCondition.json(record()).line()
        #expect(
            text == #"{"lastProbeTime": "2026-11-21T15:35:07Z","lastTransitionTime": "#
                + #""2026-11-21T15:35:07Z","message": "because","reason": "L1VHSelected","#
                + #""status": "True","type": "HypervisorOptimized"}"#
        )
        let other = HypervisorCondition.json(record(type: "kvm", reason: "GateOff"))
        #expect(other.member("status")?.stringValue == "False")
    }

    /// What `/status/conditions` is, and the operations and paths of the patch.
    static let patches: [(status: String?, operations: [String])] = [
        (nil, ["add /status"]),
        ("{}", ["add /status/conditions"]),
        ("{conditions: []}", ["add /status/conditions"]),
        ("{conditions: [{type: Ready, status: 'True'}]}", ["add /status/conditions/-"]),
        (
            "{conditions: [{type: Ready}, {type: HypervisorOptimized, status: 'False'}]}",
            ["test /status/conditions/1/type", "replace /status/conditions/1"]
        ),
        (
            "{conditions: [{type: HypervisorOptimized, status: 'True', reason: Other}]}",
            ["test /status/conditions/0/type", "replace /status/conditions/0"]
        ),
        (
            "{conditions: [{type: HypervisorOptimized, status: 'True', reason: L1VHSelected}]}", []
        ),
    ]

    @Test func `a patch adds, replaces or leaves the condition`() throws {
        for row in Self.patches {
            let status = row.status.map { "\nstatus: \($0)" } ?? ""
            let manifest = [UInt8]("kind: VirtualMachineInstance" + status)
            let patch = try HypervisorCondition.patch(record(), manifest: manifest)
            guard case .array(let operations) = patch else {
                Issue.record("no list")
                continue
            }
            let words = operations.map {
                "\($0.member("op")?.stringValue ?? "") \($0.member("path")?.stringValue ?? "")"
            }
            #expect(words == row.operations)
        }
        let blind = try HypervisorCondition.patch(record(), manifest: nil)
        #expect(blind.line().contains("/status/conditions/-"))
        #expect(throws: ManifestError.self) {
            try HypervisorCondition.patch(record(), manifest: [UInt8]("kind: Pod"))
        }
    }

    @Test func `the time of the last transition stays while the status does`() throws {
        for (status, time) in [
            ("True", "2025-01-02T03:04:05Z"), ("False", "2026-11-21T15:35:07Z"),
        ] {
            let manifest = """
                kind: VirtualMachineInstance
                status: {conditions: [{type: HypervisorOptimized, status: '\(status)',
                  reason: Other, lastTransitionTime: '2025-01-02T03:04:05Z'}]}
                """
            let patch = try HypervisorCondition.patch(record(), manifest: [UInt8](manifest))
            guard case .array(let operations) = patch, let last = operations.last else {
                Issue.record("no list")
                continue
            }
            #expect(
                last.member("value")?.member("lastTransitionTime")?.stringValue == time,
                "\(status)"
            )
        }
    }

    @Test func `the metric has one sample for each virtual machine, the last`() {
        var second = record("b", type: "kvm")
        second.node = "node-1"
        let text = HypervisorMetric.text([
            record("b"), record("a", type: "qemu"), record("c", type: ""), second,
        ])
        #expect(
            text == """
                # TYPE kubevirt_vmi_hypervisor_type gauge
                # HELP kubevirt_vmi_hypervisor_type What a virtual machine runs on: mshv, kvm, \
                qemu or unknown.
                kubevirt_vmi_hypervisor_type{namespace="ns",name="a",node="",\
                hypervisor_type="qemu"} 1
                kubevirt_vmi_hypervisor_type{namespace="ns",name="b",node="node-1",\
                hypervisor_type="kvm"} 1
                kubevirt_vmi_hypervisor_type{namespace="ns",name="c",node="",\
                hypervisor_type="unknown"} 1
                # EOF

                """
        )
        #expect(HypervisorMetric.text([]).hasSuffix("# EOF\n"))
    }

    @Test func `no name makes a line or ends a label`() {
        let text = HypervisorMetric.text([record("a\"b\\c\nd\u{1}\r")])
        #expect(text.split(separator: "\n").count == 4)
        #expect(text.contains(#"name="a\"b\\c\nd??""#))
    }

    @Test func `a line of KubeVirt's shim holds one of ours`() throws {
        let inner = record().line
        let outer: JSONValue = [
            "component": "shim-sidecar", "hook": "onDefineDomain", "level": "info",
            "msg": .string(inner), "pos": "sidecar_shim.go:240",
        ]
        #expect(DecisionRecord(line: outer.line())?.name == "vm")
        let twice: JSONValue = ["msg": .string(outer.line())]
        #expect(DecisionRecord(line: twice.line()) == nil)
    }

    static let otherLines = [
        "", "{}", "[]", "null", "{", #"{"schema":"other"}"#,
        #"{"schema":"footing.kubevirt-decision/1"}"#,
        #"{"schema":"footing.kubevirt-decision/1","time":"x","vmi":{"name":"a"}}"#,
    ]

    @Test(arguments: otherLines) func `other lines of a log are none of ours`(_ line: String) {
        #expect(DecisionRecord(line: line) == nil)
    }

    static let times: [(seconds: UInt64, text: String)] = [
        (0, "1970-01-01T00:00:00Z"), (951_782_400, "2000-02-29T00:00:00Z"),
        (951_868_799, "2000-02-29T23:59:59Z"), (1_709_251_199, "2024-02-29T23:59:59Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"), (1_795_275_307, "2026-11-21T15:35:07Z"),
        (253_402_300_799, "9999-12-31T23:59:59Z"),
    ]

    @Test func `points in time, there and back`() {
        for row in Self.times {
            #expect(Timestamp.text(unixSeconds: row.seconds) == row.text)
            #expect(Timestamp.unixSeconds(row.text) == row.seconds)
        }
        #expect(Timestamp.text(unixSeconds: .max) == "9999-12-31T23:59:59Z")
        let wrong = [
            "2023-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
            "2026-01-01T24:00:00Z", "2026-01-01 00:00:00Z", "2026-01-01T00:00:0Z",
            "1969-12-31T23:59:59Z", "2026-01-0xT00:00:00Z",
        ]
        for text in wrong { #expect(Timestamp.unixSeconds(text) == nil, "\(text)") }
    }
}

@Suite struct PluginResourceTests {
    @Test func `the resource is YAML with the expressions as they are`() throws {
        for isForAll in [false, true] {
            let plugin = try #require(PluginResource(isForAll: isForAll, isStrict: isForAll))
            let document = try #require(try YAMLNode.documents(in: [UInt8](plugin.yaml)).first)
            #expect(document["kind"]?.value == .string("Plugin"))
            #expect(document["apiVersion"]?.value == .string("plugin.kubevirt.io/v1alpha1"))
            let spec = try #require(document["spec"])
            #expect(spec["condition"]?.value == .string(plugin.condition))
            #expect(spec["failureStrategy"]?.value == .string(isForAll ? "Fail" : "Ignore"))
            guard case .list(let hooks) = spec["domainHooks"]?.value else {
                Issue.record("no hooks")
                return
            }
            #expect(hooks.count == 1)
            #expect(hooks[0]["cel"]?["expression"]?.value == .string(#"Domain{Type: "hyperv"}"#))
        }
    }

    @Test func `the condition names what it needs`() throws {
        let both = try #require(PluginResource(isForAll: false, isStrict: false)).condition
        let device = #""devices.kubevirt.io/mshv" in vmi.Spec.Domain.Resources.Limits"#
        #expect(both.contains(device))
        #expect(both.contains(#"vmi.Labels["footing/hypervisor"] == "mshv""#))
        let all = try #require(PluginResource(isForAll: true, isStrict: false)).condition
        #expect(all.contains(device) && !all.contains("Labels"))
        let assigned = PluginResource(isForAll: true, isStrict: false, needsDevice: false)
        #expect(
            assigned?.condition == #"(domainSpec.Type == "kvm" || domainSpec.Type == "qemu")"#
        )
    }

    @Test func `the later form has a hook point`() throws {
        let plugin = PluginResource(form: .launcherHooks, isForAll: true, isStrict: false)
        let yaml = try #require(plugin).yaml
        let spec = try #require(try YAMLNode.documents(in: [UInt8](yaml)).first?["spec"])
        #expect(spec["domainHooks"] == nil)
        guard case .list(let hooks) = spec["launcherHooks"]?.value else {
            Issue.record("no hooks")
            return
        }
        #expect(hooks.count == 1)
        #expect(hooks[0]["cel"]?["hookPoint"]?.value == .string("GuestDefinition"))
        #expect(hooks[0]["cel"]?["expression"]?.value == .string(#"Domain{Type: "hyperv"}"#))
    }

    @Test func `names are Kubernetes'`() {
        for name in ["a", "a-b", "a.b", "0", String(repeating: "a", count: 253)] {
            #expect(PluginResource(name: name, isForAll: true, isStrict: false) != nil)
        }
        for name in ["", "A", "a_b", "-a", "a-", "a..b", ".a", "a\nb: c", "a b", "é"] {
            #expect(PluginResource(name: name, isForAll: true, isStrict: false) == nil)
        }
    }
}

@Suite struct NodeReportTests {
    @Test func `a node tells its devices and labels`() throws {
        let machine = try FakeMachine(devices: ["kvm"], misc: "119 mshv\n", nodes: "0-1\n")
        let report = NodeReport(root: machine.root)
        #expect(report.mshv == .onNode(minor: 119))
        #expect(report.nodes == [0, 1])
        #expect(
            report.labels.map { "\($0.name)=\($0.value)" } == [
                "footing/mshv=true", "footing/kvm=true",
            ]
        )
        #expect(try report.selection(.transparent, allowsEmulation: false).hypervisor == .mshv)
        let off = HypervisorWish.kernel(.gateOff(.byDefault))
        #expect(try report.selection(off, allowsEmulation: false).hypervisor == .kvm)
        #expect(
            report.json.line()
                == #"{"capabilities": {"confidential": false,"domainType": "hyperv","#
                + #""enlightenments": ["spinlocks","vendorid"],"liveMigration": false,"#
                + #""processorModels": ["host-passthrough","maximum"],"processorsMaximum": 255},"#
                + #""devices": {"kvm": "present","mshv": "on-node"},"kernel": null,"#
                + #""labels": {"footing/kvm": "true","footing/mshv": "true"},"modules": [],"#
                + #""numaNodes": [0,1],"partition": "parent","schema": "footing.kubevirt-node/1"}"#
        )
    }

    @Test func `KubeVirt fails without KVM before the other hypervisor counts`() throws {
        let machine = try FakeMachine(devices: ["mshv"])
        let report = NodeReport(root: machine.root)
        #expect(throws: Selection.Refusal.kvmNotPresent) {
            try report.selection(.transparent, allowsEmulation: false)
        }
        #expect(try report.selection(.transparent, allowsEmulation: true).hypervisor == .mshv)
        // Chosen by KubeVirt itself, there is no need of KVM.
        #expect(try report.selection(.hyperVDirect, allowsEmulation: false).hypervisor == .mshv)
    }

    @Test func `what cannot be looked at is not said to be missing`() throws {
        let machine = try FakeMachine(devices: ["kvm"])
        try machine.loop("mshv")
        let report = NodeReport(root: machine.root)
        #expect(report.labels.map(\.name) == ["footing/kvm"])
        #expect(report.partition == .unknown && report.capabilities == nil)
    }

    @Test func `a guest of the hypervisor is no parent`() throws {
        let machine = try FakeMachine()
        #expect(NodeReport(root: machine.root).partition == .none)
        for path in ["sys", "sys/bus", "sys/bus/vmbus"] { try machine.folder(path) }
        let report = NodeReport(root: machine.root)
        #expect(report.partition == .guest && report.capabilities == nil)
        #expect(report.labels.map(\.value) == ["false", "false"])
    }

    @Test func `a node with neither runs nothing without emulation`() throws {
        let report = NodeReport(root: try FakeMachine().root)
        #expect(throws: Selection.Refusal.kvmNotPresent) {
            try report.selection(.transparent, allowsEmulation: false)
        }
        #expect(throws: Selection.Refusal.mshvNotPresent) {
            try report.selection(.hyperVDirect, allowsEmulation: false)
        }
        #expect(try report.selection(.transparent, allowsEmulation: true).hypervisor == .qemu)
    }
}
