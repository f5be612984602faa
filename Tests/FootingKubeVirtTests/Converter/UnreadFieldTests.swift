import Testing

@testable import FootingKubeVirt

/// Fields that have an effect elsewhere, and annotations: what is not carried over is told.
@Suite struct UnreadFieldTests {
    private func convert(
        _ domain: String,
        annotations: String = "{}",
        architecture: String = "amd64"
    ) throws -> DomainConversion {
        let domain = domain.hasPrefix("devices") ? domain : "devices: {}, " + domain
        let manifest = """
            {apiVersion: kubevirt.io/v1, kind: VirtualMachineInstance,
             metadata: {name: a, annotations: \(annotations)},
             spec: {architecture: \(architecture),
              domain: {memory: {guest: 1Gi}, \(domain)}}}
            """
        return try DomainConverter.convert(manifest: [UInt8](manifest), bestEffort: true)
    }

    @Test(arguments: [
        ("kubevirt.io/memfd", nil, nil),
        ("kubevirt.io/memFD", nil, "unknown annotation"),
        ("kubevirt.io/placePciDevicesOnRootComplex", nil, "unknown annotation"),
        ("alpha.kubevirt.io/other", nil, "unknown annotation"),
        ("hooks.kubevirt.io/hookSideCars", nil, "unknown annotation"),
        ("footing/iothreads", nil, "unknown annotation"),
        ("footing/io-threads", "a hook changes the domain after the conversion", nil),
        ("hooks.kubevirt.io/hookSidecars", "a hook changes the domain after the conversion", nil),
        ("kubevirt.io/nonroot", "the cluster's own book-keeping", nil),
        ("vm.kubevirt.io/os", "no annotation of KubeVirt's or Footing's", nil),
        ("kubevirt.io", nil, "unknown annotation"),
        ("example.com/kubevirt.io", "no annotation of KubeVirt's or Footing's", nil),
    ])
    func `An annotation is known, somebody else's, or told`(
        name: String,
        withoutEffect: String?,
        notConverted: String?
    ) throws {
        let result = try convert("", annotations: "{\"\(name)\": \"true\"}")
        #expect(result.withoutEffect.map(\.reason) == [withoutEffect].compactMap(\.self))
        #expect(result.leftOut.map(\.reason) == [notConverted].compactMap(\.self))
        for note in result.withoutEffect + result.leftOut {
            #expect(note.path == "metadata.annotations.\(name)")
        }
    }

    @Test(arguments: [
        ("arm64", "launchSecurity: {}", "spec.domain.launchSecurity"),
        ("arm64", "launchSecurity: {sev: {}}", "spec.domain.launchSecurity"),
        ("arm64", "launchSecurity: {tdx: {}}", "spec.domain.launchSecurity"),
        ("s390x", "launchSecurity: {sev: {}}", "spec.domain.launchSecurity.sev"),
        ("s390x", "launchSecurity: {snp: {}}", "spec.domain.launchSecurity.snp"),
        ("s390x", "launchSecurity: {tdx: {}}", "spec.domain.launchSecurity.tdx"),
        ("amd64", "launchSecurity: {sev: {}, tdx: {}}", "spec.domain.launchSecurity.tdx"),
        ("amd64", "launchSecurity: {tdx: {}, snp: {}}", "spec.domain.launchSecurity.tdx"),
        (
            "s390x", "devices: {useVirtioTransitional: true}",
            "spec.domain.devices.useVirtioTransitional"
        ),
        ("arm64", "cpu: {sockets: 1, maxSockets: 4}", "spec.domain.cpu.maxSockets"),
    ])
    func `What an architecture does not have is told`(
        architecture: String,
        domain: String,
        path: String
    ) throws {
        let result = try convert(domain, architecture: architecture)
        #expect(result.leftOut.map(\.path) == [path])
        #expect(result.leftOut.first?.reason.hasPrefix("unknown") == false)
    }

    @Test(arguments: [
        ("arm64", "disablePCIHole64"), ("arm64", "qgs-socket-path"), ("s390x", "memfd"),
        ("s390x", "placePCIDevicesOnRootComplex"),
    ])
    func `An annotation for another architecture is told`(
        architecture: String,
        name: String
    ) throws {
        let annotations = "{kubevirt.io/\(name): \"true\"}"
        let result = try convert("", annotations: annotations, architecture: architecture)
        #expect(result.leftOut.map(\.path) == ["metadata.annotations.kubevirt.io/\(name)"])
        #expect(result.leftOut.first?.reason == "has no effect on this architecture")
    }

    private static func interface(_ binding: String, _ fields: String) -> String {
        "devices: {interfaces: [{name: net, \(binding): {}, \(fields)}]}"
    }

    /// A binding, a field, and whether that is told to have no effect, or not to be converted.
    private static let bindings: [(binding: String, field: String, key: String, isError: Bool)] = [
        ("passtBinding", "bootOrder: 1", "bootOrder", true),
        ("passtBinding", "state: down", "state", true),
        ("sriov", "state: down", "state", true), ("sriov", "acpiIndex: 5", "acpiIndex", true),
        ("sriov", "model: e1000", "model", false),
        ("sriov", "macAddress: \"02:00:00:00:00:01\"", "macAddress", false),
    ]

    @Test func `What a binding does not have is told`() throws {
        let context = "interfaces: {net: {podInterface: e, pciAddress: \"0000:81:00.1\"}}"
        for row in Self.bindings {
            let manifest = """
                {apiVersion: kubevirt.io/v1, kind: VirtualMachineInstance, metadata: {name: a},
                 spec: {domain: {memory: {guest: 1Gi}, \(Self.interface(row.binding, row.field))},
                  networks: [{name: net}]}}
                """
            let result = try DomainConverter.convert(
                manifest: [UInt8](manifest),
                context: [UInt8](context),
                bestEffort: true
            )
            let path = "spec.domain.devices.interfaces[0].\(row.key)"
            #expect(result.leftOut.map(\.path) == (row.isError ? [path] : []), "\(row)")
            #expect(result.withoutEffect.map(\.path) == (row.isError ? [] : [path]), "\(row)")
            let notes = result.leftOut + result.withoutEffect
            #expect(notes.allSatisfy { !$0.reason.hasPrefix("unknown") }, "\(row)")
        }
    }

    @Test func `What says the default, or is absent, is not told`() throws {
        for field in ["state: up", "state: absent, bootOrder: 1"] {
            let domain = Self.interface("masquerade", field)
            let manifest = """
                {apiVersion: kubevirt.io/v1, kind: VirtualMachineInstance, metadata: {name: a},
                 spec: {domain: {memory: {guest: 1Gi}, \(domain)}, networks: [{name: net}]}}
                """
            #expect(throws: Never.self) {
                try DomainConverter.convert(manifest: [UInt8](manifest))
            }
        }
    }

    @Test(arguments: [
        (
            "devices: {autoattachGraphicsDevice: false, video: {type: virtio}}",
            "spec.domain.devices.video"
        ),
        (
            "devices: {autoattachSerialConsole: false, logSerialConsole: true}",
            "spec.domain.devices.logSerialConsole"
        ),
    ])
    func `What needs a device that is not there is told`(domain: String, path: String) throws {
        let result = try convert(domain)
        #expect(result.leftOut.map(\.path) == [path])
        #expect(result.leftOut.first?.reason.hasPrefix("has no effect without") == true)
    }

    @Test func `A device that is turned off may say what it would be`() throws {
        let off = try convert("devices: {tpm: {enabled: false, persistent: true}}")
        #expect(off.leftOut.isEmpty && !off.xml.contains("<tpm"))
        let on = try convert("devices: {tpm: {persistent: true}}")
        #expect(on.xml.contains("<tpm model=\"tpm-crb\">"))
    }

    @Test func `A template has nothing of an instance but metadata and a spec`() throws {
        for (place, path) in [("template: {status: {}, ", "spec.template.status"), ("", nil)] {
            let template = place.isEmpty ? "template: {" : place
            let manifest = """
                {apiVersion: kubevirt.io/v1, kind: VirtualMachine, metadata: {name: a}, status: {},
                 spec: {\(template) spec: {domain: {memory: {guest: 1Gi}, devices: {}}}}}}
                """
            let result = try DomainConverter.convert(
                manifest: [UInt8](manifest),
                bestEffort: true
            )
            #expect(result.leftOut.map(\.path) == [path].compactMap(\.self))
        }
    }

    @Test func `What an architecture has is converted`() throws {
        let secure = try convert("launchSecurity: {}", architecture: "s390x")
        #expect(secure.leftOut.isEmpty)
        let plugged = try convert("cpu: {sockets: 1, maxSockets: 2}", architecture: "s390x")
        #expect(plugged.leftOut.isEmpty)
        #expect(plugged.xml.contains("<vcpu placement=\"static\">2</vcpu>"))
        let whole = try convert("cpu: {cores: 2.0, sockets: 1e0, threads: 01}")
        #expect(whole.xml.contains("cores=\"2\""))
    }
}
